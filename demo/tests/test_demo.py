"""OPS-1: the demo's accounts, its two years and its simulator are honest, private, and made once."""

from __future__ import annotations

import json
import random
import stat
from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from django.db.models import F
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from demo.generator import KINDS
from demo.services.accounts import accounts_file, create_demo_accounts, simulator_file
from demo.services.history import seed_history
from demo.simulation import NEXT, Simulator, message, message_kind
from incidents.lifecycle import FINAL, State
from incidents.models import Incident, IncidentLog, IncidentType, Report
from incidents.services.vocabulary import ensure_vocabulary


@pytest.fixture
def demo(places, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    ensure_vocabulary()
    return places


def test_one_account_a_role_and_one_partner_key_with_secrets_only_their_owner_reads(demo):
    assert create_demo_accounts()
    listed = json.loads(accounts_file().read_text())
    assert [entry["role"] for entry in listed] == list(Role.values)
    for path in (accounts_file(), simulator_file()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for entry in listed[:-1]:
        request = RequestFactory().post("/sign-in/")
        user = authenticate(request, username=entry["username"], password=entry["password"])
        assert user is not None and user.role == entry["role"]
    assert len({entry.get("password") or entry["api_key"] for entry in listed}) == len(listed)


def test_accounts_are_made_once_and_people_who_are_there_are_left_alone(demo):
    create_demo_accounts()
    before = accounts_file().read_text()
    User.objects.filter(username="officer").update(full_name="Somebody real")
    assert not create_demo_accounts()
    assert accounts_file().read_text() == before and User.objects.get(username="officer").full_name == "Somebody real"


def test_the_history_is_synthetic_in_order_in_its_zones_and_made_once(demo):
    stored = seed_history(region=demo.region, count=600)
    incidents = Incident.objects.all()
    assert stored == incidents.count() == Report.objects.count() > 400
    assert not incidents.filter(is_synthetic=False).exists() and not incidents.filter(area=None).exists()
    assert not incidents.filter(reported_at__lt=F("occurred_at")).exists()
    assert not incidents.filter(closed_at__gt=timezone.now()).exists()
    assert not incidents.filter(state__in=FINAL, closed_at=None).exists()
    assert not incidents.filter(state=State.CLOSED, disposition="").exists()
    last = {entry.incident_id: entry.to_state for entry in IncidentLog.objects.order_by("id")}
    assert last == dict(incidents.values_list("pk", "state"))
    assert list(incidents.order_by("id").values_list("reported_at", flat=True)) == sorted(incidents.values_list("reported_at", flat=True))
    assert seed_history(region=demo.region, count=600) == 0


def test_every_message_of_the_simulator_is_taken_by_the_api_and_marked_synthetic(demo, client):
    create_demo_accounts()
    keys = json.loads(simulator_file().read_text())
    for kind in KINDS:
        of = IncidentType.objects.select_related("agency").get(code=kind.code)
        assert of.agency is not None
        body = message(of, 47.92, 29.35, is_discovered=False, now=timezone.now(), rng=random.Random(1))
        answer = client.post(
            f"/api/v1/ingest/{message_kind(of)}", body, content_type="application/json", headers={"X-API-Key": keys[of.agency.slug]}
        )
        assert answer.status_code == 201, (kind.code, answer.content)
        opened = Incident.objects.latest("id")
        assert opened.type == of and opened.is_synthetic and opened.area == demo.salmiya


def test_the_crews_work_incidents_off_to_the_end(demo, report):
    incident = report(is_synthetic=True)
    ours = report()
    crews = Simulator(base_url="http://unused.invalid", per_minute=60, rng=random.Random(3))
    for _ in NEXT:
        Incident.objects.update(changed_at=timezone.now() - timedelta(days=9))
        crews.work_off()
    incident.refresh_from_db()
    assert incident.state == State.CLOSED and incident.disposition
    ours.refresh_from_db()
    assert ours.state == State.RECEIVED, "nobody touches what is not synthetic"
