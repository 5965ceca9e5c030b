"""The incidents of a filtered list as CSV, spreadsheet or JSON: streamed, capped, audited, with formulas made harmless."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from openpyxl import Workbook

from core import audit
from incidents.models import Incident
from incidents.services.importing.rejects import guarded

LIMIT = 100_000
COLUMNS = (
    "ref",
    "type",
    "category",
    "state",
    "disposition",
    "priority",
    "severity",
    "agency",
    "source",
    "origin",
    "synthetic",
    "governorate",
    "area",
    "longitude",
    "latitude",
    "address",
    "occurred_at",
    "reported_at",
    "received_at",
    "dispatched_at",
    "on_scene_at",
    "closed_at",
    "description",
)


def export_incidents(admin: Any, request: HttpRequest, kind: str) -> HttpResponseBase:
    """What the list shows, whole or not at all: beyond ``LIMIT`` rows it says so instead of cutting quietly."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    if kind not in {"csv", "xlsx", "json"}:
        raise Http404
    rows = admin.get_changelist_instance(request).get_queryset(request).order_by("-id")
    count = rows.order_by()[: LIMIT + 1].count()
    if count > LIMIT:
        messages.error(
            request,
            _("More than %(limit)s incidents match: narrow the list by its filters before exporting it.") % {"limit": f"{LIMIT:,}"},
        )
        query = request.GET.urlencode()
        return HttpResponseRedirect(reverse("admin:incidents_incident_changelist") + (f"?{query}" if query else ""))
    audit.record("incident.export", by=request.user, after={"format": kind, "rows": count, "filters": request.GET.dict()})
    name = f"incidents-{timezone.localtime():%Y%m%d-%H%M}.{kind}"
    records = (_record(incident) for incident in rows.iterator(chunk_size=2_000))
    if kind == "xlsx":
        return FileResponse(_workbook(records), as_attachment=True, filename=name)
    body, content_type = (_csv(records), "text/csv; charset=utf-8") if kind == "csv" else (_json(records), "application/json")
    return StreamingHttpResponse(body, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _record(incident: Incident) -> tuple[Any, ...]:
    def at(instant: Any) -> str | None:
        return timezone.localtime(instant).isoformat(timespec="seconds") if instant else None

    point = incident.location
    return (
        incident.ref,
        incident.type.code,
        incident.type.category,
        incident.state,
        incident.disposition,
        incident.priority,
        incident.severity,
        incident.agency.slug,
        incident.source.slug,
        incident.origin,
        incident.is_synthetic,
        incident.governorate.name_en if incident.governorate else None,
        incident.area.name_en if incident.area else None,
        round(point.x, 6) if point else None,
        round(point.y, 6) if point else None,
        incident.address,
        at(incident.occurred_at),
        at(incident.reported_at),
        at(incident.received_at),
        at(incident.dispatched_at),
        at(incident.on_scene_at),
        at(incident.closed_at),
        incident.description,
    )


_ILLEGAL = {code: None for code in range(32) if chr(code) not in "\t\n\r"}


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets a quote before it."""
    if isinstance(value, str):
        return guarded(value.translate(_ILLEGAL))
    return value


def _csv(records: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield b"\xef\xbb\xbf"  # spreadsheets read Arabic only with this mark
    writer.writerow(COLUMNS)
    for record in records:
        writer.writerow([harmless(value) for value in record])
        if buffer.tell() > 64_000:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _json(records: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    yield b"["
    for number, record in enumerate(records):
        yield (b",\n" if number else b"\n") + orjson.dumps(dict(zip(COLUMNS, record, strict=True)))
    yield b"\n]\n"


def _workbook(records: Iterable[tuple[Any, ...]]) -> Any:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("incidents")
    sheet.append(COLUMNS)
    for record in records:
        sheet.append([harmless(value)[:32_000] if isinstance(value, str) else value for value in record])
    out = tempfile.SpooledTemporaryFile(max_size=8 * 2**20)  # noqa: SIM115 the response closes it
    book.save(out)
    out.seek(0)
    return out
