"""What would become of a file's first rows; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.gis.geos import Point
from django.utils import timezone

from core.errors import Invalid
from geography.services import place_of
from incidents.models import ImportRun, Report, Source
from incidents.normalise import Problem
from incidents.services.importing.archive import archive_path
from incidents.services.importing.mapping import complete_mapping, suggest_mapping
from incidents.services.importing.preparing import Preparer, text_of
from incidents.services.importing.readers import BrokenFile, open_table
from incidents.services.importing.rejects import IDENTITY, OWN
from incidents.services.importing.running import readable_columns, zone_of
from incidents.services.vocabulary import Words


@dataclass
class PreviewRow:
    """One row: its cells as text, what became of each of our fields, and the outcome."""

    number: int
    cells: list[str]
    # "accepted", "duplicate", "rejected" or "quarantined"
    outcome: str
    problems: list[Problem] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class Preview:
    """``problem`` says why the mapping cannot work (``rows`` are then shown without outcome)."""

    columns: list[str]
    format: str
    encoding: str
    suggested: dict[str, str]
    mapping: dict[str, str]
    tz: str = ""
    srid: int = 4326
    rows: list[PreviewRow] = field(default_factory=list)
    new_types: list[str] = field(default_factory=list)
    problem: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def preview(
    *,
    run: ImportRun,
    mapping: Mapping[str, str] | None = None,
    tz: str = "",
    srid: int | None = None,
    rows: int = 20,
    source: Source | None = None,
) -> Preview:
    """The first ``rows`` rows of an uploaded file under a mapping (or the suggested one), each with its outcome."""
    source = source or run.source
    with open_table(archive_path(run)) as table:
        columns = readable_columns(table)
        seen = Preview(
            columns=columns,
            format=table.format,
            encoding=table.encoding,
            suggested=suggest_mapping(columns),
            mapping=dict(mapping or {}),
            srid=srid or table.srid or 4326,
        )
        batch = None
        try:
            batch = next(iter(table.batches(limit=rows)), None)
        except BrokenFile as error:
            seen.problem = str(error)
        shown = [table.columns.index(name) for name in columns]
        cells = (
            {
                number: [text_of(row[place])[:300] for place in shown]
                for number, row in zip(batch.numbers[:rows], batch.rows[:rows], strict=True)
            }
            if batch
            else {}
        )
        try:
            seen.mapping = complete_mapping(
                columns=columns, repeated=table.repeated, given=mapping, saved=source.column_mapping if source else None
            )
            zone = zone_of(source, tz) if source else ZoneInfo(tz or timezone.get_default_timezone_name())
            preparer = Preparer(
                columns=table.columns,
                mapping=seen.mapping,
                zone=zone,
                srid=seen.srid,
                now=timezone.now(),
                is_text=table.format == "csv",
                own=[name for name in OWN if name in table.columns],
                identity=IDENTITY if IDENTITY in table.columns else "",
                **({"severity_of": Words(source).severity_of} if source else {}),
            )
        except Invalid as error:
            seen.problem, seen.fields = error.message, error.fields
            seen.rows = [PreviewRow(number, shown_cells, "") for number, shown_cells in cells.items()]
            return seen
        seen.tz = zone.key
    if batch is None:
        return seen
    del batch.numbers[rows:], batch.rows[rows:]
    made = preparer.prepare(batch)
    known = _known(source, made.external_ids)
    words = Words(source) if source else None
    outcomes: list[PreviewRow] = []
    for place, number in enumerate(made.numbers):
        row = PreviewRow(number, cells[number], "accepted", values=_values(made, place))
        lon, lat = (made.lon[place], made.lat[place]) if made.lon and made.lat else (None, None)
        if lon is not None and lat is not None and place_of(Point(lon, lat, srid=4326)) is None:
            row.outcome, row.problems = "quarantined", [Problem("lon", "out_of_area", f"{lon:g}, {lat:g}")]
        elif made.external_ids[place] in known:
            row.outcome = "duplicate"
        known.add(made.external_ids[place])
        word = made.types[place]
        if words is not None and words.known_type(word) is None and word not in seen.new_types:
            seen.new_types.append(word)
        outcomes.append(row)
    for bad in made.bad:
        shown_cells = cells.get(bad.number, [str(bad.raw.get("row", ""))[:300]])
        outcomes.append(PreviewRow(bad.number, shown_cells, "rejected", bad.problems))
    seen.rows = sorted(outcomes, key=lambda row: row.number)
    return seen


def _known(source: Source | None, ids: list[str]) -> set[str]:
    if source is None:
        return set()
    return set(Report.objects.filter(source=source, external_id__in=ids).values_list("external_id", flat=True))


def _values(made: Any, place: int) -> dict[str, str]:
    columns = {
        "external_id": made.external_ids,
        "type": made.types,
        "occurred_at": made.occurred,
        "reported_at": made.reported,
        "lon": made.lon,
        "lat": made.lat,
        "severity": made.severities,
        "priority": made.priorities,
        "description": made.descriptions,
        "address": made.addresses,
        "origin": made.origins,
    }
    return {name: text_of(column[place])[:300] for name, column in columns.items() if column is not None and text_of(column[place])}
