"""The default region from our own gazetteer: approximate zones until official ones are imported."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field

from django.db import transaction
from django.utils.translation import gettext as _

from core.errors import Invalid
from geography.atlas import Atlas
from geography.gazetteer import AREAS_FILE, COUNTRY_CODE, COUNTRY_NUMBER, GOVERNORATES, REGION, read_areas
from geography.models import Region, Zone
from geography.services import derive
from geography.services.zones import Changes, ZoneFacts, announce, put_zone, retire, union_of

Level = Zone.Level


@dataclass(frozen=True)
class GazetteerLoad:
    """What loading did. ``left_alone``: official zones are in place, which the gazetteer never touches."""

    region: str
    added: int = 0
    changed: int = 0
    retired: int = 0
    is_new_edition: bool = False
    left_alone: bool = False
    zone_ids: list[int] = field(default_factory=list, repr=False)

    @property
    def did_something(self) -> bool:
        return bool(self.added or self.changed or self.retired)

    def as_dict(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if name != "zone_ids"}


@transaction.atomic
def load_gazetteer(*, force: bool = False, by: object | None = None) -> GazetteerLoad:
    """Make the region Kuwait with its country, governorates and areas, each flagged approximate. Running it again changes nothing.

    The same edition (facts, outline, way of drawing) is not drawn twice unless ``force``; where official zones are in use the
    gazetteer leaves everything as it is.
    """
    region = _region()
    if not region.zones.in_use().exists():
        force = True
    edition = _edition()
    if region.gazetteer_edition == edition and not force:
        return GazetteerLoad(region.code)
    if region.zones.in_use().filter(is_approximate=False, level__in=[Level.GOVERNORATE, Level.AREA]).exists():
        return GazetteerLoad(region.code, left_alone=True)

    facts = read_areas()
    shapes = derive.derive_polygons(areas=facts, land=Atlas().country(COUNTRY_NUMBER), metric_srid=region.metric_srid)
    lost = [area.code for area in facts if area.code not in shapes]
    if lost:
        raise Invalid(_("The gazetteer leaves no land for %(areas)s.") % {"areas": ", ".join(lost)})
    known = {(zone.level, zone.code): zone for zone in region.zones.all()}
    changes = Changes()

    def put(level: str, zone: ZoneFacts) -> Zone:
        return put_zone(region=region, level=level, facts=zone, known=known.pop((level, zone.code), None), changes=changes)

    by_governorate = {g.code: union_of(shapes[area.code] for area in facts if area.governorate == g.code) for g in GOVERNORATES}
    country = put(
        Level.COUNTRY,
        ZoneFacts(COUNTRY_CODE, region.name_en, region.name_ar, union_of(by_governorate.values()), is_approximate=True),
    )
    parents = {
        g.code: put(Level.GOVERNORATE, ZoneFacts(g.code, g.name_en, g.name_ar, by_governorate[g.code], country.pk, is_approximate=True))
        for g in GOVERNORATES
    }
    for area in facts:
        parent = parents[area.governorate]
        put(Level.AREA, ZoneFacts(area.code, area.name_en, area.name_ar, shapes[area.code], parent.pk, is_approximate=True))
    retire(zones=[zone for zone in known.values() if zone.is_active and zone.is_approximate], changes=changes)

    region.gazetteer_edition = edition
    region.save(update_fields=["gazetteer_edition"])
    announce(
        region=region,
        levels=[Level.COUNTRY, Level.GOVERNORATE, Level.AREA],
        changes=changes,
        verb="zones.gazetteer",
        by=by,
        reason="built-in gazetteer",
    )
    counts = changes.counts()
    return GazetteerLoad(
        region.code, counts["added"], counts["changed"], counts["retired"], is_new_edition=True, zone_ids=sorted(set(changes.touched))
    )


def _region() -> Region:
    defaults = {name: value for name, value in REGION.items() if name != "code"}
    is_default = not Region.objects.filter(is_default=True).exists()
    region, _made = Region.objects.get_or_create(code=REGION["code"], defaults={**defaults, "is_default": is_default})
    return region


def _edition() -> str:
    path = Atlas.default_path()
    if not path.is_file():
        raise Invalid(_("The world atlas is missing (%(path)s): run make setup.") % {"path": path.name})
    digest = hashlib.sha256(f"{derive.RULES}".encode())
    for source in (AREAS_FILE, path):
        digest.update(source.read_bytes())
    return digest.hexdigest()
