"""The source a file belongs to: found, or made from what the file shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency
from core import audit
from core.errors import Invalid, NotFound
from geography.models import Region
from incidents.models import ImportRun, Source
from incidents.permissions import Actor, require
from incidents.services.importing.preparing import Preparer
from incidents.services.importing.readers import open_table

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_REGIONS = """
SELECT piece.region_id FROM unnest(%s::float8[], %s::float8[]) AS spot (x, y)
JOIN geography_zonepiece piece ON ST_Covers(piece.shape, ST_SetSRID(ST_MakePoint(spot.x, spot.y), 4326))
GROUP BY piece.region_id ORDER BY count(DISTINCT (spot.x, spot.y)) DESC, piece.region_id LIMIT 1
"""


def require_source(by: Actor | None, source: Source) -> None:
    """Whether ``by`` may import for ``source``: the verb, and a source of an agency they see."""
    agencies = None if by is None else jurisdiction_of(by).agency_ids
    if agencies is not None and source.agency_id not in agencies:
        raise NotFound(_("There is no such source."))
    require(by, "import")


@transaction.atomic
def ensure_source(
    *, slug: str, path: Path, mapping: Mapping[str, str], srid: int = 4326, agency: str = "police", by: Actor | None = None
) -> tuple[Source, bool]:
    """The source ``slug``, made if it is not known: its agency as given, its region the one most of the first rows lie in."""
    known = Source.objects.select_related("region", "agency").filter(slug=slug).first()
    if known is not None:
        return known, False
    if not _SLUG.fullmatch(slug):
        problem = _("A source's short name is of small letters, digits, “-” and “_”, 48 at most.")
        raise Invalid(problem, fields={"source": problem})
    owner = Agency.objects.filter(slug=agency).first()
    if owner is None:
        have = ", ".join(Agency.objects.values_list("slug", flat=True)) or "–"
        problem = _("There is no agency “%(agency)s”; there are: %(have)s.") % {"agency": agency, "have": have}
        raise Invalid(problem, fields={"agency": problem})
    region = _region_of(path, mapping, srid) or Region.objects.order_by("-is_default", "id").first()
    if region is None:
        raise Invalid(_("There is no region yet. Import zones first."), fields={"source": _("There is no region yet. Import zones first.")})
    source = Source.objects.create(slug=slug, name=slug.replace("-", " ").replace("_", " ").title(), agency=owner, region=region)
    audit.record("source.add", obj=source, by=by, after={"slug": slug, "agency": owner.slug, "region": region.code})
    return source, True


@transaction.atomic
def forget_source(*, source: Source, by: Actor | None = None) -> None:
    """Take back a source that was added for a dry run."""
    ImportRun.objects.filter(source=source, is_dry_run=True).update(source=None)
    audit.record("source.remove", obj=source, by=by, reason="dry run")
    source.delete()


def _region_of(path: Path, mapping: Mapping[str, str], srid: int) -> Region | None:
    """The region most points of the first rows lie in."""
    if "lon" not in mapping:
        return None
    with open_table(path) as table:
        preparer = Preparer.for_points(table, mapping, srid)
        for batch in table.batches(limit=2_000):
            lon, lat = preparer.points(batch)
            with connection.cursor() as cursor:
                cursor.execute(_REGIONS, [lon, lat])
                found = cursor.fetchone()
            return Region.objects.get(pk=found[0]) if found else None
    return None
