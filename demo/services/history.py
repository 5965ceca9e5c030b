"""Two synthetic years, written set by set: drawn by ``demo.generator``, resolved and stored by the database."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.contrib.gis.db.models.functions import Area, Transform
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Agency
from core import audit
from core.events import publish
from core.text import fold
from demo.generator import KINDS, Drawn, Place, draw
from demo.words import DESCRIPTIONS
from geography.models import Region, Zone
from geography.services.resolve import resolve_points_sql
from incidents import events
from incidents.lifecycle import Disposition, State
from incidents.models import Incident, IncidentType, Source

DAYS = 730
SEED = 20_240_617
EMPTY_KM2 = 60.0
# How busy a governorate is, roughly by its people; an area's share grows with its size up to a point.
BUSY = {"KW-HA": 0.25, "KW-FA": 0.24, "KW-KU": 0.20, "KW-AH": 0.15, "KW-MU": 0.08, "KW-JA": 0.08}

_STAGE = """
CREATE TEMP TABLE demo_staged (
    row_id integer PRIMARY KEY, type_id bigint, source_id bigint, agency_id bigint, priority smallint, severity smallint, origin text,
    description text, search text, lon double precision, lat double precision, state text, disposition text, occurred_at timestamptz,
    reported_at timestamptz, classified_at timestamptz, queued_at timestamptz, dispatched_at timestamptz, en_route_at timestamptz,
    on_scene_at timestamptz, cleared_at timestamptz, closed_at timestamptz
) ON COMMIT DROP
"""
_COLUMNS = (
    "row_id, type_id, source_id, agency_id, priority, severity, origin, description, search, lon, lat, state, disposition, occurred_at,"
    " reported_at, classified_at, queued_at, dispatched_at, en_route_at, on_scene_at, cleared_at, closed_at"
)
_INCIDENTS = """
INSERT INTO incidents_incident (
    id, region_id, source_id, agency_id, type_id, priority, severity, state, disposition, origin, is_synthetic, description, location,
    governorate_id, area_id, block_id, sector_id, address, address_block, address_street, address_jadda, address_building, paci_number,
    occurred_at, reported_at, received_at, classified_at, queued_at, dispatched_at, en_route_at, on_scene_at, cleared_at, closed_at,
    search, changed_at)
SELECT m.id, p.region_id, s.source_id, s.agency_id, s.type_id, s.priority, s.severity, s.state, s.disposition, s.origin, true,
    s.description,
    ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4326), p.governorate_id, p.area_id, p.block_id, p.sector_id, '', '', '', '', '', '',
    s.occurred_at, s.reported_at, s.reported_at, s.classified_at, s.queued_at, s.dispatched_at, s.en_route_at, s.on_scene_at,
    s.cleared_at, s.closed_at,
    to_tsvector('simple', s.search), coalesce(s.closed_at, s.cleared_at, s.on_scene_at, s.en_route_at, s.dispatched_at, s.queued_at,
    s.reported_at)
FROM demo_staged s JOIN demo_places p USING (row_id) JOIN demo_ids m USING (row_id) ORDER BY m.id
"""
_REPORTS = """
INSERT INTO incidents_report (source_id, external_id, incident_id, kind, raw, received_at)
SELECT s.source_id, 'DEMO-' || m.id, m.id, 'synthetic', jsonb_build_object('text', s.description, 'lon', s.lon, 'lat', s.lat),
    s.reported_at
FROM demo_staged s JOIN demo_ids m USING (row_id) ORDER BY m.id
"""
_LOG = """
INSERT INTO incidents_incidentlog (incident_id, at, kind, from_state, to_state, author_kind, author_name, reason)
SELECT m.id, step.at, CASE WHEN step.state = 'received' THEN 'received' ELSE 'moved' END,
    coalesce(lag(step.state) OVER (PARTITION BY m.id ORDER BY step.n), ''), step.state, 'system', 'synthetic', ''
