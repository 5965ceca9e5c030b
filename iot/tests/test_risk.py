"""IOT-4, IOT-6: the risk of a zone from made readings: its parts, what is said where little is known, and the score made again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Agency
from core.errors import NotFound
from iot.analytics.risk import ANOMALIES, CAMERAS, CROWD, FIRE, GAPS, NIGHT_MOTION
from iot.models import Anomaly, Device, DeviceOutage, ZoneRisk
from iot.services import register_device
from iot.services.risk import forget_old_scores, replay_risk, score_of_row, score_zones
from iot.tests.watching import Watch

HOUR = timedelta(hours=1)


def of(zone: Any, agency: Agency | None = None) -> ZoneRisk:
    rows = ZoneRisk.objects.current().filter(zone=zone)
    return rows.get(agency=agency) if agency is not None else rows.get()


def part(row: ZoneRisk, name: str) -> dict[str, Any]:
    return next(one for one in row.parts if one["name"] == name)


def test_a_zone_without_sensors_has_no_row_and_one_that_said_nothing_no_score(watch: Watch, places: Any) -> None:
    watch.device("M-1", "motion", places.in_salmiya)
    score_zones(now=watch.at)
    assert of(places.salmiya).score is None and of(places.salmiya).notes == [{"code": "silent", "devices": 1}]
    assert not ZoneRisk.objects.filter(zone=places.jabriya).exists()
    watch.heard(Device.objects.get(code="M-1"))
    score_zones(now=watch.at + HOUR)
    assert of(places.salmiya).score == 0 and of(places.salmiya).devices == {"motion": 1}


def test_parts_say_what_no_sensor_here_can_tell(watch: Watch, places: Any) -> None:
    watch.device("M-1", "motion", places.in_salmiya, is_heard=True)
    score_zones(now=watch.at)
    watched = {one["name"]: one["is_watched"] for one in of(places.salmiya).parts}
    assert watched[NIGHT_MOTION] and watched[GAPS] and not watched[CROWD] and not watched[CAMERAS] and not watched[FIRE]


def test_motion_in_the_dead_of_night_counts_beyond_what_is_usual_there_and_at_no_other_hour(watch: Watch, places: Any) -> None:
    three = watch.at.replace(hour=0)  # 03:00 in Kuwait
    busy, calm = (watch.device(code, "motion", places.in_salmiya, is_heard=True) for code in ("M-1", "M-2"))
    for device in (busy, calm):
        watch.hours(device, "motion_events", {three - timedelta(days=n): 2.0 for n in range(1, 15)})
    watch.hours(busy, "motion_events", {three: 12.0, three + 6 * HOUR: 500.0})
    watch.hours(calm, "motion_events", {three: 3.0, three - 2 * HOUR: 500.0})
    score_zones(now=three + 2 * HOUR)
    found = part(of(places.salmiya), NIGHT_MOTION)
    assert [line["key"] for line in found["evidence"]] == [f"stream:{watch.stream(busy, 'motion_events').pk}"]
    assert found["evidence"][0]["amount"] == 3.0 and 5 < found["points"] < 13  # 12 where 3 is the least that counts


def test_motion_of_the_hour_that_runs_counts_at_once(watch: Watch, places: Any) -> None:
    three = watch.at.replace(hour=0)
    device = watch.device("M-1", "motion", places.in_salmiya, is_heard=True)
    watch.hours(device, "motion_events", {three - timedelta(days=n): 1.0 for n in range(1, 10)})
    watch.minutes(device, "motion_events", {three + timedelta(minutes=n): 1.0 for n in range(10)})
    score_zones(now=three + timedelta(minutes=12, seconds=30))
    assert part(of(places.salmiya), NIGHT_MOTION)["points"] > 0


def test_without_history_motion_and_crowds_are_not_judged_and_it_is_said(watch: Watch, places: Any) -> None:
    three = watch.at.replace(hour=0)
    motion = watch.device("M-1", "motion", places.in_salmiya, is_heard=True)
    crowd = watch.device("C-1", "crowd", places.in_salmiya, is_heard=True)
    watch.hours(motion, "motion_events", {three - timedelta(days=n): 900.0 for n in range(5)})
    watch.hours(crowd, "density", {three: 9.0, three - timedelta(weeks=1): 1.0})
    score_zones(now=three + 2 * HOUR)
    assert of(places.salmiya).score == 0
    notes = {one["code"]: one for one in of(places.salmiya).notes}
    assert notes["too_little_motion"]["known"] == 4 and notes["too_little_motion"]["needs"] == 7
    assert notes["too_little_crowd"]["known"] == 1 and notes["too_little_crowd"]["needs"] == 4


def test_a_crowd_counts_against_the_same_hour_of_other_weeks_and_fades_when_it_goes(watch: Watch, places: Any) -> None:
    device = watch.device("C-1", "crowd", places.in_salmiya, is_heard=True)
    hour = watch.at - HOUR
    watch.hours(device, "density", {hour - timedelta(weeks=n): 1.0 for n in range(1, 9)})
    watch.hours(device, "density", {hour: 3.0})
    score_zones(now=watch.at)
    first = part(of(places.salmiya), CROWD)
    assert first["evidence"][0]["amount"] == pytest.approx(2.0) and first["points"] == pytest.approx(15 * (1 - 2.718281828**-1), rel=1e-3)
    score_zones(now=watch.at + 2 * HOUR)  # a half-life later
    assert part(of(places.salmiya), CROWD)["value"] == pytest.approx(first["value"] / 2)


def test_a_camera_away_counts_more_where_incidents_are_frequent(watch: Watch, places: Any, report: Any) -> None:
    for _n in range(6):
        report(occurred_at=watch.at - timedelta(days=3))
    here = watch.device("K-1", "camera", places.in_salmiya, is_heard=True)
    there = watch.device("K-2", "camera", places.in_jabriya, is_heard=True)
    for device in (here, there):
        DeviceOutage.objects.create(device=device, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2)
    score_zones(now=watch.at)
    frequent, quiet = (part(of(zone), CAMERAS) for zone in (places.salmiya, places.jabriya))
    assert frequent["evidence"][0]["amount"] == 1.0 and quiet["evidence"][0]["amount"] < 0.5
    assert frequent["points"] > 2 * quiet["points"] > 0
    DeviceOutage.objects.filter(device=here).update(ended_at=watch.at)
    score_zones(now=watch.at + 6 * HOUR)
    assert part(of(places.salmiya), CAMERAS)["value"] == pytest.approx(0.5)
    assert part(of(places.jabriya), CAMERAS)["value"] == quiet["value"]  # it goes on: it does not fade


def test_a_camera_that_says_it_sees_nothing_counts_as_away_and_once(watch: Watch, places: Any) -> None:
    device = watch.device("K-1", "camera", places.in_salmiya, is_heard=True)
    minute = timedelta(minutes=1)
    watch.minutes(device, "is_online", {watch.at - n * minute: float(n > 5) for n in range(1, 20)})
    DeviceOutage.objects.create(device=device, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2)
    score_zones(now=watch.at)
    lines = part(of(places.salmiya), CAMERAS)["evidence"]
    assert [line["key"] for line in lines] == [f"device:{device.pk}"] and lines[0]["until"] is None


def test_smoke_counts_while_it_lasts_and_other_devices_that_are_away_are_gaps(watch: Watch, places: Any) -> None:
    smoke = watch.device("S-1", "smoke", places.in_salmiya, is_heard=True)
    air = watch.device("A-1", "environment", places.in_salmiya, is_heard=True)
    watch.minutes(smoke, "smoke_alarm", {watch.at - timedelta(minutes=n): float(n < 4) for n in range(1, 9)})
    DeviceOutage.objects.create(device=air, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2)
    score_zones(now=watch.at)
    row = of(places.salmiya)
    assert part(row, FIRE)["evidence"][0]["until"] is None and part(row, FIRE)["points"] > 10 and part(row, GAPS)["points"] > 0
    assert row.score == pytest.approx(sum(one["points"] for one in row.parts), abs=0.01)
    watch.minutes(smoke, "smoke_alarm", {watch.at + timedelta(minutes=1): 0.0})
    score_zones(now=watch.at + timedelta(minutes=30))
    assert part(of(places.salmiya), FIRE)["evidence"][0]["until"] is not None


def test_each_agency_has_its_own_score_of_a_zone_and_sees_no_other(watch: Watch, places: Any, cast: Any) -> None:
    own = watch.device("A-1", "environment", places.in_salmiya, is_heard=True)
    watch.device("A-2", "environment", places.in_salmiya, agency=cast.fire, is_heard=True)
    DeviceOutage.objects.create(device=own, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2)
    score_zones(now=watch.at)
    assert (of(places.salmiya, cast.police).score or 0) > 0 == of(places.salmiya, cast.fire).score
    seen = ZoneRisk.objects.current().visible_to(cast.firefighter)
    assert set(seen.values_list("agency", flat=True)) == {cast.fire.pk}
    assert not ZoneRisk.objects.visible_to(cast.stranger).exists()  # of the Capital


def test_a_governorate_is_the_sum_of_its_areas_evidence_and_needs_more_for_the_same_points(watch: Watch, places: Any) -> None:
    for code, place in (("A-1", places.in_salmiya), ("A-2", places.in_jabriya)):
        device = watch.device(code, "environment", place, is_heard=True)
        DeviceOutage.objects.create(device=device, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2)
    score_zones(now=watch.at)
    whole, area = of(places.hawalli), of(places.salmiya)
    assert part(whole, GAPS)["value"] == 2 * part(area, GAPS)["value"]
    assert (area.score or 0) < (whole.score or 0) < 2 * (area.score or 0)


def test_a_score_is_made_again_from_its_row_and_from_the_tables(watch: Watch, places: Any, cast: Any, report: Any) -> None:
    report(occurred_at=watch.at - timedelta(days=3))
    crowd = watch.device("C-1", "crowd", places.in_salmiya, is_heard=True)
    camera = watch.device("K-1", "camera", places.in_salmiya, is_heard=True)
    hour = watch.at - HOUR
    watch.hours(crowd, "density", {hour - timedelta(weeks=n): 1.0 for n in range(9)} | {hour: 4.0})
    DeviceOutage.objects.create(device=camera, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2)
    score_zones(now=watch.at)
    stored = of(places.salmiya).score
    # What comes later changes nothing about what stood then.
    DeviceOutage.objects.update(ended_at=watch.at + HOUR)
    watch.minutes(crowd, "density", {watch.at + timedelta(minutes=n): 9.0 for n in range(40)})
    score_zones(now=watch.at + 2 * HOUR)
    again = replay_risk(zone=places.salmiya, agency=cast.police, at=watch.at + timedelta(minutes=5))
    assert again.row.score == stored and again.is_same and again.is_unchanged
    assert again.by_tables == stored == pytest.approx(again.by_row.score, abs=0.01)
    # A reading that came late for that hour does, and it is said.
    watch.hours(crowd, "density", {hour - HOUR: 50.0} | {hour - HOUR - timedelta(weeks=n): 1.0 for n in range(1, 9)})
    late = replay_risk(zone=places.salmiya, agency=cast.police, at=watch.at)
    assert late.is_same and not late.is_unchanged and (late.by_tables or 0) > (stored or 0)
    with pytest.raises(NotFound):
        replay_risk(zone=places.salmiya, agency=cast.police, at=watch.at - HOUR)


def test_a_score_ahead_is_as_if_nothing_came(watch: Watch, places: Any) -> None:
    device = watch.device("A-1", "environment", places.in_salmiya, is_heard=True)
    DeviceOutage.objects.create(device=device, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2, ended_at=watch.at)
    score_zones(now=watch.at)
    row = of(places.salmiya)
    assert score_of_row(row).score == pytest.approx(row.score, abs=0.01)
    assert score_of_row(row, at=watch.at + 3 * HOUR).parts[-1].value == pytest.approx(0.5)


def test_a_row_is_written_when_something_changed_else_one_an_hour(watch: Watch, places: Any) -> None:
    device = watch.device("A-1", "environment", places.in_salmiya, is_heard=True)
    moments = [watch.at + timedelta(minutes=5 * n) for n in range(14)]
    assert [score_zones(now=at) for at in moments] == [2, *[0] * 11, 2, 0]
    assert of(places.salmiya).checked_at == moments[-1] and ZoneRisk.objects.filter(zone=places.salmiya).count() == 2
    DeviceOutage.objects.create(device=device, began_at=moments[-1], noticed_at=moments[-1])
    assert score_zones(now=moments[-1] + timedelta(minutes=5)) == 2
    assert score_zones(now=moments[-1]) == 0  # a look that comes too late changes nothing


def test_old_scores_are_forgotten_and_a_zone_whose_sensors_went_has_none(watch: Watch, places: Any) -> None:
    device = watch.device("A-1", "environment", places.in_salmiya, is_heard=True)
    score_zones(now=watch.at)
    Device.objects.filter(pk=device.pk).update(state=Device.State.RETIRED)
    score_zones(now=watch.at + HOUR)
    assert not ZoneRisk.objects.current().exists() and ZoneRisk.objects.count() == 2
    assert forget_old_scores(now=watch.at + timedelta(days=100), keep_days=90) == 2


def test_devices_in_maintenance_or_not_in_use_count_for_nothing(watch: Watch, places: Any, cast: Any) -> None:
    away = watch.device("K-1", "camera", places.in_salmiya, is_heard=True)
    DeviceOutage.objects.create(device=away, began_at=watch.at - HOUR, noticed_at=watch.at - HOUR / 2)
    Device.objects.filter(pk=away.pk).update(maintenance_until=watch.at + HOUR)
    register_device(code="K-2", profile=away.profile, agency=cast.police, by=None, location=places.in_jabriya, is_expected=True)
    score_zones(now=watch.at)
    assert not ZoneRisk.objects.exists()


def test_anomalies_count_by_severity_and_what_a_person_calls_noise_does_not(watch: Watch, places: Any) -> None:
    device = watch.device("A-1", "environment", places.in_salmiya, is_heard=True)
    stream = watch.stream(device, "temperature")
    made = {
        "device": device,
        "datastream": stream,
        "began_at": watch.at - HOUR,
        "raised_at": watch.at - HOUR,
        "last_at": watch.at,
        "score": 3.0,
    }
    spike = Anomaly.objects.create(detector="robust", severity=4, **made)
    Anomaly.objects.create(detector="gap", severity=2, **made)
    noise = Anomaly.objects.create(detector="drift", severity=2, **made)
    Anomaly.objects.filter(pk=noise.pk).update(feedback="noise")
    score_zones(now=watch.at)
    lines = part(of(places.salmiya), ANOMALIES)["evidence"]
    assert [line["key"] for line in lines] == [f"anomaly:{spike.pk}"] and lines[0]["amount"] == 6.0
