"""ALR-3: by what a person is told, in which order: their own rules, quiet hours, the policy's ladder; never nobody."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.models import Channel, ContactMethod, Importance, NotificationRule, Preferences, PushSubscription
from alerts.services.people import is_reachable, quiet_until, rungs_for, unreachable

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=ZoneInfo("Asia/Kuwait"))
NIGHT = datetime(2026, 11, 20, 23, 0, tzinfo=ZoneInfo("Asia/Kuwait"))


def ladder(**given: Any) -> list[tuple[str, int]]:
    return [(rung.channel, rung.wait_s) for rung in rungs_for(at=given.pop("at", NOON), **given)]


def address(user: Any, channel: str, text: str, *, is_proved: bool = True) -> ContactMethod:
    return ContactMethod.objects.create(user=user, channel=channel, address=text, verified_at=NOON if is_proved else None)


def test_the_screen_comes_at_once_then_the_persons_own_rules(alerting: Any, cast: Any) -> None:
    assert ladder(user=cast.supervisor) == [("in_app", 0), ("email", 60), ("sms", 60)]


def test_important_rules_of_their_own_go_before_the_default_ones(alerting: Any, cast: Any) -> None:
    NotificationRule.objects.create(user=cast.supervisor, importance=Importance.IMPORTANT, position=0, channel=Channel.SMS, wait_s=15)
    assert ladder(user=cast.supervisor, importance=Importance.IMPORTANT) == [("in_app", 0), ("sms", 15)]
    assert ladder(user=cast.dispatcher, importance=Importance.IMPORTANT) == [("in_app", 0), ("sms", 60)]


def test_somebody_without_any_address_still_has_the_screen_and_is_not_reachable(alerting: Any, cast: Any) -> None:
    assert ladder(user=cast.officer) == [("in_app", 0)]
    assert not is_reachable(cast.officer)
    assert unreachable([cast.officer.pk, cast.supervisor.pk]) == {cast.officer.pk}


def test_an_address_that_was_not_proved_or_is_switched_off_is_no_way(alerting: Any, cast: Any) -> None:
    address(cast.officer, Channel.SMS, "+96550000077", is_proved=False)
    ContactMethod.objects.filter(user=cast.dispatcher).update(is_active=False)
    assert not is_reachable(cast.officer)
    assert not is_reachable(cast.dispatcher)
    assert ladder(user=cast.dispatcher) == [("in_app", 0)]


def test_without_rules_of_their_own_the_policys_ladder_counts_and_then_every_address(alerting: Any, cast: Any) -> None:
    address(cast.officer, Channel.SMS, "+96550000077")
    address(cast.officer, Channel.VOICE, "+96550000077")
    policy = [{"channel": "voice", "wait_s": 20}, {"channel": "slack", "wait_s": 5}]
    assert ladder(user=cast.officer, policy_ladder=policy) == [("in_app", 0), ("voice", 20)]
    assert ladder(user=cast.officer, policy_ladder=[{"channel": "slack"}]) == [("in_app", 0), ("sms", 60), ("voice", 60)]


def test_rules_for_channels_that_lead_nowhere_do_not_lose_the_person(alerting: Any, cast: Any) -> None:
    ContactMethod.objects.filter(user=cast.supervisor, channel__in=["email", "sms"]).delete()
    address(cast.supervisor, Channel.VOICE, "+96550000001")
    assert ladder(user=cast.supervisor) == [("in_app", 0), ("voice", 60)]


def test_a_step_may_choose_the_channels_but_not_leave_a_person_with_none(alerting: Any, cast: Any) -> None:
    assert ladder(user=cast.supervisor, channels=["sms"]) == [("in_app", 0), ("sms", 60)]
    assert ladder(user=cast.supervisor, channels=["slack"]) == [("in_app", 0), ("email", 60), ("sms", 60)]
    assert ladder(user=cast.supervisor, channels=["in_app"]) == [("in_app", 60)]


def test_several_addresses_of_a_channel_are_told_together(alerting: Any, cast: Any) -> None:
    address(cast.dispatcher, Channel.SMS, "+96550000088")
    assert ladder(user=cast.dispatcher) == [("in_app", 0), ("sms", 0), ("sms", 60)]


def test_a_browser_that_takes_push_is_a_way_until_it_is_gone(alerting: Any, cast: Any) -> None:
    browser = PushSubscription.objects.create(user=cast.officer, endpoint="https://push.example.org/1", p256dh="p", auth="a")
    assert is_reachable(cast.officer)
    rungs = rungs_for(user=cast.officer, at=NOON)
    assert [(rung.channel, rung.subscription_id) for rung in rungs] == [("in_app", None), ("push", browser.pk)]
    PushSubscription.objects.update(gone_at=NOON)
    assert not is_reachable(cast.officer)


def test_a_contact_has_no_screen_and_its_address_counts_as_its_manager_set_it(alerting: Any) -> None:
    alerting.room.methods.update(verified_at=None)
    assert ladder(contact=alerting.room) == [("sms", 60)]
    assert is_reachable(alerting.room)
    alerting.room.is_active = False
    assert not is_reachable(alerting.room)


def test_a_closed_account_is_not_reachable(alerting: Any, cast: Any) -> None:
    cast.supervisor.is_active = False
    assert not is_reachable(cast.supervisor)


@pytest.mark.parametrize(
    ("quiet_from", "quiet_to", "at", "until"),
    [
        (time(22), time(6), NIGHT, NIGHT + timedelta(hours=7)),
        (time(22), time(6), NIGHT + timedelta(hours=6, minutes=59), NIGHT + timedelta(hours=7)),
        (time(22), time(6), NIGHT + timedelta(hours=7), None),
        (time(11), time(14), NOON, NOON + timedelta(hours=2)),
        (time(13), time(14), NOON, None),
        (time(12), time(12), NOON, None),
        (None, None, NOON, None),
    ],
)
def test_quiet_hours_may_cross_midnight(cast: Any, quiet_from: Any, quiet_to: Any, at: datetime, until: datetime | None) -> None:
    Preferences.objects.create(user=cast.officer, quiet_from=quiet_from, quiet_to=quiet_to)
    assert quiet_until(user=cast.officer, critical=False, at=at) == until
    assert quiet_until(user=cast.officer, critical=False, at=at.astimezone(UTC)) == until
    assert quiet_until(user=cast.officer, critical=True, at=at) is None


def test_in_quiet_hours_what_rings_waits_behind_what_is_silent_unless_it_is_critical(alerting: Any, cast: Any) -> None:
    Preferences.objects.create(user=cast.supervisor, quiet_from=time(22), quiet_to=time(6))
    assert ladder(user=cast.supervisor, at=NIGHT) == [("in_app", 0), ("email", 7 * 3600), ("sms", 60)]
    assert ladder(user=cast.supervisor, at=NIGHT, critical=True) == [("in_app", 0), ("email", 60), ("sms", 60)]
