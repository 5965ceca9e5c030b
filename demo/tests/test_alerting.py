"""ALR-1, ALR-2: the demo's alerts have somebody to reach, rules that two people switched on, and a desk that answers."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Agency, User
from alerts.models import Alert, AlertRule, AlertState, Contact, OnCallSchedule
from alerts.services.delivery import ensure_default_templates
from alerts.services.escalation.seeds import seed_policies
from alerts.services.oncall import on_call_now, problems
from alerts.services.rules.seeds import ensure_periods, ensure_rules
from demo.services.accounts import create_demo_accounts, create_simulator_desk
from demo.services.alerting import SCHEDULE, create_demo_alerting, switch_on_demo_rules
from demo.tests.test_patrols import DeskDoor
from demo.watch import Watch, answered_after_s
from geography.models import Region
from geography.services.gazetteer import load_gazetteer
from incidents.services.vocabulary import ensure_vocabulary

pytestmark = pytest.mark.django_db


@pytest.fixture
def alerting_demo(db, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    ensure_vocabulary()
    load_gazetteer()
    seed_policies()
    ensure_default_templates()
    ensure_periods()
    ensure_rules()
    create_demo_accounts()
    create_simulator_desk()
    region = Region.objects.get(is_default=True)
    assert create_demo_alerting(region=region)
    assert not create_demo_alerting(region=region)


def test_somebody_is_on_call_every_governorate_has_a_room_and_nothing_is_amiss(alerting_demo):
    schedule = OnCallSchedule.objects.get(code=SCHEDULE)
    assert len(on_call_now(schedule_id=schedule.pk)) == 1
    assert problems(schedule=schedule) == []
    rooms = Contact.objects.filter(kind=Contact.Kind.OPERATIONS_ROOM)
    assert rooms.exclude(governorate=None).count() == 6
    assert not rooms.filter(is_synthetic=False).exists()
    assert User.objects.filter(username__startswith="demo-duty-officer-", is_active=True).count() == 3


def test_the_products_rules_are_switched_on_by_a_second_person_who_has_their_replay(alerting_demo):
    waiting = AlertRule.objects.filter(state=AlertRule.State.WAITING).count()
    assert waiting
    assert switch_on_demo_rules() == waiting
    for rule in AlertRule.objects.filter(state=AlertRule.State.ACTIVE):
        assert rule.activated_by.username == "superadmin" and rule.submitted_by is None
        assert rule.replays.filter(version=rule.version).exists()


def alert(**given):
    now = timezone.now()
    details = {
        "key": uuid4(), "kind": Alert.Kind.MANUAL, "fingerprint": uuid4().hex, "level": "high", "title_en": "Smoke", "title_ar": "دخان",
        "agency": Agency.objects.get(slug="police"), "caused_at": now, "last_seen_at": now, "resolve_due_at": now + timedelta(days=1),
    }  # fmt: skip
    return Alert.objects.create(**{**details, **given})


def test_the_desk_answers_and_ends_synthetic_alerts_and_leaves_real_ones(alerting_demo):
    now = timezone.now()
    long_ago = now - timedelta(hours=2)
    ours, real, fresh = alert(is_synthetic=True, opened_at=long_ago), alert(opened_at=long_ago), alert(is_synthetic=True, opened_at=now)
    watch = Watch(DeskDoor())
    assert answered_after_s(fresh.pk) > 0 and watch.look(now=now) == 1
    ours.refresh_from_db()
    assert ours.state == AlertState.ACKNOWLEDGED
    assert watch.look(now=now + timedelta(hours=2)) == 2  # the fresh one is answered, the first is ended
    assert set(Alert.objects.filter(pk__in=[ours.pk, fresh.pk]).values_list("state", flat=True)) == {"resolved", "acknowledged"}
    real.refresh_from_db()
    assert real.state == AlertState.FIRING
