"""IOT-2, IOT-5, IOT-6: forests, neighbours, grades, quality, outages, batteries, crowds and risk, on truth that is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot.analytics.battery import battery
from iot.analytics.crowd_correlation import crowd_correlation
from iot.analytics.evaluation import NO_ALARMS, apart, beginnings, by_chance, judged
from iot.analytics.fleet import Device, outages
from iot.analytics.isolation import Forest, fit_forest
from iot.analytics.neighbours import nearest, neighbours
from iot.analytics.quality import LEFT, Quality, flagged, score_of
from iot.analytics.risk import ANOMALIES, CAMERAS, NIGHT_MOTION, PARTS, Evidence, Making, Part, of_anomaly, of_camera, of_crowd, risk
from iot.analytics.severity import Severity, severities

DAY, HOUR = 86_400.0, 3600.0


# --- isolation forest and neighbours ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    table = rng.normal(0, [1, 10, 100], (3000, 3))
    table[:, 1] += 8 * table[:, 0]
    return table


@pytest.fixture(scope="module")
def forest(rows):
    return fit_forest(rows, share=0.01, trees=50, seed=4)


def test_a_forest_scores_as_scikit_learn_does(rows, forest):
    from sklearn.ensemble import IsolationForest

    scaled = ((rows - forest.median) / forest.scale).astype(np.float32)
    theirs = -IsolationForest(n_estimators=50, max_samples=256, random_state=4).fit(scaled).score_samples(scaled)
    np.testing.assert_allclose(forest.scores(rows), theirs, rtol=1e-9)


def test_only_the_share_asked_for_lies_above_the_limit(rows, forest):
    assert (forest.scores(rows) > forest.limit).mean() == pytest.approx(0.01, abs=0.002)
    assert forest.scores(np.array([[6.0, 50.0, 0.0]]))[0] > forest.limit


def test_a_forest_is_kept_as_arrays_and_read_back(rows, forest):
    again = Forest.from_bytes(forest.as_bytes())
    np.testing.assert_array_equal(again.scores(rows[:100]), forest.scores(rows[:100]))
    assert again.seed == 4 and again.limit == forest.limit
    astray = replace(forest, left=np.where(forest.left >= 0, 10**9, forest.left))
    with pytest.raises(ValueError, match="Not a forest"):
        Forest.from_bytes(astray.as_bytes())


def test_a_row_with_a_hole_is_not_judged_and_too_little_history_is_said(forest):
    assert np.isnan(forest.scores(np.array([[0.0, np.nan, 0.0]]))).all()
    with pytest.raises(ValueError, match="Too little history: 10 whole rows, needs 500"):
        fit_forest(np.ones((10, 2)))
    with pytest.raises(ValueError, match="3 features"):
        forest.scores(np.ones((1, 2)))


def test_one_sensor_apart_from_its_neighbours_is_found_and_a_common_rise_is_not():
    rng = np.random.default_rng(2)
    xy = rng.uniform(0, 1000, (60, 2))
    around = nearest(xy, k=5)
    usual = 20 + xy[:, 0] / 200 + rng.normal(0, 0.2, 60)
    assert not (neighbours(usual + 15, around, floor=0.2).score >= 1).any()
    usual[17] -= 8
    found = neighbours(usual, around, floor=0.2).score
    assert np.nanargmax(found) == 17 and found[17] >= 1


def test_a_sensor_with_too_few_neighbours_is_not_judged():
    around = nearest(np.array([[0.0, 0], [10, 0], [5000, 0]]), k=2, within_m=100)
    assert around.tolist() == [[1, -1], [0, -1], [-1, -1]]
    found = neighbours(np.array([1.0, 9.0, 5.0]), around, least=1, spread=np.ones(3))
    assert np.isfinite(found.score[:2]).all() and np.isnan(found.score[2])
    assert np.isnan(neighbours(np.array([1.0, 9.0, 5.0]), around, least=1).score).all()  # three say nothing of how sensors differ
    assert nearest(np.zeros((1, 2))).tolist() == [[-1] * 5]


# --- grades and quality -------------------------------------------------------------------------------------------------------------------

SCORES = st.floats(0, 1e6)


@given(score=SCORES, more=SCORES, lasted=st.floats(0, 1e7), longer=st.floats(0, 1e7), weight=st.floats(0.1, 10))
def test_a_grade_never_falls_when_anything_gets_worse(score, more, lasted, longer, weight):
    (one,) = severities(np.array([score]), np.array([lasted]), detector="threshold", weight=weight)
    (worse,) = severities(np.array([score + more]), np.array([lasted + longer]), detector="threshold", weight=weight * 1.5)
    assert Severity.INFO <= one <= worse <= Severity.CRITICAL and (score >= 1 or one == Severity.INFO)


def test_a_fault_of_the_sensor_is_never_graded_as_a_danger():
    assert severities(np.array([1e9]), np.array([1e9]), detector="gap", weight=9).tolist() == [Severity.MEDIUM]
    assert severities(np.array([np.nan, np.inf]), np.zeros(2), detector="rate").tolist() == [Severity.INFO, Severity.CRITICAL]


@given(flags=st.integers(0, 511), more=st.sampled_from(list(LEFT)))
def test_another_flag_never_raises_a_readings_quality(flags, more):
    one, other = score_of(np.array([flags, flags | more]))
    assert 0 <= other <= one <= 100


def test_flags_are_stored_by_their_numbers_and_unknown_ones_refused():
    assert [int(flag) for flag in Quality] == [1, 2, 4, 8, 16, 32, 64, 128, 256] and set(LEFT) == set(Quality)
    assert flagged(2, spike=np.array([True, False]), late=np.array([True, True])).tolist() == [129, 1]
    with pytest.raises(ValueError, match="nobody knows"):
        score_of(np.array([512]))


# --- fleet and battery --------------------------------------------------------------------------------------------------------------------


def gone(code, at, gateway, governorate="hawalli"):
    return Device(code, at, {"gateway": gateway, "governorate": governorate})


def test_a_gateway_that_goes_is_one_outage_and_a_governorate_is_one_too():
    sizes = {("gateway", "g1"): 5, ("gateway", "g2"): 5, ("governorate", "hawalli"): 10}
    one = outages([gone(f"a{n}", n, "g1") for n in range(4)], sizes)
    assert [(out.kind, out.name, out.of) for out in one] == [("gateway", "g1", 5)]
    both = outages([gone(f"a{n}", n, "g1") for n in range(4)] + [gone(f"b{n}", n, "g2") for n in range(4)], sizes)
    assert [(out.kind, len(out.devices), out.of) for out in both] == [("governorate", 8, 10)]


def test_devices_that_go_at_different_times_or_alone_are_told_alone():
    apart_in_time = outages([gone(f"a{n}", n * 3600.0, "g1") for n in range(4)], {("gateway", "g1"): 5})
    assert [out.kind for out in apart_in_time] == [""] * 4
    few = outages([gone("a", 0, "g1"), gone("b", 1, "g1")], {("gateway", "g1"): 2})
    assert len(few) == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5000), st.sampled_from("gh"), st.sampled_from("xy")), max_size=25))
def test_each_silent_device_is_told_of_exactly_once(given_):
    silent = [gone(str(n), float(at), gateway, governorate) for n, (at, gateway, governorate) in enumerate(given_)]
    sizes = {("gateway", name): 8 for name in "gh"} | {("governorate", name): 12 for name in "xy"}
    told = [code for one in outages(silent, sizes) for code in one.devices]
    assert sorted(told) == sorted(one.code for one in silent)


def test_where_one_gateway_explains_all_of_a_governorates_silence_it_is_the_gateway():
    sizes = {("gateway", "g1"): 4, ("gateway", "g2"): 2, ("governorate", "hawalli"): 6}
    behind_one = [gone(f"a{n}", n, "g1") for n in range(4)]
    assert [(out.kind, out.name) for out in outages(behind_one, sizes)] == [("gateway", "g1")]
    assert [out.kind for out in outages([*behind_one, gone("b", 1, "g2")], sizes)] == ["governorate"]


def test_a_batterys_interval_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        at = np.arange(0, 60 * DAY, 6 * HOUR)
        level = 95 - 0.7 * at / DAY + rng.normal(0, 1.5, len(at))
        found = battery(at, np.round(level), now_s=60 * DAY)
        assert found.low is not None and found.high is not None
        held += found.low <= (95 - 0.7 * 60 - 10) / 0.7 <= found.high
    assert held >= 51


def test_a_new_battery_starts_a_new_line():
    at = np.arange(60) * DAY
    level = np.where(at < 40 * DAY, 60 - at / DAY, 99 - (at / DAY - 40) * 0.5)
    found = battery(at, level, now_s=59 * DAY)
    assert found.days == 20 and found.per_day == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("level", "why"),
    [(np.full(60, 80.0), "not_falling"), (np.full(60, np.nan), "no_history"), (np.linspace(50, 45, 6), "too_little_history")],
)
def test_a_battery_nothing_can_be_said_of_has_its_reason(level, why):
    found = battery(np.arange(len(level)) * DAY, level, now_s=60 * DAY)
    assert found.why == why and found.days_left is None and found.needs == 14


def test_what_is_after_now_is_not_known_yet():
    at, level = np.arange(60) * DAY, 100 - np.arange(60.0)
    level[40:] = 5
    assert battery(at, level, now_s=39 * DAY).days_left == pytest.approx(100 - 39 - 10, abs=1)


# --- crowds -------------------------------------------------------------------------------------------------------------------------------


def zone(seed, ratio, weeks=30, rate=0.08, lag=2, clustering=0.0):
    """Crowds and incidents that both follow the hour of the week; after an unusual crowd the rate is ``ratio`` times as high."""
    rng = np.random.default_rng(seed)
    hours = np.arange(weeks * 168)
    shape = 1 + np.sin(hours % 24 / 24 * 2 * np.pi) * 0.8
    evening = np.repeat(rng.gamma(3, 1 / 3, weeks * 28), 6)  # crowds last for hours
    crowd = 100 * shape * evening * rng.gamma(20, 1 / 20, len(hours))
    unusual = np.zeros(len(hours), dtype=bool)
    for slot in range(168):
        mine = hours % 168 == slot
        unusual[mine] = crowd[mine] > np.quantile(crowd[mine], 0.8)
    after = np.zeros(len(hours), dtype=bool)
    for step in range(1, lag + 1):
        after[step:] |= unusual[:-step]
    week = np.repeat(rng.gamma(1 / clustering, clustering, weeks), 168) if clustering else 1.0
    return rng.poisson(rate * shape * np.where(after, ratio, 1.0) * week), crowd


def test_pure_chance_is_called_evidence_no_oftener_than_promised():
    found = [crowd_correlation(*zone(seed, 1.0)) for seed in range(70)]
    wrong = np.mean([one.verdict == "evidence" for one in found])
    assert wrong <= 0.05 + 2 * (0.05 * 0.95 / 70) ** 0.5
    assert 0.9 < np.exp(np.mean([np.log(one.ratio or np.nan) for one in found])) < 1.1


def test_weeks_that_differ_by_themselves_make_no_evidence():
    found = [crowd_correlation(*zone(seed, 1.0, clustering=0.5)) for seed in range(50)]
    assert np.mean([one.verdict == "evidence" for one in found]) <= 0.05 + 2 * (0.05 * 0.95 / 50) ** 0.5


def test_a_true_ratio_is_found_and_lies_in_its_interval():
    found = [crowd_correlation(*zone(seed, 2.0)) for seed in range(40)]
    assert np.mean([one.verdict == "evidence" for one in found]) > 0.95
    assert np.mean([(one.low or 9) <= 2.0 <= (one.high or 0) for one in found]) >= 0.95 - 2 * (0.05 * 0.95 / 40) ** 0.5


def test_the_time_of_day_alone_makes_no_ratio():
    incidents, crowd = zone(5, 1.0, weeks=60, rate=0.3)
    plainly = incidents[1:][crowd[:-1] > np.quantile(crowd, 0.8)].mean() / incidents[1:][crowd[:-1] <= np.quantile(crowd, 0.8)].mean()
    assert plainly > 1.3  # what comparing all hours would have said
    assert crowd_correlation(incidents, crowd).verdict == "no_evidence"


def test_too_little_is_said_in_words():
    incidents, crowd = zone(1, 2.0, weeks=5)
    assert crowd_correlation(incidents, crowd).why == "few_weeks"
    incidents, crowd = zone(1, 2.0, rate=0.0005)
    found = crowd_correlation(incidents, crowd)
    assert found.verdict == "too_little" and found.why == "few_incidents" and found.ratio is None
    assert crowd_correlation(np.zeros(0, dtype=int), np.zeros(0)).verdict == "too_little"
    assert crowd_correlation(incidents, np.full(len(crowd), np.nan)).verdict == "too_little"


def test_hours_no_sensor_spoke_are_compared_with_nothing():
    incidents, crowd = zone(2, 2.0)
    holed = crowd.copy()
    holed[:2000] = np.nan
    found = crowd_correlation(incidents, holed)
    assert found.weeks < 22 and found.hours_after + found.hours_other <= 30 * 168 - 2000
    with pytest.raises(ValueError):
        crowd_correlation(incidents, crowd[:-1])


# --- risk ---------------------------------------------------------------------------------------------------------------------------------

EVIDENCE = st.builds(
    Evidence,
    kind=st.sampled_from(PARTS),
    key=st.text("abcdefgh", min_size=1, max_size=3),
    at_s=st.floats(0, 5 * DAY),
    amount=st.floats(0, 50),
    until_s=st.none() | st.floats(0, 6 * DAY),
)


@given(st.lists(EVIDENCE, max_size=12), EVIDENCE, st.floats(0, 8 * DAY), st.randoms(use_true_random=False))
def test_the_score_is_replayable_bounded_and_one_thing_more_never_lowers_it(evidence, more, now, shuffler):
    score = risk(evidence, now_s=now)
    turned = list(evidence)
    shuffler.shuffle(turned)
    assert risk(turned, now_s=now) == score
    assert 0 <= score.score <= 100 and score.score == pytest.approx(sum(part.points for part in score.parts))
    richer = risk([*evidence, more], now_s=now)
    for part, other in zip(score.parts, richer.parts, strict=True):
        assert other.points >= part.points - 1e-9 and 0 <= other.points <= Making().parts[part.kind].most
        assert sum(points for _key, points in other.of) == pytest.approx(other.points)


@given(st.lists(EVIDENCE, max_size=8), st.floats(0, 4 * DAY))
def test_what_is_not_known_yet_does_not_count(evidence, now):
    known = [one for one in evidence if one.at_s <= now]
    assert risk(evidence, now_s=now) == risk(known, now_s=now)


def test_a_part_fades_by_its_half_life_and_does_not_while_it_goes_on():
    making = Making()
    ended = Evidence(ANOMALIES, "a", 0.0, 1e-6, until_s=0.0)  # small enough for the curve to be a line
    now, later = (risk([ended], now_s=at).score for at in (0.0, making.parts[ANOMALIES].half_life_s))
    assert later == pytest.approx(now / 2, rel=1e-4)
    standing = Evidence(ANOMALIES, "a", 0.0, 3.0)
    assert risk([standing], now_s=0.0).score == risk([standing], now_s=9 * DAY).score


def test_motion_counts_only_in_the_dead_of_night_on_the_local_clock():
    at_three, at_noon = 0.0 * HOUR, 9 * HOUR  # 03:00 and 12:00 in Kuwait
    assert risk([Evidence(NIGHT_MOTION, "m", at_three, 3.0)], now_s=at_three).score > 5
    assert risk([Evidence(NIGHT_MOTION, "m", at_noon, 3.0)], now_s=at_noon).score == 0


def test_an_offline_camera_counts_more_where_incidents_are_frequent():
    scores = [risk([Evidence(CAMERAS, "c", 0.0, of_camera(rank))], now_s=0.0).score for rank in (0.0, 0.5, 1.0, 7.0, float("nan"))]
    assert 0 < scores[0] < scores[1] < scores[2] == scores[3] and scores[4] == scores[0]


def test_the_same_thing_told_twice_counts_once_and_a_crowd_as_usual_not_at_all():
    twice = [Evidence(ANOMALIES, "a", 0.0, of_anomaly(3)), Evidence(ANOMALIES, "a", 0.0, of_anomaly(4))]
    assert risk(twice, now_s=0.0).score == risk(twice[1:], now_s=0.0).score
    assert of_crowd(0.7) == of_crowd(float("nan")) == 0 < of_crowd(1.5) < of_crowd(99.0) == 5.0


def test_a_making_must_add_up_and_evidence_must_be_of_a_part():
    with pytest.raises(ValueError, match="add up to 100"):
        Making(parts={**Making().parts, ANOMALIES: Part(50.0, 1.0, 1.0)})
    with pytest.raises(ValueError, match="no part 'weather'"):
        Evidence("weather", "w", 0.0, 1.0)
    with pytest.raises(ValueError, match="not below 0"):
        Evidence(ANOMALIES, "w", 0.0, float("nan"))


# --- judging alarms -----------------------------------------------------------------------------------------------------------------------


def test_an_alarm_that_stood_before_an_event_catches_nothing():
    at = np.arange(100.0)
    active = np.zeros(100, dtype=np.int8)
    active[10:60] = 1
    assert judged(beginnings(at, active), np.array([20.0]), np.array([50.0])).recall == 0


def test_several_alarms_within_one_event_catch_it_once():
    found = judged(np.array([21.0, 25.0, 90.0]), np.array([20.0]), np.array([50.0])) + NO_ALARMS
    assert (found.precision, found.recall, found.delay_s) == (2 / 3, 1.0, 1.0)
    assert apart(np.array([25.0, 21.0, 90.0]), 10.0).tolist() == [21.0, 90.0]


def test_chance_has_the_share_of_time_that_events_cover():
    right, caught = by_chance(np.array([3.0]), np.array([0.0, 50.0]), np.array([20.0, 60.0]), from_s=0.0, to_s=100.0, draws=4000)
    assert right == pytest.approx(0.3, abs=0.03) and caught == pytest.approx(0.15, abs=0.03)
    assert (
        np.isnan(NO_ALARMS.precision)
        and NO_ALARMS.f1 == 0
        and np.isnan(by_chance(np.zeros(0), np.zeros(1), np.ones(1), from_s=0, to_s=9)[0])
    )
