"""ANA-9: what the analytics may never touch: persons, plates, faces, households; what officers find; what enforcement drives.

The night's run is watched at the database driver: whatever it reads, by whatever road, must be on the lists below. Whoever adds a
column to what the models learn from must come here and say why.
"""

from __future__ import annotations

import re
from datetime import timedelta

import psycopg
import pytest
from django.apps import apps
from django.db import connection

from incidents.models import Forecast, HotSpot, Incident, IncidentType, NearRepeat, PipelineRun, Surface
from incidents.services import pipeline
from incidents.tests.conftest import NIGHT

# All that any model may know of an incident: where, when, of what kind, how grave, and whether it may be learnt from at all.
LEARNT_FROM = {
    "id",
    "region_id",
    "location",
    "occurred_at",
    "type_id",
    "severity",
    "governorate_id",
    "area_id",
    "is_synthetic",
    "origin",
    "state",
}
# Tables a run may read besides its own: vocabulary and places.
TABLES = {"incidents_incident", "incidents_incidenttype", "geography_region", "geography_zone", "geography_zonepiece", "accounts_agency"}
ANALYTICS = {
    "PipelineRun", "PipelineStep", "HotSpotTrack", "HotSpot", "Forecast", "Surface", "NearRepeat",
    "ModelChoice", "ModelCard", "ModelSwitch", "Score", "Suppression", "Handover",
}  # fmt: skip
OWN = {apps.get_model("incidents", name)._meta.db_table for name in ANALYTICS}
LOG = {"core_event", "core_eventcursor", "core_auditentry", "django_content_type"}

PERSONAL = re.compile(
    r"person|people|victim|suspect|offender|caller|witness|owner|driver|patient|name|civil|national|passport|nationality|gender|sex|age$|"
    r"birth|race|ethnic|religio|plate|vehicle|^face|_face|biometr|imei|imsi|phone|mobile|email|house|home|family|paci|address|building|unit_no|"
    r"description|narrative|text",
    re.IGNORECASE,
)
# Words of the pattern in columns that are about something else, each looked at.
HARMLESS = {"Surface.part_names", "PipelineStep.name"}
# Who asked, switched, suppressed: the trail of decisions, read by no model.
TRAIL = {"requested_by", "cancelled_by", "changed_by", "created_by", "lifted_by"}


def test_no_table_of_the_analytics_has_a_column_about_people():
    found = [
        f"{name}.{field.name}"
        for name in sorted(ANALYTICS)
        for field in apps.get_model("incidents", name)._meta.get_fields()
        if getattr(field, "concrete", False) and f"{name}.{field.name}" not in HARMLESS and PERSONAL.search(field.name)
    ]
    assert not found


def test_nothing_the_analytics_keep_points_at_a_person_but_the_trail_of_decisions():
    people = {"accounts.User", "incidents.Incident", "incidents.Report", "incidents.IncidentLog"}
    found = [
        f"{name}.{field.name}"
        for name in sorted(ANALYTICS)
        for field in apps.get_model("incidents", name)._meta.get_fields()
        if getattr(field, "concrete", False) and field.is_relation and field.related_model._meta.label in people and field.name not in TRAIL
    ]
    assert not found


def test_what_may_be_learnt_from_is_itself_free_of_people():
    assert not [column for column in LEARNT_FROM if PERSONAL.search(column)]
    assert {str(field.column) for field in Incident._meta.concrete_fields} >= LEARNT_FROM


def test_a_bare_file_gives_place_time_and_category_and_nothing_else():
    from incidents.services import bare_files

    assert set(bare_files._NAMES) == {"occurred_at", "lon", "lat", "category"}


@pytest.fixture
def watched(monkeypatch):
    """Every statement sent through the driver, COPY included."""
    sent: list[str] = []

    def spy(name):
        original = getattr(psycopg.Cursor, name)

        def wrapped(self, query, *args, **kwargs):
            sent.append(query if isinstance(query, str) else query.as_string(self) if hasattr(query, "as_string") else str(query))
            return original(self, query, *args, **kwargs)

        monkeypatch.setattr(psycopg.Cursor, name, wrapped)

    for name in ("execute", "executemany", "copy"):
        spy(name)
    return sent


