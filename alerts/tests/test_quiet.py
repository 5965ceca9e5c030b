"""ALR-4: what is quiet stays quiet for as long as it was said, and what is still wrong then fires again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.analytics.matching import matches
from alerts.models import Alert, EscalationRun, Inhibition, Silence
from alerts.services import alerts
from alerts.tests.alerting import Alerting
from alerts.tests.test_alert_life import going, opened
from conftest import Cast, Places
from core.errors import Conflict, Invalid, NotAllowed, NotFound

IN_SALMIYA = [{"field": "zone", "is": "T-SAL"}]


def soon(**span: float) -> datetime:
    return datetime.now(UTC) + timedelta(**span)


@pytest.fixture(autouse=True)
def _holds(monkeypatch: pytest.MonkeyPatch, alerting: Alerting) -> None:
    """The rule's alerts hold: its source is an event with no way to be over."""
    type(alerting.rule).objects.filter(pk=alerting.rule.pk).update(source="event", condition={"types": ["incident.opened"]}, levels={})


@pytest.mark.parametrize(
    ("matchers", "is_matched"),
    [
        ([{"field": "zone", "is": "t-sal"}], True),
        ([{"field": "zone", "in": ["X", "T-SAL"]}, {"field": "level", "not": "critical"}], True),
        ([{"field": "zone", "is": "T-SAL"}, {"field": "level", "is": "critical"}], False),
        ([{"field": "zone", "like": "T-*"}], True),
        ([{"field": "zone", "like": "*"}], True),
        ([{"field": "category", "is": ""}], True),
        ([{"field": "colour", "is": "red"}], False),
        ([{"field": "zone", "matches": ".*"}], False),
        ([{"field": "zone", "not": ["T-SAL"]}], False),
        ([], False),
    ],
)
def test_matchers_say_what_they_match(matchers: list[dict[str, Any]], is_matched: bool) -> None:
    assert matches(matchers, {"zone": "T-SAL", "level": "low"}) is is_matched


# --- silences ------------------------------------------------------------------------------------


