"""CMD-1, ACC-1: every screen of every model in the command centre, as each role that enters, and the doors that stay shut."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.gis.geos import Polygon
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role, admin_actions
from alerts.tests.alert_rows import rows_of_alerts
from alerts.tests.alerting import rows_of_escalation
from alerts.tests.authoring import rows_of_authoring
from alerts.tests.delivery_rows import rows_of_delivery
from alerts.tests.oncall_rows import rows_of_oncall
from alerts.tests.quiet_rows import rows_of_quiet
from alerts.tests.words import rows_of_channels
from core.models import EventCursor
from incidents.models import (
    Forecast,
    HotSpot,
    HotSpotTrack,
    ImportRun,
    NearRepeat,
    PipelineRun,
    PipelineStep,
    RejectedRow,
    SeverityMapping,
    Surface,
    TypeMapping,
)
from incidents.tests.issued import rows_of_trust
from interop.models import CapMessage, InboxRepeat, WebhookAttempt, WebhookSecret
from interop.tests.calls import rows_of_calls
from interop.tests.inbound_rows import rows_of_inbound
from interop.tests.sharing_rows import rows_of_sharing
from interop.tests.webhooks.rows import rows_of_webhooks
from iot.models import Reading, RollupDay, RollupHour, RollupMinute
from iot.tests.sensing import rows_of_sensors
from iot.tests.watching import rows_of_places
from patrol.models import Position, RoadClosure, RoadNetwork
from patrol.tests.dispatch import rows_of_dispatch
from patrol.tests.force import rows_of_force
from patrol.tests.measured import rows_of_measure
from patrol.tests.planning import rows_of_planning
from patrol.tests.positions import rows_of_positions
from patrol.tests.safety import rows_of_safety

SITE = admin.site
ROLES_INSIDE = ["root", "supervisor", "analyst", "auditor"]
OURS = ["core", "geography", "accounts", "incidents", "iot", "patrol", "alerts", "interop"]
# A screen may ask the database this often, however many rows it shows: session and person included.
LIST_QUERIES = 14


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def one_of_each(cast, places, report, burglary, police_112, force, alerting, fire):
    """A row in every table of the domain, inside the jurisdiction of the cast's police."""
    incident = report()
    run = PipelineRun.objects.create(key="night-1", as_of=datetime.now(UTC), status="done", seconds=3.2, counts={"hot_spots": 1})
    PipelineStep.objects.create(run=run, name="hotspots:kw", status="done", counts={"hot_spots": 1})
    track = HotSpotTrack.objects.create(region=places.region, born_at=run.as_of, last_seen_at=run.as_of)
    HotSpot.objects.create(
        run=run,
        track=track,
        change="born",
        previous_counts=[3, None],
        q_value=0.01,
        region=places.region,
        governorate=places.hawalli,
        area=places.salmiya,
        rank=1,
        hull=Polygon.from_bbox((47.91, 29.34, 47.92, 29.35)),
        centre=places.in_salmiya,
        incident_count=12,
        area_km2=0.3,
        density_per_km2=40,
        severity_score=1,
        window_from=datetime.now(UTC) - timedelta(days=30),
        window_to=datetime.now(UTC),
        is_current=True,
    )
    Forecast.objects.create(
        run=run,
        region=places.region,
        zone=places.hawalli,
        day="2026-11-22",
        expected=3,
        low=1,
        high=5,
        method="prophet",
        history_days=700,
        is_current=True,
    )
    rows_of_channels(cast)
    rows_of_escalation(alerting, fire)
    rows_of_trust(run, places, cast)
    issued = {"run": run, "region": places.region, "learnt_from": datetime.now(UTC), "learnt_to": datetime.now(UTC), "is_current": True}
    Surface.objects.create(
        **issued,
        kind="gi_star",
        model="gi_star",
        srid=32638,
        origin_x_m=0,
        origin_y_m=0,
        cell_m=250,
        columns=[3156, 3157],
        rows=[12991, 12991],
        values=[4.2, 0.1],
        classes=[3, 0],
        governorate_ids=[places.hawalli.pk] * 2,
        area_ids=[places.salmiya.pk] * 2,
        part_names=["q"],
        parts=[0.001, 0.9],
    )
    NearRepeat.objects.create(
        **issued,
        governorate=places.hawalli,
        category="property",
        within_m=200,
        within_days=14,
        incident_count=90,
        observed_pairs=30,
        expected_pairs=20,
        ratio=1.5,
        p_value=0.01,
        q_value=0.03,
        is_significant=True,
        permutations=999,
        seed=1,
        bands=[{"from_m": 0, "to_m": 200, "from_days": 0, "to_days": 14, "observed": 30, "expected": 20.0, "ratio": 1.5, "p": 0.01}],
    )
    imported = ImportRun.objects.create(source=police_112, file_name="november.csv", status="done", read=3, accepted=2, rejected=1)
    RejectedRow.objects.create(
        source=police_112,
        import_run=imported,
        row_number=3,
        status="quarantined",
        errors=[{"field": "lon", "code": "range", "message": "?"}],
        raw={"lon": "999"},
    )
    TypeMapping.objects.create(source=police_112, word="break in", type=burglary)
    SeverityMapping.objects.create(source=police_112, word="very bad", severity=4)
    EventCursor.objects.create(name="live")
    rows_of_safety(cast, force, places)
    rows_of_measure(places, cast, force)
    rows_of_dispatch(cast, force, incident)
    rows_of_positions(cast, force, places)
    rows_of_planning(cast, force, places)
    _roads(places)
    rows_of_force(places, cast)
    rows_of_oncall(cast, alerting)
    rows_of_delivery(cast, fire)
    rows_of_alerts(cast, places, incident)
    rows_of_authoring(cast)
    rows_of_quiet(cast, alerting)
    rows_of_inbound(cast, places, police_112, incident, report())
    rows_of_webhooks(cast, places)
    rows_of_calls(cast, places)
    rows_of_sharing(cast, incident)
    rows_of_places(rows_of_sensors(cast, places))
    return incident


