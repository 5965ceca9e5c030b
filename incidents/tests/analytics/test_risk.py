"""ANA-5, ANA-7, ANA-8: the risk surface learns from the past alone, adds up, finds what is planted, and says when it cannot."""

import numpy as np
import pytest

from incidents.analytics.evaluation import hits_at
from incidents.analytics.grid import Cells
from incidents.analytics.risk import NAME, USUAL_SHARES, TooLittleHistory, counted, origins_to_learn_from, origins_until, predict_risk
from incidents.analytics.risk_backtest import backtest_risk
from incidents.analytics.risk_baselines import Baselines
from incidents.analytics.risk_components import SOURCES, Happened, Smear, Source, components, part_name

CELL = 250.0


def a_town(seed=1, *, days=400, rate=6.0, side_m=5_000.0, hot=((1_125.0, 1_125.0, 0.3), (4_125.0, 3_125.0, 0.15)), others=0):
    """A steady town with two places that stay busy."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(rate * days)
    xy = rng.uniform(0, side_m, (n, 2))
    which = rng.uniform(size=n)
    at = 0.0
    for x, y, share in hot:
        mine = (which >= at) & (which < at + share)
        xy[mine] = np.array([x, y]) + rng.normal(0, 40, (mine.sum(), 2))
        at += share
    own = np.ones(n, dtype=bool)
    own[rng.choice(n, others, replace=False)] = False
    return Happened(xy, rng.uniform(0, days, n), own)


def test_what_happens_later_changes_nothing():
    town = a_town()
    as_of = 300.0
    known = predict_risk(town.before(as_of), as_of=as_of, horizon_days=7, cell_m=CELL)
    moved = Happened(np.where((town.day >= as_of)[:, None], 77_777.0, town.xy_m), town.day, town.own)
    again = predict_risk(moved, as_of=as_of, horizon_days=7, cell_m=CELL)
    assert np.array_equal(known.expected, again.expected) and np.array_equal(known.cells.columns, again.cells.columns)


def test_an_incident_at_the_very_moment_looked_from_is_not_before_it():
    cells = Cells.under(np.array([[10.0, 10.0]]), cell_m=CELL)
    day = np.array([0.5, 14.0])
    seen = components(Happened(np.full((2, 2), 10.0), day, np.ones(2, bool)), cells, np.array([0.0, 7.0, 14.0, 21.0]), keep=4)
    own = seen.values[:, 0, seen.names.index("own 7 0")]
    only_first = components(Happened(np.full((1, 2), 10.0), day[:1], np.ones(1, bool)), cells, np.array([0.0, 7.0, 14.0]), keep=3)
    assert own[2] == pytest.approx(only_first.values[2, 0, only_first.names.index("own 7 0")])
    assert own[0] == 0 and own[3] > own[2]


def test_fading_counts_are_what_their_definition_says():
    rng = np.random.default_rng(3)
    n, life = 60, 28.0
    happened = Happened(rng.uniform(0, 1000, (n, 2)), rng.uniform(0, 70, n), np.ones(n, bool))
    cells = Cells.under(happened.xy_m, cell_m=CELL)
    seen = components(happened, cells, np.arange(0.0, 78.0, 7.0), keep=2, sources=(Source("own", (life,), (0, 100)),))
    origin = 70.0
    past = happened.day < origin
    lived = life * (1 - np.exp(-(origin - happened.day[past].min()) / life)) / 7
    number = cells.of_points(happened.xy_m)
    by_hand = np.bincount(number[past], weights=np.exp(-(origin - happened.day[past]) / life), minlength=len(cells)) / lived
    assert seen.values[0, :, 0] == pytest.approx(by_hand, rel=1e-5) and seen.origins[0] == origin
    smeared = seen.values[0, :, 1]
    assert smeared.sum() <= by_hand.sum() * (1 + 1e-6) and (smeared > 0).sum() >= (by_hand > 0).sum()


def test_smearing_keeps_every_incident_where_there_are_cells_all_round():
    cells = Cells.under(
        np.stack(np.meshgrid(np.arange(125, 5000, 250), np.arange(125, 5000, 250)), axis=-1).reshape(-1, 2).astype(float), cell_m=CELL
    )
    one = Smear(np.array([[2_430.0, 2_510.0]]), cells, 250.0).over(slice(None))
    assert one.sum() == pytest.approx(1.0, abs=0.02) and cells.centres_m[one.argmax()].tolist() == [2_375.0, 2_625.0]
    assert Smear(np.empty((0, 2)), cells, 250.0).over(slice(None)).sum() == 0


def test_ten_victims_of_one_event_count_once_among_the_days():
    xy, day = np.full((10, 2), 10.0), np.full(10, 3.4)
    seen = components(Happened(xy, day, np.ones(10, bool)), Cells.under(xy, cell_m=CELL), np.array([0.0, 7.0]), keep=1)
    own, days = (seen.values[0, 0, seen.names.index(name)] for name in ("own 448 0", "days 448 0"))
    assert own == pytest.approx(10 * days)


def test_the_parts_of_a_cell_add_up_to_its_risk_and_have_names_for_people():
    risk = predict_risk(a_town(others=300), as_of=400.0, horizon_days=7, cell_m=CELL)
    assert set(risk.parts) == {"long_run", "recent", "neighbours", "near_repeat", "others", "season", "background"}
    assert sum(risk.parts.values()) == pytest.approx(risk.expected) and (risk.expected >= 0).all()
    assert {part_name(name) for name in USUAL_SHARES} <= set(risk.parts)


def test_what_is_expected_in_all_is_near_what_happens():
    town = a_town(days=500)
    risk = predict_risk(town, as_of=430.0, horizon_days=28, cell_m=CELL)
    assert risk.expected.sum() == pytest.approx(6.0 * 28, rel=0.15)


def test_planted_places_come_out_on_top_and_the_model_does_not_lose_to_counting_four_weeks():
    town = a_town(days=500)
    cells = Cells.under(town.xy_m, cell_m=CELL)
    found = backtest_risk(town, first=360.0, last=500.0, horizon_days=7, cells=cells, refit_weeks=10)
    top = np.argsort(-predict_risk(town, as_of=493.0, horizon_days=7, cell_m=CELL, cells=cells).expected)[:2]
    assert {tuple(centre) for centre in cells.centres_m[top].tolist()} == {(1_125.0, 1_125.0), (4_125.0, 3_125.0)}
    assert found.pai(NAME, 0.01) > 0.97 * found.pai("last_4_weeks", 0.01) and found.hits[NAME][0.01][0].chosen == 4
    assert found.against(NAME, "last_4_weeks", 0.05).low > 0.95
    assert len(found.origins) == 20 and np.isfinite(found.rri(NAME, 0.05))


def test_the_baselines_are_plain_counts_before_the_origin():
    town = a_town()
    cells = Cells.under(town.xy_m, cell_m=CELL)
    found = backtest_risk(town, first=300.0, last=321.0, horizon_days=7, cells=cells)
    came = counted(town, cells, np.array([307.0]), horizon_days=7)[0]
    score = Baselines(town, cells).at(307.0)["last_4_weeks"]
    assert score.sum() == ((town.day >= 279) & (town.day < 307)).sum() and came.sum() == ((town.day >= 307) & (town.day < 314)).sum()
    assert found.hits["last_4_weeks"][0.03][1] == hits_at(score, came.astype(float), 0.03)
    assert all(nothing.sum() == 0 for nothing in Baselines(town, cells).at(0.0).values())


def test_a_backtest_sees_no_later_than_each_origin():
    town = a_town(days=420)
    cells = Cells.under(town.xy_m, cell_m=CELL)
    whole = backtest_risk(town, first=300.0, last=420.0, horizon_days=7, cells=cells)
    cut = backtest_risk(town.before(349.0), first=300.0, last=349.0, horizon_days=7, cells=cells)
    assert cut.hits[NAME][0.05] == whole.hits[NAME][0.05][:7]


@pytest.mark.parametrize(("days", "n", "says"), [(5, 50, "5 days, needs 28"), (60, 12, "12 incidents, needs 30"), (60, 0, "no incidents")])
def test_too_little_history_is_said_in_figures(days, n, says):
    rng = np.random.default_rng(1)
    day = rng.uniform(0, days, n)
    if n:
        day[0] = 0.0
    happened = Happened(rng.uniform(0, 3000, (n, 2)), day, np.ones(n, bool))
    with pytest.raises(TooLittleHistory, match=says):
        predict_risk(happened, as_of=float(days), horizon_days=7, cell_m=CELL)


def test_six_weeks_ahead_need_six_weeks_behind_to_learn_from():
    happened = Happened(np.full((50, 2), 10.0), np.linspace(0, 29.9, 50), np.ones(50, bool))
    with pytest.raises(TooLittleHistory, match="4 weeks, needs 7"):
        predict_risk(happened, as_of=30.0, horizon_days=42, cell_m=CELL)


@pytest.mark.parametrize("shape", ["point", "line"])
def test_a_thousand_on_one_point_and_all_on_a_line_are_answered(shape):
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 20_000, 1000) if shape == "line" else np.zeros(1000)
    risk = predict_risk(
        Happened(np.stack([x, x], axis=1), rng.uniform(0, 300, 1000), np.ones(1000, bool)), as_of=300.0, horizon_days=7, cell_m=CELL
    )
    assert np.isfinite(risk.expected).all() and risk.expected.sum() == pytest.approx(1000 / 300 * 7, rel=0.35)


def test_a_year_with_a_gap_and_a_coordinate_that_is_no_number():
    town = a_town(days=800, rate=3.0)
    gap = (town.day < 200) | (town.day > 600)
    risk = predict_risk(Happened(town.xy_m[gap], town.day[gap], town.own[gap]), as_of=800.0, horizon_days=7, cell_m=CELL)
    assert np.isfinite(risk.expected).all()
    with pytest.raises(ValueError, match="not a finite number"):
        Happened(np.array([[np.nan, 1.0]]), np.array([1.0]), np.array([True]))


def test_cells_are_found_by_column_and_row_also_west_and_south_of_the_origin():
    xy = np.array([[-10.0, -10.0], [-260.0, 700.0], [10.0, 10.0]])
    cells = Cells.under(xy, cell_m=CELL)
    assert cells.of_points(xy).tolist() == [1, 0, 2] and cells.of_points(np.array([[5_000.0, 0.0], [-10.0, 300.0]])).tolist() == [-1, -1]


def test_origins_with_little_behind_them_do_not_teach_once_there_are_others():
    origins = np.arange(7.0, 708.0, 7.0)
    chosen = origins[origins_to_learn_from(origins, begins=0.0, now=707.0, horizon_days=7)]
    assert chosen.min() >= 0.6 * 707 and chosen.max() == 700.0
    early = origins_to_learn_from(origins[:20], begins=0.0, now=140.0, horizon_days=7)
    assert early.tolist() == list(range(19))
    assert len(origins_to_learn_from(origins, begins=-9_999.0, now=707.0, horizon_days=7, train_weeks=52)) == 52


def test_origins_are_weekly_and_end_at_the_day_looked_from():
    assert origins_until(30.0, 1.0).tolist() == [2.0, 9.0, 16.0, 23.0, 30.0]
    with pytest.raises(ValueError, match="a week apart"):
        components(a_town(), Cells.under(a_town().xy_m, cell_m=CELL), np.array([0.0, 8.0, 15.0]), keep=1)
    assert {source.name for source in SOURCES} == {"own", "days", "others"}
