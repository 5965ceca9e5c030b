"""PAT-8: whom to send, worked out by hand; nothing here needs a database."""

from __future__ import annotations

import json

import numpy as np
import pytest

from patrol.analytics.recommend import Candidate, Need, Weights, from_plain, parts_of, rank, ranked_to_plain, to_plain


def unit(number: int, minutes: float = 5, **more) -> Candidate:
    return Candidate(number, f"P{number}", **{"kind": "patrol", "eta_s": minutes * 60, "position_age_s": 5.0, **more})


def order(*candidates, needs=()) -> list[int]:
    return [row.unit for row in rank(candidates, needs, Weights()).rows]


def test_the_nearest_of_equals_is_first_and_ties_go_by_number():
    assert order(unit(3, 5), unit(1, 7), unit(2, 5)) == [2, 3, 1]


def test_a_score_is_the_sum_of_minutes_that_anybody_can_check():
    tired = unit(1, 10, open_tasks=2, given_today=4, rest_h=8.0, overtime_h=1.5, is_home=False, is_lent=True)
    parts = parts_of(tired, Weights())
    assert parts == {"eta": 10, "open_task": 4, "given_today": 1, "short_rest": 1.5, "overtime": 3, "away": 3, "lent": 3}
    assert rank([tired], [], Weights()).rows[0].score == 25.5


def test_what_is_unknown_costs_nothing_and_is_not_called_zero():
    assert parts_of(unit(1, rest_h=None), Weights()) == {"eta": 5}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"state": "off_duty"}, "off_duty"),
        ({"state": "out_of_service"}, "out_of_service"),
        ({"on_incident": True}, "on_incident"),
        ({"position_age_s": None}, "no_position"),
        ({"position_age_s": 60.1}, "stale_position"),
        ({"eta_s": None}, "no_way"),
        ({"sent": True}, "already_sent"),
    ],
)
def test_who_cannot_be_sent_is_listed_last_with_the_reason(more, reason):
    ranked = rank([unit(1, 1, **more), unit(2, 30)], [Need(), Need()], Weights())
    assert [(row.unit, row.why_not, row.advised) for row in ranked.rows] == [(2, "", True), (1, reason, False)]


def test_a_position_at_the_limit_still_counts():
    assert rank([unit(1, position_age_s=60.0)], [], Weights()).rows[0].why_not == ""


def test_units_are_matched_so_that_all_needs_are_met_even_where_the_nearest_must_yield():
    """The nearest has both skills; were it taken for the plain need, nobody could rescue."""
    both, plain = unit(1, 2, skills=("water-rescue",)), unit(2, 6)
    ranked = rank([both, plain], [Need(), Need(skill="water-rescue")], Weights())
    assert {row.unit: row.need for row in ranked.rows} == {1: 1, 2: 0}
    assert not ranked.shortfalls


def test_a_shortfall_is_said_with_the_nearest_who_would_be_late_and_is_advised_as_late():
    ranked = rank([unit(1, 3), unit(2, 25, skills=("water-rescue",))], [Need(skill="water-rescue", within_s=1200)], Weights())
    (short,) = ranked.shortfalls
    assert (short.skill, short.within_s, short.nearest, short.nearest_eta_s, short.nearest_why_not) == ("water-rescue", 1200, 2, 1500, "")
    assert [(row.unit, row.advised, row.is_late) for row in ranked.rows] == [(1, False, False), (2, True, True)]


def test_a_shortfall_names_the_one_who_could_but_may_not_and_nobody_where_there_is_nobody():
    ranked = rank([unit(1, 3), unit(2, 4, skills=("diver",), state="off_duty")], [Need(skill="diver"), Need(kind="boat")], Weights())
    diver, boat = ranked.shortfalls
    assert (diver.nearest, diver.nearest_why_not) == (2, "off_duty")
    assert (boat.kind, boat.nearest) == ("boat", None)


def test_who_is_there_already_meets_the_card_first():
    ranked = rank([unit(1, 3, sent=True, kind="engine"), unit(2, 4), unit(3, 5)], [Need(kind="engine"), Need(kind="patrol")], Weights())
    assert ranked.met == (1, None)
    assert [row.unit for row in ranked.rows if row.advised] == [2]


def test_nobody_at_all_is_a_shortfall_and_no_error():
    ranked = rank([], [], Weights())
    assert ranked.rows == () and len(ranked.shortfalls) == 1


def test_the_same_unit_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        rank([unit(1), unit(1)], [], Weights())


def test_what_json_keeps_gives_the_same_ranking_again():
    rng = np.random.default_rng(7)
    people = [
        unit(n, round(float(rng.uniform(1, 40)), 3), open_tasks=int(rng.integers(3)), rest_h=round(float(rng.uniform(6, 14)), 2),
             skills=("diver",) if n % 7 == 0 else (), state="off_duty" if n % 11 == 0 else "available")
        for n in range(60)
    ]  # fmt: skip
    needs = [Need(), Need(skill="diver", within_s=600.0), Need(kind="boat")]
    first = ranked_to_plain(rank(people, needs, Weights()))
    kept = json.loads(json.dumps([to_plain(people, needs, Weights()), first]))
    assert list(ranked_to_plain(rank(*from_plain(kept[0])))) == [*first] == kept[1]


def test_no_matching_beats_ours_on_small_cases():
    """Every matching of three units to two needs, tried by hand."""
    rng = np.random.default_rng(3)
    for _round in range(50):
        people = [unit(n, float(rng.uniform(1, 30)), skills=("s",) if rng.random() < 0.5 else ()) for n in range(3)]
        needs = [Need(skill="s" if rng.random() < 0.5 else ""), Need()]
        pairs = [(a, b) for a in people for b in people if a is not b and needs[0].suits(a) and needs[1].suits(b)]
        ours = {row.need: row.score for row in rank(people, needs, Weights()).rows if row.advised}
        if pairs:
            best = min((a.eta_s or 0) + (b.eta_s or 0) for a, b in pairs) / 60
            assert sum(score or 0 for score in ours.values()) == pytest.approx(best, abs=0.01)
