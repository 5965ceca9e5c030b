"""IOT-5: what the detectors find becomes one anomaly, once, that says why; good readings or a person end it; an alert hears of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from iot.models import Anomaly, AnomalySeverity, Datastream, DetectorSetting, Device, Reading
from iot.quality import Quality
from iot.services import suspend_device
from iot.services.anomalies import acknowledge_anomaly, judge_anomaly, resolve_anomaly, resolve_unused
from iot.services.anomalies.catching_up import catch_up
from iot.services.anomalies.raising import MANY, Draft, raise_anomalies
from iot.services.anomalies.watching import Watched
from iot.watcher import Watcher

pytestmark = pytest.mark.django_db
MINUTE = 60


@dataclass
class Hall:
    """AIR-1's temperature, limited to 50 °C (over at 45), read once a minute; ``says`` writes and watches."""

    sensors: Any
    stream: Datastream
    at: datetime
    watched: Watched = field(default_factory=Watched)

    def says(
        self, *values: float, every: timedelta = timedelta(minutes=1), stream: Datastream | None = None, is_watched: bool = True
    ) -> Any:
        stream = stream or self.stream
        times = [self.at + (number + 1) * every for number in range(len(values))]
        self.at = times[-1]
        rows = [(stream.metric.code, value, at) for value, at in zip(values, times, strict=True)]
        self.sensors.write([self.sensors.said(*rows, device=stream.device, received=self.at)])
        if not is_watched:
            return None
        seconds = np.array([at.timestamp() for at in times])
        return self.watched.hear(np.full(len(values), stream.pk), seconds, np.array(values), now=self.at)


def stream_of(device: Device, metric: str) -> Datastream:
    return Datastream.objects.get_or_create(device=device, metric=device.profile.metrics.get(code=metric))[0]


@pytest.fixture
def hall(sensors: Any) -> Hall:
    metric = sensors.air.metrics.get(code="temperature")
    DetectorSetting.objects.create(metric=metric, detectors=["threshold", "rate", "stuck"], high=50, high_clear=45)
    return Hall(sensors, stream_of(sensors.salmiya, "temperature"), sensors.ago(hours=5))


@pytest.fixture
def hot(hall: Hall) -> Anomaly:
    hall.says(40, 44, 52)
    return Anomaly.objects.get()


def told(type: str = "anomaly.raised") -> list[Event]:
    return list(Event.objects.filter(type=type).order_by("pk"))


# -- raised, longer, over -----------------------------------------------------------------------------------------------------------------


def test_beyond_its_limit_it_is_raised_once_and_says_the_numbers(hall, sensors):
    assert hall.says(40, 44, 52).raised == 1
    assert hall.says(53, 54).raised == 0
    anomaly = Anomaly.objects.get()
    assert (anomaly.detector, anomaly.device, anomaly.state) == ("threshold", sensors.salmiya, "open")
    assert anomaly.began_at == hall.at - timedelta(minutes=2) and anomaly.last_at == hall.at
    assert anomaly.evidence.items() >= {"value": 54.0, "limit": 50.0, "until": 45.0, "unit": "°C", "side": "high"}.items()
    (event,) = told()
    assert event.subject_id == anomaly.pk and event.governorate_id == sensors.salmiya.governorate_id
    assert event.data.items() >= {"device": "AIR-1", "property": "temperature", "detector": "threshold", "value": 52.0}.items()


def test_farther_out_it_becomes_more_severe_and_never_milder(hall, hot):
    assert hot.severity == AnomalySeverity.INFO
    hall.says(75)
    hot.refresh_from_db()
    assert hot.severity == AnomalySeverity.HIGH and len(told("anomaly.worsened")) == 1
    hall.says(51)
    hot.refresh_from_db()
    assert hot.severity == AnomalySeverity.HIGH and hot.evidence["value"] == 75


def test_between_the_two_limits_it_stands_and_enough_good_readings_end_it(hall, hot):
    hall.says(*[47] * 20)
    assert Anomaly.objects.open().count() == 1
    hall.says(*[44] * 15)
    assert Anomaly.objects.open().count() == 1
    assert hall.says(44).resolved == 1
    hot.refresh_from_db()
    assert (hot.state, hot.because, hot.ended_at) == ("resolved", "readings", hall.at)
    assert told("anomaly.resolved")[0].data["because"] == "readings"


def test_a_reading_beyond_the_sensors_own_range_is_its_own_fault_and_never_severe(hall):
    DetectorSetting.objects.all().delete()
    hall.says(72, 80)
    assert not Anomaly.objects.exists()  # the end of the range is within it
    hall.says(800)
    assert Anomaly.objects.get(detector="threshold").severity == AnomalySeverity.MEDIUM


