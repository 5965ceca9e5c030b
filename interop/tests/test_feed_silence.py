"""ALR-1: a feed that sends nothing is announced as the rules ask for it, once a mark, and once it is back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.models import Alert, AlertRule
from alerts.services.engine import hear
from alerts.tests.alerting import Alerting
from conftest import Cast, Places
from core.models import Event
from incidents.models import Source
from interop.models import Feed, InboxMessage, Kind, Partner
from interop.services import look_for_silence


@pytest.fixture
def feed(cast: Cast, places: Places) -> Feed:
    partner = Partner.objects.create(slug="ems", name="EMS", agency=cast.police, region=places.region, kinds=[Kind.EMS_CALL])
    source = Source.objects.create(slug="ems-ems-call", name="EMS calls", agency=cast.police, region=places.region)
    return Feed.objects.create(partner=partner, kind=Kind.EMS_CALL, source=source)


@pytest.fixture
def arrives(feed: Feed, cast: Cast) -> Callable[..., InboxMessage]:
    count = iter(range(1_000))

    def make(at: datetime) -> InboxMessage:
        return InboxMessage.objects.create(
            source=feed.source, kind=feed.kind, message_id=f"m{next(count)}", digest="", body={}, agency_id=cast.police.pk, received_at=at
        )

    return make


def said() -> list[tuple[str, Any]]:
    return list(Event.objects.filter(type__startswith="feed.").order_by("pk").values_list("type", "data__minutes"))


def test_a_feed_that_never_sent_anything_is_not_silent(feed: Feed) -> None:
    assert look_for_silence() == 0


def test_each_mark_is_told_once_and_the_return_once(feed: Feed, arrives: Callable[..., InboxMessage]) -> None:
    start = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
    arrives(start)
    assert look_for_silence(now=start + timedelta(minutes=29)) == 0
    assert look_for_silence(now=start + timedelta(minutes=31)) == 1
    assert look_for_silence(now=start + timedelta(minutes=32)) == 0
    assert look_for_silence(now=start + timedelta(minutes=121)) == 1
    arrives(start + timedelta(minutes=125))
    assert look_for_silence(now=start + timedelta(minutes=126)) == 1
    assert look_for_silence(now=start + timedelta(minutes=127)) == 0
    assert said() == [("feed.silent", 31), ("feed.silent", 121), ("feed.back", 120)]


def test_a_rule_is_told_after_its_own_minutes_and_its_alert_ends_when_the_feed_is_back(
    feed: Feed, arrives: Callable[..., InboxMessage], alerting: Alerting
) -> None:
    AlertRule.objects.create(
        code="silent", name_en="A feed is silent", name_ar="مصدر صامت", source="feed_silence", condition={"after_min": 7},
        levels={"medium": 7, "high": 45}, policy=alerting.policy, group_by=["subject"], state="active",
    )  # fmt: skip
    start = datetime.now(UTC) - timedelta(minutes=50)
    arrives(start)

    def after(minutes: int) -> None:
        look_for_silence(now=start + timedelta(minutes=minutes))
        hear(list(Event.objects.filter(type__startswith="feed.").order_by("pk")))

    after(6)
    assert not Alert.objects.exists()
    after(7)
    alert = Alert.objects.get()
    assert alert.level == "medium" and alert.title_en.startswith("A feed is silent: EMS · Ambulance call")
    after(45)
    alert.refresh_from_db()
    assert alert.level == "high" and Alert.objects.count() == 1
    arrives(start + timedelta(minutes=46))
    after(47)
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_because) == ("resolved", "recovery")


def test_a_rule_that_is_switched_on_begins_with_what_is_silent_already(
    feed: Feed, arrives: Callable[..., InboxMessage], alerting: Alerting
) -> None:
    arrives(datetime.now(UTC) - timedelta(days=2))
    look_for_silence()
    rule = AlertRule.objects.create(
        code="silent", name_en="A feed is silent", name_ar="مصدر صامت", source="feed_silence", condition={"after_min": 60},
        policy=alerting.policy, group_by=["subject"], state="active",
    )  # fmt: skip
    from core.events import publish

    event = publish("alert_rule.activated", subject=rule, data={"rule": rule.pk, "version": 1})
    event.refresh_from_db()
    hear([event])
    assert Alert.objects.filter(rule=rule).count() == 1


def test_a_feed_that_is_switched_off_is_nobodys_business(feed: Feed, arrives: Callable[..., InboxMessage]) -> None:
    arrives(datetime.now(UTC) - timedelta(days=2))
    Source.objects.filter(pk=feed.source_id).update(is_active=False)
    assert look_for_silence() == 0