def test_a_silence_hushes_what_fires_and_when_it_ends_it_fires_again(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    silence = alerts.make_silence(by=cast.supervisor, matchers=IN_SALMIYA, ends_at=soon(hours=2), reason="an exercise")
    assert silence.agency == cast.police and silence.governorate == places.hawalli
    alert.refresh_from_db()
    assert alert.silenced_by == silence and going(alert) == 0 and alert.state == "firing"
    assert "refired" not in alerts.look_after(now=soon(hours=1))
    assert alerts.look_after(now=soon(hours=2, seconds=1))["refired"] == 1
    alert.refresh_from_db()
    assert alert.silenced_by is None and going(alert) == 1 and alert.runs.count() == 2
    alerts.look_after(now=soon(hours=2, seconds=2))
    silence.refresh_from_db()
    assert silence.looked_after_at is not None and alert.runs.count() == 2


def test_what_opens_in_a_silence_pages_nobody_until_it_ends(alerting: Alerting, places: Places, cast: Cast) -> None:
    silence = alerts.make_silence(by=cast.supervisor, matchers=IN_SALMIYA, ends_at=soon(hours=2), reason="an exercise")
    alert = opened(alerting, places)
    assert alert.silenced_by == silence and alert.runs.count() == 0
    assert [line.kind for line in alert.log.all()] == ["opened", "silenced"]
    alerts.end_silence(silence=silence, by=cast.supervisor)
    assert alerts.look_after(now=soon(seconds=1))["refired"] == 1
    with pytest.raises(Conflict):
        alerts.end_silence(silence=silence, by=cast.supervisor)


def test_where_silences_overlap_the_last_to_end_counts(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.make_silence(by=cast.supervisor, matchers=IN_SALMIYA, ends_at=soon(hours=1), reason="one")
    alerts.make_silence(by=cast.supervisor, matchers=[{"field": "rule", "is": "burglaries"}], ends_at=soon(hours=3), reason="two")
    assert alerts.look_after(now=soon(hours=2)) == {"still quiet": 1}
    alert.refresh_from_db()
    assert alert.silenced_by is not None and alert.silenced_by.reason == "two" and going(alert) == 0
    assert alerts.look_after(now=soon(hours=3, seconds=1))["refired"] == 1


def test_what_is_over_when_the_silence_ends_is_resolved_and_pages_nobody(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.make_silence(by=cast.supervisor, matchers=IN_SALMIYA, ends_at=soon(hours=2), reason="an exercise")
    type(alerting.rule).objects.filter(pk=alerting.rule.pk).update(state="off")
    assert alerts.look_after(now=soon(hours=2, seconds=1)) == {"recovered": 1}
    alert.refresh_from_db()
    assert alert.resolved_because == "recovery" and alert.runs.count() == 1


def test_a_silence_that_no_longer_matches_what_got_worse_keeps_it_quiet_no_more(alerting: Alerting, places: Places, cast: Cast) -> None:
    matchers = [*IN_SALMIYA, {"field": "level", "not": "critical"}]
    alerts.make_silence(by=cast.supervisor, matchers=matchers, ends_at=soon(hours=2), reason="an exercise")
    alert = opened(alerting, places)
    assert going(alert) == 0
    alert = opened(alerting, places, event_id=2, level="critical")
    assert alert.silenced_by is None and going(alert) == 1


def test_a_silence_somebody_deleted_leaves_nothing_quiet_for_good(alerting: Alerting, places: Places, cast: Cast) -> None:
    silence = alerts.make_silence(by=cast.supervisor, matchers=IN_SALMIYA, ends_at=soon(hours=2), reason="an exercise")
    alert = opened(alerting, places)
    Silence.objects.filter(pk=silence.pk).delete()
    assert alerts.look_after(now=soon(seconds=1))["refired"] == 1
    assert going(alert) == 1


def test_what_a_person_raised_is_never_silenced(alerting: Alerting, cast: Cast, places: Places) -> None:
    alerts.make_silence(by=cast.superadmin, matchers=[{"field": "zone", "like": "*"}], ends_at=soon(hours=2), reason="everything")
    alert = alerts.raise_manual(
        by=cast.dispatcher, title="Smoke", text="", level="high", agency=cast.police, zone=places.salmiya, users=[cast.supervisor]
    )
    assert alert.silenced_by is None and alert.pages.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"matchers": []},
        {"matchers": [{"field": "colour", "is": "red"}]},
        {"matchers": [{"field": "zone"}]},
        {"matchers": [{"field": "zone", "regex": ".*"}]},
        {"matchers": [{"field": "zone", "is": 7}]},
        {"ends_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"ends_at": soon(days=40)},
        {"reason": " "},
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(cast: Cast, wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"matchers": IN_SALMIYA, "ends_at": soon(hours=1), "reason": "an exercise"}
    with pytest.raises(Invalid):
        alerts.make_silence(by=cast.supervisor, **{**given, **wrong})


def test_a_silence_reaches_no_further_than_whoever_made_it(alerting: Alerting, places: Places, cast: Cast) -> None:
    everything = [{"field": "zone", "like": "*"}]
    with pytest.raises(NotAllowed):
        alerts.make_silence(by=cast.dispatcher, matchers=everything, ends_at=soon(hours=1), reason="x")
    with pytest.raises(Invalid):
        alerts.make_silence(by=cast.supervisor, matchers=everything, ends_at=soon(hours=1), reason="x", agency=cast.fire)
    with pytest.raises(Invalid):
        alerts.make_silence(by=cast.supervisor, matchers=everything, ends_at=soon(hours=1), reason="x", governorate=places.capital)
    alerts.make_silence(by=cast.supervisor, matchers=everything, ends_at=soon(hours=1), reason="mine")
    other = opened(alerting, places, fingerprint="fire", agency_id=cast.fire.pk)
    assert other.silenced_by is None
    theirs = Silence.objects.create(
        matchers=everything, agency=cast.fire, starts_at=soon(hours=-1), ends_at=soon(hours=1), reason="theirs", created_by=cast.superadmin
    )
    with pytest.raises(NotFound):
        alerts.end_silence(silence=theirs, by=cast.supervisor)


# --- snooze, mute, reminder ----------------------------------------------------------------------


def test_a_snooze_ends_with_a_second_look(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.dispatcher, through="screen")
    alerts.snooze(alert=alert, by=cast.dispatcher, until=soon(hours=1))
    assert alerts.look_after(now=soon(minutes=59)) == {}
    assert alerts.look_after(now=soon(hours=1, seconds=1))["refired"] == 1
    alert.refresh_from_db()
    assert (alert.state, alert.snoozed_until, going(alert)) == ("firing", None, 1)
    assert alerts.look_after(now=soon(hours=1, seconds=2)) == {}


def test_a_snooze_is_not_overtaken_by_the_end_by_time(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places, resolve_after_min=60)
    alerts.snooze(alert=alert, by=cast.dispatcher, until=soon(hours=3))
    assert alerts.look_after(now=soon(hours=3, seconds=1))["refired"] == 1


def test_a_mute_that_ends_on_an_acknowledged_alert_wakes_nobody(alerting: Alerting, places: Places, cast: Cast) -> None:
    alert = opened(alerting, places)
    alerts.mute(alert=alert, by=cast.supervisor, until=soon(hours=1), reason="an exercise")
    alerts.acknowledge(alert=alert, by=cast.dispatcher, through="screen")
    assert "refired" not in alerts.look_after(now=soon(hours=1, seconds=1))
    alert.refresh_from_db()
    assert (alert.state, alert.muted_until) == ("acknowledged", None)


def test_an_acknowledged_alert_is_asked_about_again_where_its_policy_says_so(alerting: Alerting, places: Places, cast: Cast) -> None:
    type(alerting.policy).objects.filter(pk=alerting.policy.pk).update(remind_after_min=30)
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.dispatcher, through="screen")
    assert "reminded" not in alerts.look_after(now=soon(minutes=29))
    assert alerts.look_after(now=soon(minutes=31))["reminded"] == 1
    alert.refresh_from_db()
    assert alert.state == "firing" and going(alert) == 1


def test_what_was_acknowledged_months_ago_pages_nobody(alerting: Alerting, places: Places, cast: Cast) -> None:
    type(alerting.policy).objects.filter(pk=alerting.policy.pk).update(remind_after_min=30)
    alert = opened(alerting, places)
    alerts.acknowledge(alert=alert, by=cast.dispatcher, through="screen")
    done = alerts.look_after(now=soon(days=60))  # nothing ran for two months
    assert done == {"by time": 1}
    alert.refresh_from_db()
    assert alert.state == "resolved" and EscalationRun.objects.filter(alert=alert).count() == 1
    late = opened(alerting, places, fingerprint="later", resolve_after_min=60 * 24 * 30)
    alerts.acknowledge(alert=late, by=cast.dispatcher, through="screen")
    assert "reminded" not in alerts.look_after(now=soon(days=5))


# --- inhibition ----------------------------------------------------------------------------------


@pytest.fixture
def outage(alerting: Alerting) -> Inhibition:
    return Inhibition.objects.create(
        code="outage", name_en="An outage quiets cameras", name_ar="الانقطاع يُسكت الكاميرات", source=[{"field": "type", "is": "outage"}],
        target=[{"field": "type", "in": ["camera", "outage"]}], equal=["governorate"],
    )  # fmt: skip


def test_an_outage_quiets_its_cameras_and_when_it_is_over_they_are_looked_at_again(
    alerting: Alerting, places: Places, cast: Cast, outage: Inhibition
) -> None:
    before = opened(alerting, places, fingerprint="cam-1", type_code="camera")
    source = opened(alerting, places, fingerprint="outage", type_code="outage")
    after = opened(alerting, places, fingerprint="cam-2", type_code="camera")
    elsewhere = opened(alerting, places, fingerprint="cam-3", type_code="camera", governorate_id=places.capital.pk, zone_id=places.sharq.pk)
    for alert in (before, after):
        alert.refresh_from_db()
        assert alert.inhibited_by == source and going(alert) == 0
    assert going(elsewhere) == going(source) == 1 and source.inhibited_by is None
    assert "refired" not in alerts.look_after(now=soon(minutes=5))
    alerts.resolve(alert=source, by=cast.supervisor, because="hand")
    assert alerts.look_after(now=soon(seconds=5))["refired"] == 2
    assert going(before) == going(after) == 1


def test_of_two_that_are_both_source_and_target_neither_quiets_the_other(alerting: Alerting, places: Places, outage: Inhibition) -> None:
    one = opened(alerting, places, fingerprint="outage-1", type_code="outage")
    two = opened(alerting, places, fingerprint="outage-2", type_code="outage")
    assert one.inhibited_by is None and two.inhibited_by is None and going(one) == going(two) == 1


def test_inhibition_by_place(alerting: Alerting, places: Places, outage: Inhibition) -> None:
    Inhibition.objects.filter(pk=outage.pk).update(equal=[], is_within=True)
    opened(alerting, places, fingerprint="outage", type_code="outage", zone_id=places.salmiya.pk)
    inside = opened(alerting, places, fingerprint="a", type_code="camera", location=places.in_salmiya)
    outside = opened(alerting, places, fingerprint="b", type_code="camera", location=places.in_jabriya, zone_id=places.jabriya.pk)
    assert inside.inhibited_by is not None and outside.inhibited_by is None
    Inhibition.objects.filter(pk=outage.pk).update(is_active=False)
    assert alerts.look_after(now=soon(seconds=5))["refired"] == 1


def test_a_silence_made_for_later_begins_by_itself(alerting: Alerting, places: Places, cast: Cast, fire: Callable[..., Alert]) -> None:
    alert = opened(alerting, places)
    alerts.make_silence(by=cast.supervisor, matchers=IN_SALMIYA, starts_at=soon(hours=1), ends_at=soon(hours=2), reason="later")
    assert going(alert) == 1
    alerts.look_after(now=soon(hours=1, seconds=2))
    alert.refresh_from_db()
    assert alert.silenced_by is not None and going(alert) == 0