def test_a_jump_is_found_by_its_rate_and_a_flat_line_by_its_length(hall, sensors):
    hall.says(20, 45)
    rate = Anomaly.objects.get()
    assert rate.detector == "rate" and rate.evidence["expected"] == 20 and rate.evidence["most_per_minute"] == 10
    sensors.air.metrics.filter(code="temperature").update(stuck_after_s=1200)
    hall.watched.refresh(now=hall.at)
    hall.says(*[30.5] * 22)
    stuck = Anomaly.objects.get(detector="stuck")
    assert stuck.evidence["for_s"] >= 1200 and stuck.evidence["value"] == 30.5
    flags = [bool(quality & Quality.STUCK) for quality in Reading.objects.order_by("at").values_list("quality", flat=True)]
    assert not any(flags[:20]) and all(flags[-2:])


def test_a_metric_whose_detectors_are_off_is_not_judged(hall):
    DetectorSetting.objects.update(detectors=[])
    assert hall.says(40, 52, 75).judged == 0 and not Anomaly.objects.exists()


# -- not twice, not too late, not too many ------------------------------------------------------------------------------------------------


def test_a_watcher_that_starts_anew_raises_nothing_twice_and_ends_what_it_did_not_raise(hall, hot):
    hall.watched = Watched()
    catch_up(hall.watched, now=hall.at)
    hall.says(55)
    assert Anomaly.objects.count() == 1 and len(told()) == 1
    hall.watched = Watched()
    catch_up(hall.watched, now=hall.at)
    hall.says(*[40] * 17)
    assert not Anomaly.objects.open().exists()


def test_what_stands_after_a_hole_is_raised_and_what_came_and_went_in_it_is_not(hall):
    hall.says(40)
    hall.says(60, *[44] * 20, 52, 53, is_watched=False)
    done = catch_up(hall.watched, now=hall.at)
    assert done.raised == 1
    assert Anomaly.objects.get().began_at == hall.at - timedelta(minutes=1)


def test_a_backlog_of_three_days_wakes_nobody(hall, sensors):
    hall.at = sensors.ago(days=3)
    rows = np.arange(0, 4000) * 60.0 + hall.at.timestamp()
    done = hall.watched.hear(np.full(4000, hall.stream.pk), rows, np.full(4000, 60.0) + np.arange(4000) % 2, now=sensors.now)
    assert done.judged == 4000 and not Anomaly.objects.exists()
    late = hall.watched.hear(np.array([hall.stream.pk]), np.array([hall.at.timestamp() - 60]), np.array([70.0]), now=sensors.now)
    assert late.raised == 0
    hall.at = sensors.now - timedelta(minutes=1)
    assert hall.says(61).raised == 1  # it still stands: now it is said, with when it began
    assert Anomaly.objects.get().began_at < sensors.ago(days=2)


def test_a_device_in_maintenance_is_not_judged_and_one_taken_out_of_use_leaves_nothing_open(hall, hot, sensors, cast):
    Device.objects.filter(pk=sensors.sharq.pk).update(maintenance_until=hall.at + timedelta(days=1))
    assert hall.says(90, stream=stream_of(sensors.sharq, "temperature")).judged == 0
    suspend_device(device=sensors.salmiya, by=cast.supervisor, reason="moved")
    assert resolve_unused(now=hall.at) == 1
    hot.refresh_from_db()
    assert hot.because == "device"