def _roads(places):
    RoadNetwork.objects.create(
        region=places.region, source_name="town.osm.pbf", sha256="0" * 64, node_count=2, edge_count=2, facts={"ways": 1}, graph=b"-"
    )
    now = datetime.now(UTC)
    RoadClosure.objects.create(
        region=places.region,
        governorate=places.hawalli,
        name="Works",
        centre=places.in_salmiya,
        starts_at=now,
        ends_at=now + timedelta(hours=2),
    )


def screens():
    return sorted(SITE._registry, key=lambda model: model._meta.label_lower)


def ids(model):
    return model._meta.label_lower


# The scene takes longer than a model's screens do: a dozen models are walked in one, each as a test of its own within the test.
A_SCENE_SERVES = 12


def parts():
    models = screens()
    return [models[first : first + A_SCENE_SERVES] for first in range(0, len(models), A_SCENE_SERVES)]


def part_ids(models):
    return f"{ids(models[0])}..{ids(models[-1])}"


@contextmanager
def undone():
    """What is done meanwhile is taken back: the next model finds the scene as it was made."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_every_model_of_ours_has_its_screens():
    ours = {model for label in OURS for model in apps.get_app_config(label).get_models()}
    # A position has two keys and its table a part a day: Django's admin can show neither. Its track has a page of its own.
    # A webhook's secrets are seen by nobody again, its attempts on the page of their delivery; a repeat is a mark for the hours' count.
    # Readings and their roll-ups are tables of two keys too: the newest are on the page of their device.
    # A CAP message is on the page of the inbox message it came in.
    shown_elsewhere = {CapMessage, InboxRepeat, Position, WebhookAttempt, WebhookSecret}
    shown_elsewhere |= {Reading, RollupMinute, RollupHour, RollupDay}
    assert not {model._meta.label for model in ours - set(SITE._registry) - shown_elsewhere}


@pytest.mark.parametrize("models", parts(), ids=part_ids)
def test_every_screen_answers_each_role_as_the_table_says(models, cast, one_of_each, subtests):
    for model in models:
        with subtests.test(ids(model)), undone():
            _answers_each_role(model, cast)


def _answers_each_role(model, cast):
    options = model._meta
    base = f"admin:{options.app_label}_{options.model_name}"
    screen = SITE._registry[model]
    for name in ROLES_INSIDE:
        person = cast.superadmin if name == "root" else getattr(cast, name)
        client = enter(person)
        allowed = admin_actions(person.role, options.label_lower)
        listing = reverse(f"{base}_changelist")
        assert client.get(listing).status_code == (200 if "view" in allowed else 403), name
        if "view" not in allowed:
            continue
        if screen.search_fields:
            assert client.get(listing, {"q": "سالمية KW-26-1 'x"}).status_code == 200
        for spec in screen.list_filter:
            for parameter, value in _values_of(spec, screen, client, listing):
                assert client.get(listing, {parameter: value}).status_code == 200, (parameter, value)
        request_able = screen.has_add_permission(_request(person)) if "add" in allowed else False
        assert client.get(reverse(f"{base}_add")).status_code == (200 if request_able else 403), name
        row = screen.get_queryset(_request(person)).first()
        if row is None:
            continue
        assert client.get(reverse(f"{base}_change", args=[row.pk])).status_code == 200
        assert client.get(reverse(f"{base}_history", args=[row.pk])).status_code == 200
        may_remove = "delete" in allowed and screen.has_delete_permission(_request(person), row)
        assert client.get(reverse(f"{base}_delete", args=[row.pk])).status_code == (200 if may_remove else 403)


def _request(person):
    from django.test import RequestFactory

    request = RequestFactory().get("/admin/")
    request.user = person
    return request


def _values_of(spec: Any, screen: Any, client: Any, listing: str) -> list[tuple[str, str]]:
    if not isinstance(spec, str):
        made = spec(_request_of(client), {}, screen.model, screen)
        return [(spec.parameter_name, str(value)) for value, _label in made.lookup_choices][:3]
    field = screen.model._meta.get_field(spec.split("__")[0])
    if field.is_relation:
        return []
    if field.choices:
        return [(f"{spec}__exact", field.choices[0][0])]
    return [(f"{spec}__exact", "1")] if field.get_internal_type() == "BooleanField" else []


def _request_of(client):
    from accounts.models import User

    return _request(User.objects.get(pk=client.session["_auth_user_id"]))


@pytest.mark.parametrize("models", parts(), ids=part_ids)
def test_a_list_asks_the_database_no_more_for_more_rows(models, cast, one_of_each, report, settings, subtests):
    for model in models:
        with subtests.test(ids(model)), undone():
            _asks_no_more_for_more_rows(model, cast, report, settings)


def _asks_no_more_for_more_rows(model, cast, report, settings):
    # What every page's frame asks at most twice a minute is kept here, where no other test process can clear it.
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": f"walk-{ids(model)}"}}
    client = enter(cast.superadmin)
    listing = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    client.get(listing)
    with CaptureQueriesContext(connection) as few:
        client.get(listing)
    for number in range(3):
        report(external_id=f"more-{number}")
    with CaptureQueriesContext(connection) as more:
        client.get(listing)
    assert len(more) == len(few), [q["sql"][:200] for q in more]
    assert len(few) <= LIST_QUERIES, [q["sql"][:200] for q in few]


@pytest.mark.parametrize("name", ["dispatcher", "officer", "stranger", "firefighter"])
def test_who_works_the_board_does_not_enter_the_command_centre(name, cast):
    answer = enter(getattr(cast, name)).get("/admin/")
    assert answer.status_code in {302, 403}
    assert enter(getattr(cast, name)).get(reverse("admin:incidents_incident_changelist")).status_code in {302, 403}


def test_nobody_enters_without_signing_in(db):
    assert Client().get("/admin/").status_code == 302


def test_an_id_that_is_not_there_is_404(cast):
    client = enter(cast.superadmin)
    for model in screens():
        for screen in ("change", "history", "delete"):
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{screen}", args=["999999999"])
            assert client.get(address).status_code in ({404} if screen != "delete" else {403, 404}), address


def test_the_rows_of_another_governorate_are_404_for_the_supervisor(cast, places, report):
    theirs = report(location=places.in_sharq)
    client = enter(cast.supervisor)
    assert client.get(reverse("admin:incidents_incident_change", args=[theirs.pk])).status_code == 404
    assert client.get(reverse("admin:incidents_incident_history", args=[theirs.pk])).status_code == 404
    assert theirs.ref not in client.get(reverse("admin:incidents_incident_changelist")).content.decode()
    found = client.get(reverse("admin:incidents_incident_changelist"), {"q": theirs.ref})
    assert not found.context["cl"].result_list
    log = theirs.log.get()
    assert client.get(reverse("admin:incidents_incidentlog_change", args=[log.pk])).status_code == 404
    assert client.get(reverse("admin:incidents_report_change", args=[theirs.reports.get().pk])).status_code == 404


def test_autocompletion_stays_inside_the_jurisdiction(cast, places, police_112):
    from incidents.models import Source

    Source.objects.create(slug="fire-cad", name="112 of the fire service", agency=cast.fire, region=places.region)
    answer = enter(cast.supervisor).get(
        reverse("admin:autocomplete"), {"app_label": "incidents", "model_name": "typemapping", "field_name": "source", "term": "112"}
    )
    assert [row["text"] for row in answer.json()["results"]] == ["112"]


def test_a_foreign_source_cannot_be_posted_by_its_id(cast, places, burglary):
    from incidents.models import Source

    foreign = Source.objects.create(slug="fire-cad", name="Fire", agency=cast.fire, region=places.region)
    answer = enter(cast.supervisor).post(
        reverse("admin:incidents_typemapping_add"), {"source": foreign.pk, "word": "x", "type": burglary.pk}
    )
    assert answer.status_code == 200 and not TypeMapping.objects.exists()


def test_the_auditor_reads_and_writes_nothing(cast, one_of_each):
    for model in screens():
        assert admin_actions(Role.AUDITOR, model._meta.label_lower) <= {"view"}
