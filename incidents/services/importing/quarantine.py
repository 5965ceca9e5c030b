"""Rows that could not go in, one by one: corrected and sent again, or dismissed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from incidents.models import Incident, RejectedRow
from incidents.normalise.address import parse_address
from incidents.permissions import Actor
from incidents.services.importing.mapping import TARGETS, complete_mapping
from incidents.services.importing.preparing import Preparer, text_of
from incidents.services.importing.readers import Batch
from incidents.services.importing.running import zone_of
from incidents.services.importing.sources import require_source
from incidents.services.opening import open_incident
from incidents.services.vocabulary import Words

_WAITING = (RejectedRow.Status.REJECTED, RejectedRow.Status.QUARANTINED)


def values_of(row: RejectedRow) -> dict[str, str]:
    """The row in our fields, as text, to be corrected in a form."""
    mapping = _mapping(row)
    return {target: text_of(row.raw.get(column)) for target, column in mapping.items()}


@transaction.atomic
def resubmit_row(*, row: RejectedRow, values: Mapping[str, Any], by: Actor | None) -> Incident:
    """Open the incident of a corrected row. ``values`` holds our fields; one left out is taken from the row as it came.

    Raises ``Invalid`` with the fields that are still wrong; the row then waits on. Its identity stays the rejected row's, so
    sending the old file again adds nothing.
    """
    source = row.source
    require_source(by, source)
    locked = RejectedRow.objects.select_for_update().get(pk=row.pk)
    if locked.status not in _WAITING:
        raise Conflict(_("This row has been dealt with already."))
    unknown = sorted(set(values) - set(TARGETS))
    if unknown:
        raise Invalid(_("There is no such field."), fields={name: _("There is no such field.") for name in unknown})
    whole = {**values_of(locked), **{target: text_of(value) for target, value in values.items()}}
    options = locked.import_run.options if locked.import_run else {}
    # What a person corrects on the map is in degrees; what came stays in the file's projection.
    srid = 4326 if {"lon", "lat"} & set(values) else int(options.get("srid") or 4326)
    columns = [target for target in TARGETS if whole.get(target) or target in ("type", "occurred_at")]
    words = Words(source)
    preparer = Preparer(
        columns=columns,
        mapping={target: target for target in columns},
        zone=zone_of(source, options.get("tz", "")),
        srid=srid,
        now=timezone.now(),
        is_text=True,
        severity_of=words.severity_of,
    )
    made = preparer.prepare(Batch([locked.row_number or 1], [[whole.get(target, "") for target in columns]]))
    if made.bad:
        problems = made.bad[0].problems
        raise Invalid(_("The row cannot be taken as it is."), fields={problem.field: problem.message for problem in problems})
    occurred_at = parse_datetime(made.occurred[0])
    assert occurred_at is not None
    lon, lat = (made.lon[0], made.lat[0]) if made.lon and made.lat else (None, None)
    address = made.addresses[0] if made.addresses else ""
    opened = open_incident(
        source=source,
        type=words.type_of(made.types[0]),
        occurred_at=occurred_at,
        reported_at=parse_datetime(made.reported[0]) if made.reported and made.reported[0] else occurred_at,
        kind="file",
        raw={**locked.raw, "corrected": {name: text_of(value) for name, value in values.items()}},
        by=None,
        external_id=str(whole.get("external_id") or locked.external_id)[:128],
        location=Point(lon, lat, srid=4326) if lon is not None and lat is not None else None,
        priority=made.priorities[0] if made.priorities else None,
        severity=made.severities[0] if made.severities else None,
        description=made.descriptions[0] if made.descriptions else "",
        address=address,
        address_parts=parse_address(address).columns() if address else None,
        origin=made.origins[0] if made.origins else Incident.Origin.UNKNOWN,
        is_synthetic=bool(options.get("synthetic")),
    )
    RejectedRow.objects.filter(pk=locked.pk).update(
        status=RejectedRow.Status.CORRECTED, incident=opened.incident, resolved_at=timezone.now()
    )
    audit.record(
        "rejected_row.resubmit",
        obj=locked,
        by=by,
        before={"errors": locked.errors},
        after={"incident": opened.incident.pk, "values": {name: text_of(value)[:300] for name, value in values.items()}},
    )
    row.refresh_from_db()
    return opened.incident


@transaction.atomic
def dismiss_row(*, row: RejectedRow, by: Actor | None, reason: str) -> RejectedRow:
    """Set a row aside for good. It stays readable, and sending it again does not bring it back."""
    require_source(by, row.source)
    if not reason.strip():
        raise Invalid(_("Say why."), fields={"reason": _("A reason is needed here.")})
    now = timezone.now()
    if not RejectedRow.objects.filter(pk=row.pk, status__in=_WAITING).update(status=RejectedRow.Status.DISMISSED, resolved_at=now):
        raise Conflict(_("This row has been dealt with already."))
    audit.record("rejected_row.dismiss", obj=row, by=by, reason=reason)
    row.refresh_from_db()
    return row


def _mapping(row: RejectedRow) -> dict[str, str]:
    """The mapping of the run that rejected the row, or what its source and its names suggest."""
    if row.import_run is not None and row.import_run.options.get("mapping"):
        return dict(row.import_run.options["mapping"])
    try:
        return complete_mapping(columns=list(row.raw), saved=row.source.column_mapping)
    except Invalid:
        return {}