def test_one_that_raises_one_after_the_other_is_one_line(hall, sensors):
    streams = [hall.stream, stream_of(sensors.salmiya, "humidity")]

    def again(number: int) -> int:
        detector = ("threshold", "rate", "robust", "drift", "stuck", "gap", "seasonal")[number // 2]
        at = hall.at + timedelta(minutes=number)
        draft = Draft(sensors.salmiya.pk, streams[number % 2].pk, detector, number % 3, at, at, 1.5)
        return raise_anomalies(drafts=[draft], now=at)[draft.key]

    assert all(again(number) > 0 for number in range(MANY)) and Anomaly.objects.open().count() == MANY
    assert [again(number) for number in range(MANY, MANY + 4)] == [-1] * 4
    many = Anomaly.objects.open().get()
    assert (many.detector, many.count, many.severity) == ("many", MANY + 4, 2) and "stuck" in many.evidence["detectors"]
    assert len(told()) == MANY + 1 and Anomaly.objects.filter(because="merged").count() == MANY
    assert resolve_unused(now=many.last_at + timedelta(minutes=61)) == 1


def test_nonsense_is_passed_over(hall):
    at = hall.at.timestamp()
    values, times = np.array([np.nan, np.inf, 60.0, 60.0]), np.array([at, at + 1, at + 9e6, at + 2])
    done = hall.watched.hear(np.array([hall.stream.pk, hall.stream.pk, hall.stream.pk, 999_999]), times, values, now=hall.at)
    assert done.judged == 0 and not Anomaly.objects.exists()


def test_more_series_than_there_is_room_for_and_the_longest_unheard_are_forgotten(hall, sensors):
    hall.watched = Watched(most=2)
    others = [stream_of(sensors.sharq, "temperature"), stream_of(sensors.sharq, "humidity")]
    hall.says(40)
    for stream in others:
        hall.says(41, stream=stream)
    assert len(hall.watched) == 2 and hall.stream.pk not in hall.watched.place
    assert hall.says(44, 52).raised == 1


def test_the_process_hears_what_the_writer_tells(hall, sensors, drain, settings):
    watcher = Watcher(watched=hall.watched)
    watcher.step(block_ms=1)
    from iot.stream import offer

    offer([sensors.envelope(("temperature", 60.0, None))])
    drain()
    done = watcher.step(block_ms=500)
    assert done.judged == 1 and done.raised == 1


# -- people -------------------------------------------------------------------------------------------------------------------------------


def test_acknowledged_resolved_and_judged_each_with_its_name(hall, hot, cast):
    acknowledge_anomaly(anomaly=hot, by=cast.dispatcher)
    with pytest.raises(Conflict):
        acknowledge_anomaly(anomaly=hot, by=cast.dispatcher)
    judge_anomaly(anomaly=hot, verdict="noise", by=cast.analyst, note="the sun on its box")
    resolve_anomaly(anomaly=hot, by=cast.supervisor, note="moved into the shade")
    with pytest.raises(Conflict):
        resolve_anomaly(anomaly=hot, by=cast.supervisor)
    hot.refresh_from_db()
    assert (hot.state, hot.because, hot.resolved_by, hot.feedback, hot.feedback_by) == (
        "resolved", "person", cast.supervisor, "noise", cast.analyst,
    )  # fmt: skip
    verbs = set(AuditEntry.objects.filter(object_type="iot.anomaly").values_list("verb", flat=True))
    assert verbs == {"anomaly.acknowledge", "anomaly.judge", "anomaly.resolve"}


def test_what_a_person_ended_comes_back_only_after_it_was_over(hall, hot, cast):
    resolve_anomaly(anomaly=hot, by=cast.supervisor)
    Anomaly.objects.update(ended_at=hall.at + timedelta(seconds=1))  # now, as the readings' time goes
    hall.says(53, 54)
    assert Anomaly.objects.count() == 1
    hall.watched = Watched()
    catch_up(hall.watched, now=hall.at)
    hall.says(55)
    assert Anomaly.objects.count() == 1
    hall.says(*[40] * 17, 52)
    assert Anomaly.objects.count() == 2


def test_who_may_not_is_refused(hall, hot, cast):
    with pytest.raises(NotFound):
        acknowledge_anomaly(anomaly=hot, by=cast.firefighter)
    with pytest.raises(NotAllowed):
        resolve_anomaly(anomaly=hot, by=cast.officer)
    with pytest.raises(Invalid):
        judge_anomaly(anomaly=hot, verdict="perhaps", by=cast.analyst)
    with pytest.raises(Invalid):
        judge_anomaly(anomaly=hot, verdict="noise", by=cast.analyst, note="x" * 501)
    assert list(Anomaly.objects.visible_to(cast.firefighter)) == [] and list(Anomaly.objects.visible_to(cast.dispatcher)) == [hot]


# -- heard by the alert engine ------------------------------------------------------------------------------------------------------------


def test_a_severe_anomaly_ends_in_a_page_and_is_over_with_it(hall, alerting):
    from alerts.models import Alert, AlertRule, Page
    from alerts.services.engine import hear
    from alerts.services.escalation.running import run_due

    rule = AlertRule.objects.create(
        code="hot-hall", name_en="A hall is too hot", name_ar="قاعة حارة جدا", source=AlertRule.Source.READING,
        condition={"properties": ["temperature"], "measure": "severity_rank", "at_least": 3}, policy=alerting.policy,
        state=AlertRule.State.ACTIVE, group_by=["subject"], cooldown_zone_min=0, cooldown_type_min=0,
    )  # fmt: skip
    hall.says(40, 44, 52)
    hear(told(), now=hall.at)
    assert not Alert.objects.exists()  # only worth knowing so far
    hall.says(75)
    hear(told("anomaly.worsened"), now=hall.at)
    alert = Alert.objects.get(rule=rule)
    assert alert.zone is not None and alert.zone.code == "T-SAL" and "Temperature" in alert.title_en
    run_due(now=alert.opened_at)
    assert Page.objects.filter(alert=alert).exists()
    hall.says(*[40] * 17)
    hear(told("anomaly.resolved"), now=hall.at)
    alert.refresh_from_db()
    assert alert.state == "resolved" and alert.resolved_because == "recovery"