FROM demo_staged s JOIN demo_ids m USING (row_id)
CROSS JOIN LATERAL (VALUES (1, 'received', s.reported_at), (2, 'classified', s.classified_at), (3, 'queued', s.queued_at), (4,
    'dispatched', s.dispatched_at),
    (5, 'en_route', s.en_route_at), (6, 'on_scene', s.on_scene_at), (7, 'cleared', s.cleared_at),
    (8, CASE WHEN s.state IN ('cancelled', 'unfounded') THEN s.state ELSE 'closed' END, s.closed_at)) AS step (n, state, at)
WHERE step.at IS NOT NULL ORDER BY m.id, step.n
"""


def places_of(region: Region) -> list[Place]:
    """The areas of ``region`` as the generator wants them."""
    areas = (
        Zone.objects.level(Zone.Level.AREA)
        .filter(region=region, parent__isnull=False)
        .exclude(name_en__endswith="Island")  # nobody to report anything
        .annotate(square_metres=Area(Transform("boundary", region.metric_srid)))
        .select_related("parent")
        .only("label_point", "parent__code")
        .order_by("code")
    )
    sized = []
    for area in areas:
        km2 = area.square_metres.sq_m / 1e6
        assert area.parent is not None
        # Desert and sea islands see little; a town's share grows with its size up to a point.
        sized.append((area, area.parent.code, km2, math.sqrt(min(km2, 12.0)) if km2 < EMPTY_KM2 else 0.25))
    totals: dict[str, float] = {}
    for _area, governorate, _km2, size in sized:
        totals[governorate] = totals.get(governorate, 0.0) + size
    return [
        Place(
            area.label_point.x,
            area.label_point.y,
            min(1_600.0, 560.0 * math.sqrt(min(km2, 8.0))),
            BUSY.get(governorate, 0.05) * size / totals[governorate],
        )
        for area, governorate, km2, size in sized
    ]


def sources_of(region: Region) -> dict[str, Source]:
    """One synthetic source an agency."""
    found = {}
    for agency in Agency.objects.filter(slug__in=("police", "traffic", "fire", "ems", "municipality")):
        found[agency.slug], _ = Source.objects.get_or_create(
            slug=f"demo-{agency.slug}", defaults={"name": f"{agency.name_en} · {agency.name_ar}", "agency": agency, "region": region}
        )
    return found


@transaction.atomic
def seed_history(*, region: Region, count: int, now: datetime | None = None, seed: int = SEED) -> int:
    """Store about ``count`` synthetic incidents of the two years before ``now``; returns how many. Once: a second call adds nothing."""
    if Incident.objects.filter(is_synthetic=True, source__slug__startswith="demo-").exists():
        return 0
    now = now or timezone.now()
    drawn = draw(places=places_of(region), count=count, start=now - timedelta(days=DAYS), end=now, zone=region.zone_info, seed=seed)
    # Drawn before the COPY opens: while it runs, the connection answers no other question.
    rows = list(_rows(drawn, now, sources_of(region), seed))
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(f"COPY demo_staged ({_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("ANALYZE demo_staged")
        cursor.execute(f"CREATE TEMP TABLE demo_places ON COMMIT DROP AS {resolve_points_sql('demo_staged', key='row_id')}")
        cursor.execute("DELETE FROM demo_places WHERE region_id IS NULL OR area_id IS NULL")
        # Numbers follow the time of the report, as they would have.
        cursor.execute(
            "CREATE TEMP TABLE demo_ids ON COMMIT DROP AS"
            " SELECT row_id, nextval(pg_get_serial_sequence('incidents_incident', 'id')) AS id"
            " FROM (SELECT row_id FROM demo_staged JOIN demo_places USING (row_id) ORDER BY reported_at) s"
        )
        cursor.execute(_INCIDENTS)
        stored = cursor.rowcount
        cursor.execute(_REPORTS)
        cursor.execute(_LOG)
    Source.objects.filter(slug__startswith="demo-").update(last_received_at=now)
    audit.record("demo.seed", after={"incidents": stored, "seed": seed})
    publish(events.INCIDENTS_IMPORTED, data={"source": "demo", "count": stored})
    return stored


def _rows(drawn: Drawn, now: datetime, sources: dict[str, Source], seed: int) -> Iterator[tuple[Any, ...]]:
    rng = np.random.default_rng(seed + 1)
    kinds = {kind.code: kind for kind in IncidentType.objects.select_related("agency").filter(code__in=[kind.code for kind in KINDS])}
    types = [kinds[kind.code] for kind in KINDS]
    size = drawn.at.size
    chance, choice = rng.random((4, size)), rng.random((2, size))
    delay = rng.exponential(1.0, size)
    steps = rng.lognormal(0, 0.45, (6, size))
    dispositions = [
        Disposition.RESOLVED,
        Disposition.REPORT_TAKEN,
        Disposition.NO_ACTION,
        Disposition.WARNING,
        Disposition.NOT_FOUND,
        Disposition.REFERRED,
    ]
    for i in range(size):
        kind = types[drawn.kind[i]]
        assert kind.agency is not None
        source = sources[kind.agency.slug]
        occurred = datetime.fromtimestamp(float(drawn.at[i]), UTC)
        # Thefts are found later; an emergency is called in at once.
        wait_min = 240 * delay[i] if kind.category == "property" and kind.default_priority > 1 else 3 * delay[i]
        reported = occurred + timedelta(minutes=float(wait_min))
        if reported > now:
            continue
        priority = min(5, max(1, kind.default_priority + (chance[0, i] < 0.12) - (chance[0, i] > 0.90)))
        severity = min(4, max(1, kind.default_severity + (chance[1, i] > 0.90) - (chance[1, i] < 0.18)))
        queue_min = (1.2, 3.5, 20, 420, 4_300)[priority - 1]
        minutes = np.array([0.7, 1.0, queue_min, 1.4, (6, 8, 12, 22, 60)[priority - 1], (35, 32, 28, 30, 45)[priority - 1], 6])
        factors = np.concatenate([[1.0], steps[:, i]])
        reached = [reported + timedelta(minutes=float(m)) for m in np.cumsum(minutes * factors)]
        state, times = _reached(reached, now)
        exit_state = State.CANCELLED if chance[2, i] < 0.035 else State.UNFOUNDED if chance[2, i] < 0.075 else None
        disposition = ""
        if state == State.CLOSED:
            disposition = dispositions[min(5, int(6 * chance[3, i] ** 1.6))]
            if exit_state is not None:
                # It ended before anybody arrived.
                state, disposition = exit_state, ""
                times = [*times[:3], None, None, None, times[2]]
        texts = DESCRIPTIONS[kind.code]
        text = texts[int(choice[0, i] * len(texts))]
        origin = Incident.Origin.DISCOVERED if drawn.is_discovered[i] else Incident.Origin.REPORTED
        yield (
            i, kind.pk, source.pk, kind.agency.pk, priority, severity, origin.value, text, fold(f"{kind.name_en} {kind.name_ar} {text}"),
            float(drawn.lon[i]), float(drawn.lat[i]), str(state.value), str(disposition), occurred, reported, *times,
        )  # fmt: skip


def _reached(times: list[datetime], now: datetime) -> tuple[State, list[datetime | None]]:
    """The last state whose time has come, and the times so far (classified … closed)."""
    order = (State.CLASSIFIED, State.QUEUED, State.DISPATCHED, State.EN_ROUTE, State.ON_SCENE, State.CLEARED, State.CLOSED)
    state = State.RECEIVED
    for step, at in zip(order, times, strict=True):
        if at <= now:
            state = step
    return state, [at if at <= now else None for at in times]