def columns_read(statement: str, table: str, columns: set[str]) -> set[str]:
    """Columns of ``table`` that ``statement`` may read: those named with the table, and unless every column is named with its own
    table, any word that is one of them."""
    qualified = set(re.findall(rf'"?{table}"?\."?(\w+)"?', statement))
    bare = re.sub(r'"?\w+"?\."?\w+"?', " ", statement)
    bare = re.sub(r"'[^']*'", " ", bare)
    return qualified | {column for column in columns if re.search(rf"\b{column}\b", bare)}


def watched_run(crowd):
    crowd(47.92, 29.35, n=40, days_ago=(1, 45))
    crowd(47.97, 29.35, n=40, days_ago=(1, 45), spread_m=2000)
    done = pipeline.run_pipeline(trigger="manual", as_of=NIGHT)
    assert done.status == "done", done.error
    return done


def test_a_run_of_every_kind_reads_of_an_incident_only_what_is_listed(crowd, watched):
    watched_run(crowd)
    table = Incident._meta.db_table
    columns = {str(field.column) for field in Incident._meta.concrete_fields}
    of_incidents = [sql for sql in watched if table in sql and not sql.lstrip().upper().startswith("INSERT")]
    assert of_incidents and any("COPY" in sql for sql in of_incidents)
    for statement in of_incidents:
        assert f'"{table}".*' not in statement
        assert columns_read(statement, table, columns) <= LEARNT_FROM, statement


def test_a_run_of_every_kind_reads_no_other_table(crowd, watched):
    crowd(47.92, 29.35, n=1)  # what it takes to make incidents is not what is watched
    watched.clear()
    Incident.objects.all().exists()
    start = len(watched)
    done = pipeline.run_pipeline(trigger="manual", as_of=NIGHT)
    assert done.status == "done", done.error
    ours = {model._meta.db_table for model in apps.get_models()}
    named = {table for sql in watched[start:] for table in re.findall(r'(?:FROM|JOIN|UPDATE|INTO)\s+"?(\w+)"?', sql)} & ours
    assert "incidents_incident" in named
    assert named <= TABLES | OWN | LOG


def test_the_watch_would_notice_a_column_that_is_not_listed(crowd, watched, burglary):
    table = Incident._meta.db_table
    columns = {str(field.column) for field in Incident._meta.concrete_fields}
    list(Incident.objects.modelled().values_list("description"))
    assert "description" in columns_read(watched[-1], table, columns)
    with connection.cursor() as cursor, cursor.copy(f"COPY (SELECT paci_number FROM {table}) TO STDOUT") as copy:
        list(copy)
    assert "paci_number" in columns_read(watched[-1], table, columns)


# --- what officers find and what enforcement drives --------------------------------------------------------------------------------


def results():
    """All a run found, but for its own number."""
    spots = (
        HotSpot.objects.current().order_by("category", "rank").values_list("category", "incident_count", "severity_score", "previous_count")
    )
    surfaces = Surface.objects.filter(is_current=True).order_by("kind", "category", "horizon", "role", "model")
    tests = NearRepeat.objects.filter(is_current=True).order_by("category", "governorate_id", "within_m", "within_days")
    days = Forecast.objects.filter(is_current=True).order_by("zone_id", "category", "day", "method")
    return {
        "hot spots": list(spots),
        "surfaces": [(s.kind, s.category, s.horizon, s.model, s.columns, s.rows, [round(v, 9) for v in s.values]) for s in surfaces],
        "near repeats": list(tests.values_list("category", "governorate_id", "incident_count", "observed_pairs")),
        "forecasts": [(f.zone_id, f.category, f.day, f.method, round(f.expected, 6)) for f in days],
    }


def test_discovered_and_enforcement_driven_incidents_change_no_result_of_a_run(crowd, places):
    drugs = IncidentType.objects.create(code="drugs-x", name_en="Drugs", category="drugs", enforcement_sensitive=True)
    watched_run(crowd)
    before = results()
    assert before["hot spots"] and before["surfaces"]
    crowd(47.92, 29.35, n=30, origin="discovered", days_ago=(1, 45))
    crowd(47.93, 29.36, n=30, type=drugs, days_ago=(1, 45))
    PipelineRun.objects.filter(status="done").update(as_of=NIGHT - timedelta(seconds=1))
    done = pipeline.run_pipeline(trigger="manual", as_of=NIGHT)
    assert done.status == "done", done.error
    assert results() == before
