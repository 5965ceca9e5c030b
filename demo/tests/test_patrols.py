"""PAT-5, PAT-7: the demo's units report through the API, answer what they are sent to, and are sent as advised."""

from __future__ import annotations

import json
import random
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import User
from demo.desk import Desk
from demo.patrols import Patrols, change_crews, units_on_duty
from demo.planner import keep_planned
from demo.services.accounts import DESK, create_demo_accounts, create_simulator_desk, simulator_file
from demo.services.force import create_demo_force
from geography.models import Region
from geography.services.gazetteer import load_gazetteer
from incidents.models import Incident, IncidentType, Source
from incidents.services import open_incident
from incidents.services.vocabulary import ensure_vocabulary
from patrol.models import Assignment, Duty, Plan, Position, UnitPosition

pytestmark = pytest.mark.django_db


class Door:
    """httpx's ``post`` over Django's test client."""

    def post(self, url, *, headers, json):
        return Client().post(url, json, content_type="application/json", headers=headers)


class DeskDoor:
    """The API as the desk's own person, over Django's test client."""

    def __init__(self):
        self.client = Client()
        self.client.force_login(User.objects.get(username=DESK), backend="django.contrib.auth.backends.ModelBackend")

    def post(self, path, told):
        return self.client.post(path, told, content_type="application/json")


@pytest.fixture
def fleet(db, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    ensure_vocabulary()
    load_gazetteer()
    create_demo_accounts()
    assert create_simulator_desk() and not create_simulator_desk()
    create_demo_force(region=Region.objects.get(is_default=True))
    return Patrols(base_url="http://none", rng=random.Random(1))


def test_every_unit_on_duty_reports_through_the_api(fleet):
    units = units_on_duty()
    fleet.drive(units, [])
    taken = fleet.report(Door(), json.loads(simulator_file().read_text()), units)
    assert taken == len(units) >= 34
    assert UnitPosition.objects.count() + Position.objects.exclude(doubt="").count() >= len(units)
    assert set(Position.objects.values_list("source", flat=True)) == {"simulator"}


def test_the_desk_sends_the_advised_unit_and_the_crew_brings_it_to_its_end(fleet):
    units = units_on_duty()
    fleet.drive(units, [])
    fleet.report(Door(), json.loads(simulator_file().read_text()), units)
    station = units[0].station.location
    source = Source.objects.create(slug="sim", name="112", agency=units[0].agency, region=Region.objects.get(is_default=True))
    incident = open_incident(
        source=source,
        type=IncidentType.objects.get(code="burglary"),
        occurred_at=timezone.now() - timedelta(minutes=2),
        kind="moi-incident",
        raw={},
        by=None,
        external_id="1",
        location=station,
    ).incident
    Incident.objects.filter(pk=incident.pk).update(is_synthetic=True)
    desk = Desk(DeskDoor())
    assert desk.dispatch_what_waits() == 1
    assignment = Assignment.objects.get(incident=incident)
    assert assignment.recommendation_id is not None and assignment.override_reason == ""
    assert assignment.assigned_by == User.objects.get(username=DESK)
    for following in ("accepted", "en_route", "on_scene", "done"):
        (sent,) = desk.open_assignments()
        assert desk.move(sent, following)
    incident.refresh_from_db()
    assert incident.state == "closed" and incident.on_scene_at is not None
    assert desk.open_assignments() == [] and desk.dispatch_what_waits() == 0


def test_at_the_shifts_end_the_next_crews_come_and_the_last_go(fleet):
    here = set(Duty.objects.open().filter(member__user=None).values_list("member", flat=True))
    later = max(Duty.objects.open().exclude(roster_entry=None).values_list("expected_until", flat=True)) + timedelta(minutes=1)
    Duty.objects.open().filter(member__user=None).update(started_at=timezone.now() - timedelta(hours=8))
    with time_machine.travel(later, tick=False):
        assert change_crews(now=timezone.now()) > 60
        now_here = set(Duty.objects.open().filter(member__user=None).values_list("member", flat=True))
    assert len(now_here) > 60 and not now_here & here


def test_nothing_is_planned_where_no_risk_is_published(fleet):
    keep_planned(now=timezone.now())
    assert not Plan.objects.filter(state="published").exists()
