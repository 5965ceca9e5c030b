"""ALR-2: how a policy's steps follow one another, as sums alone."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.analytics import escalating
from alerts.analytics.escalating import Place, Then, after, applies, count_of_places, lasts_s, walk

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
steps = st.fixed_dictionaries({"wait_s": st.integers(0, 600), "repeat_times": st.integers(0, 3)})
policies = st.fixed_dictionaries(
    {
        "steps": st.lists(steps, max_size=5),
        "repeat_times": st.integers(0, 3),
        "repeat_wait_s": st.integers(0, 900),
        "hurry_percent": st.integers(0, 100),
    }
)


def test_the_examples_hold():
    assert doctest.testmod(escalating).failed == 0


@given(policies)
def test_a_walk_visits_each_place_once_and_ends(policy):
    places = [place for _at, place in walk(policy, NOON)]
    assert len(places) == len(set(places)) == count_of_places(policy)


@given(policies)
def test_hurrying_never_makes_a_policy_longer_and_never_a_burst_of_what_had_waits(policy):
    calm = policy | {"hurry_percent": 0}
    assert lasts_s(policy) <= lasts_s(calm)
    waits = [step["wait_s"] for step in policy["steps"]]
    assert all(escalating.hurried(wait, policy["hurry_percent"]) >= min(wait, 5) for wait in waits)


def test_a_step_that_reaches_nobody_is_neither_waited_for_nor_repeated():
    policy = {"steps": [{"wait_s": 60, "repeat_times": 2}, {"wait_s": 30}], "repeat_times": 1, "repeat_wait_s": 300}
    assert after(policy, Place(), moves_on=False) == Then(Place(repeat_no=1), 60)
    assert after(policy, Place(), moves_on=True) == Then(Place(step_no=1), 0)
    assert after(policy, Place(step_no=1), moves_on=False) == Then(Place(loop=1), 330)
    assert after(policy, Place(step_no=1), moves_on=True) == Then(Place(loop=1), 300)
    assert after(policy, Place(loop=1, step_no=1), moves_on=False) == Then(None, 30)


def test_the_times_of_a_walk_add_up():
    policy = {"steps": [{"wait_s": 60}, {"wait_s": 120}], "repeat_times": 1, "repeat_wait_s": 300}
    assert [int((at - NOON) / timedelta(seconds=1)) for at, _place in walk(policy, NOON)] == [0, 60, 480, 540]
    assert lasts_s(policy) == 660


def test_a_step_for_other_levels_or_days_does_not_apply():
    assert not applies({"only_levels": ["critical"]}, local=NOON, level="high")
    assert applies({"only_levels": ["critical"]}, local=NOON, level="critical")
    assert not applies({"only_weekdays": [4]}, local=NOON, level="high")  # a Saturday
    assert applies({"only_from": "08:00", "only_to": "16:00", "only_weekdays": [5]}, local=NOON, level="high")
    assert not applies({"only_from": "12:01"}, local=NOON, level="high") and applies({"only_to": "12:01"}, local=NOON, level="high")
