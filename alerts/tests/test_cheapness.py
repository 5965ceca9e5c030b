"""ALR-2, ALR-5: what a step and a message cost the database, pinned, so that fifty alerts a second stay within two cores."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.models import AlertLog, Delivery, DeliveryAttempt, EscalationPolicy, EscalationRun, Page, PolicyStep, StepRun
from alerts.services.delivery import send_due
from alerts.services.escalation import start_run
from alerts.services.escalation.running import run_due
from alerts.tests.senders import Scripted
from core.models import Event

pytestmark = pytest.mark.django_db
TEN = 10


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def ten_due(alerting, fire, cast, now):
    """Ten alerts whose first step, the dispatcher, is due."""
    policy = EscalationPolicy.objects.create(code="ten", name_en="Ten", name_ar="عشرة", agency=cast.police)
    PolicyStep.objects.create(policy=policy, position=1, kind="person", user=cast.dispatcher, wait_s=60, also_off_duty=True)
    PolicyStep.objects.create(policy=policy, position=2, kind="person", user=cast.supervisor, wait_s=60, also_off_duty=True)
    return [start_run(alert=fire(), policy=policy, now=now) for _number in range(TEN)]


def test_ten_steps_that_page_the_same_person_are_two_statements_each(ten_due, now, cast):
    Event.objects.all().delete()
    with CaptureQueriesContext(connection) as asked:
        assert run_due(limit=TEN, now=now) == TEN
    assert len(asked) <= 21, "\n".join(query["sql"][:150] for query in asked.captured_queries)
    assert StepRun.objects.filter(outcome="done", reached=1, facts__users=[cast.dispatcher.pk]).count() == TEN
    assert Page.objects.filter(user=cast.dispatcher, rung_no=2).values("code").distinct().count() == TEN
    assert Delivery.objects.filter(channel="sms", state="pending").exclude(body="").count() == TEN
    assert AlertLog.objects.filter(kind="step").count() == TEN
    assert sorted(Event.objects.values_list("type", flat=True)) == ["alert.delivery"] * TEN + ["alert.paged"] * TEN
    assert {run.step_no for run in EscalationRun.objects.all()} == {1}


def test_each_of_a_batch_is_told_of_its_own_alert(ten_due, now):
    run_due(limit=TEN, now=now)
    for row in StepRun.objects.select_related("run"):
        page = row.pages.get()
        assert page.alert_id == row.run.alert_id
        assert {delivery.alert_id for delivery in page.deliveries.all()} == {page.alert_id}
        assert AlertLog.objects.get(kind="step", facts__step_run=row.pk).alert_id == page.alert_id


def test_one_step_that_the_database_refuses_takes_no_other_of_its_batch_with_it(ten_due, now):
    broken = ten_due[3]
    broken.snapshot["steps"][0]["importance"] = "longer than its column"
    broken.save(update_fields=["snapshot"])
    assert run_due(limit=TEN, now=now) == TEN
    assert StepRun.objects.filter(outcome="done").count() == Page.objects.count() == TEN - 1
    assert not StepRun.objects.filter(run=broken).exists() and not Page.objects.filter(alert=broken.alert_id).exists()
    broken.refresh_from_db()
    assert broken.failures == 1 and broken.step_no == 0


def test_ten_messages_are_less_than_twelve_statements_each(ten_due, now):
    run_due(limit=TEN, now=now)
    with CaptureQueriesContext(connection) as asked:
        assert send_due(limit=TEN, now=now, sender_of=Scripted()) == TEN
    assert len(asked) <= 116, "\n".join(query["sql"][:150] for query in asked.captured_queries)
    assert Delivery.objects.filter(channel="sms", state="sent", attempts=1, provider="scripted").count() == TEN
    assert DeliveryAttempt.objects.filter(outcome="accepted", number=1).count() == TEN


def test_what_hands_over_looks_at_the_delivery_s_own_row_and_not_at_a_list_of_rows(ten_due, now):
    """``WHERE id IN (SELECT …)`` would not look again at a row that an acknowledgement held meanwhile."""
    run_due(limit=1, now=now)
    with CaptureQueriesContext(connection) as asked:
        send_due(limit=1, now=now, sender_of=Scripted())
    hand = next(query["sql"] for query in asked.captured_queries if "'sending', \"attempts\"" in query["sql"])
    assert " IN (SELECT" not in hand and hand.count("EXISTS") == 2
