"""ANA-8: the figures predictions are judged by, against their definitions written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from incidents.analytics.evaluation import Hits, bootstrap_ratio, cells_of, count_cdf, crps_count, hits_at, rri, total


def test_pai_hit_rate_and_pei_are_the_published_formulas():
    scores = np.arange(100.0)
    counts = np.zeros(100)
    counts[[99, 98, 3]] = 6, 1, 3
    found = hits_at(scores, counts, 0.02)
    assert found == Hits(hits=7, incidents=10, chosen=2, cells=100, best=9)
    assert (
        found.hit_rate == pytest.approx(0.7) and found.pai == pytest.approx((7 / 10) / (2 / 100)) and found.pei_star == pytest.approx(7 / 9)
    )


def test_equal_scores_at_the_cut_count_for_the_share_that_fits_whatever_their_order():
    counts = np.array([0.0, 4.0, 2.0, 0.0])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        assert hits_at(np.ones(4), counts[order], 0.5).hits == 3.0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=60), st.floats(0.01, 1))
def test_no_choice_catches_more_than_the_best_and_all_cells_catch_all(pairs, share):
    scores, counts = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    found = hits_at(scores, counts, share)
    assert 0 <= found.hits <= found.best + 1e-9 <= found.incidents + 2e-9
    assert hits_at(scores, counts, 1.0).hits == pytest.approx(counts.sum())


def test_a_quiet_period_has_no_index_but_adds_up_with_others():
    quiet, busy = hits_at(np.arange(10.0), np.zeros(10), 0.1), hits_at(np.arange(10.0), np.arange(10.0), 0.1)
    assert np.isnan(quiet.pai) and np.isnan(quiet.hit_rate) and np.isnan(rri(busy, quiet))
    both = total([quiet, busy])
    assert both.pai == busy.pai and both.cells == 20
    assert rri(busy, busy) == 1.0


@pytest.mark.parametrize(
    ("scores", "counts", "share"),
    [([], [], 0.1), ([1.0], [1.0, 2.0], 0.1), ([1.0], [-1.0], 0.1), ([1.0], [np.nan], 0.1), ([1.0], [1.0], 0.0), ([1.0], [1.0], 1.1)],
)
def test_nonsense_is_refused(scores, counts, share):
    with pytest.raises(ValueError):
        hits_at(np.array(scores), np.array(counts), share)


def test_a_score_that_is_no_number_is_the_lowest():
    assert hits_at(np.array([np.nan, 1.0, np.nan]), np.array([5.0, 1.0, 5.0]), 1 / 3).hits == 1.0


def test_a_share_is_at_least_one_cell():
    assert cells_of(0.01, 5) == 1 and cells_of(1, 5) == 5


def test_the_interval_of_a_ratio_covers_it_and_the_same_seed_gives_the_same():
    rng = np.random.default_rng(4)
    covered = 0
    for number in range(200):
        base = rng.poisson(50, 52).astype(float)
        ours = rng.poisson(1.1 * base).astype(float)
        found = bootstrap_ratio(ours, base, seed=number, draws=400)
        covered += found.low <= 1.1 <= found.high
    assert 180 <= covered <= 199
    assert bootstrap_ratio(ours, base, seed=3) == bootstrap_ratio(ours, base, seed=3)
    assert np.isnan(bootstrap_ratio(np.ones(3), np.zeros(3)).low)
    with pytest.raises(ValueError):
        bootstrap_ratio(np.ones(2), np.ones(3))


def test_crps_is_the_sum_over_whole_numbers_written_out():
    for mean, dispersion, seen in ((0.3, 1.0, 2), (4.0, 1.0, 4), (40.0, 3.0, 70), (0.05, 2.0, 0), (1200.0, 5.0, 900)):
        x = np.arange(0, 20_000)
        law = poisson(mean) if dispersion == 1 else nbinom(mean / (dispersion - 1), 1 / dispersion)
        assert crps_count(np.array([mean]), dispersion, np.array([float(seen)]))[0] == pytest.approx(
            float(((law.cdf(x) - (x >= seen)) ** 2).sum()), rel=1e-6
        )


def test_crps_rewards_the_forecast_that_is_right_about_its_own_spread():
    rng = np.random.default_rng(2)
    seen = rng.negative_binomial(10 / 2, 1 / 3, 4000).astype(float)  # mean 10, variance 30
    by_spread = {d: crps_count(np.full(4000, 10.0), d, seen).mean() for d in (1.0, 3.0, 12.0)}
    assert by_spread[3.0] < by_spread[1.0] and by_spread[3.0] < by_spread[12.0]


def test_rows_of_very_different_size_are_scored_alike_together_and_alone():
    mean, seen = np.array([0.01, 900.0, 3.0, 0.0]), np.array([0.0, 1000.0, 9.0, 2.0])
    together = crps_count(mean, 2.0, seen)
    assert together == pytest.approx([crps_count(mean[[i]], 2.0, seen[[i]])[0] for i in range(4)])
    assert together[3] == 2.0


def test_crps_refuses_what_is_no_count():
    for mean, seen in ((-1.0, 1.0), (np.nan, 1.0), (1.0, -1.0)):
        with pytest.raises(ValueError):
            crps_count(np.array([mean]), 1.0, np.array([seen]))


def test_the_distribution_is_scipys():
    x = np.arange(-1, 30.0)
    assert count_cdf(x, np.array(5.0), np.array(2.0)) == pytest.approx(nbinom(5, 0.5).cdf(x))
    assert count_cdf(x, np.array(5.0), np.array(1.0)) == pytest.approx(poisson(5).cdf(x))
