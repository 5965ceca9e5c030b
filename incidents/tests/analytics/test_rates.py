"""ANA-10: what may be called a change. No database."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from incidents.analytics.rates import dispersion, rate_ratio


def test_it_is_the_exact_binomial_test_of_two_poisson_rates():
    found = rate_ratio([30, 5, 0, 12], [10, 9, 4, 0])
    for at, (now, before) in enumerate([(30, 10), (5, 9), (0, 4), (12, 0)]):
        exact = binomtest(now, now + before).proportion_ci(0.95)
        assert found.low[at] == pytest.approx(exact.low / (1 - exact.low))
        assert found.high[at] == (pytest.approx(exact.high / (1 - exact.high)) if before else np.inf)
        assert found.p[at] == pytest.approx(min(1.0, binomtest(now, now + before).pvalue), rel=0.05)


def test_nothing_against_nothing_says_nothing():
    found = rate_ratio([0], [0])
    assert np.isnan(found.ratio[0])
    assert (found.low[0], found.high[0], found.p[0]) == (0.0, np.inf, 1.0)


def test_days_of_unequal_number_are_compared_by_the_day():
    assert rate_ratio([60], [59], days_now=60, days_before=59).ratio[0] == pytest.approx(1.0)


def test_poisson_noise_is_called_a_change_once_in_twenty_at_most():
    rng = np.random.default_rng(7)
    counts = rng.poisson(80, (4000, 2))
    assert (rate_ratio(counts[:, 0], counts[:, 1]).p <= 0.05).mean() <= 0.055


def test_swinging_counts_are_not_called_changes_once_their_swing_is_known():
    rng = np.random.default_rng(8)
    weeks = rng.negative_binomial(20, 0.2, (2000, 54))  # variance five times the mean
    swing = dispersion(weeks[:, :50])
    assert swing.mean() == pytest.approx(5, rel=0.1)
    now, before = weeks[:, 53], weeks[:, 52]
    assert (rate_ratio(now, before).p <= 0.05).mean() > 0.2
    assert (rate_ratio(now, before, dispersion=swing).p <= 0.05).mean() <= 0.06


def test_a_slow_rise_is_no_swing():
    assert dispersion([list(range(100, 150))])[0] == 1.0


def test_too_few_weeks_say_nothing_of_the_swing():
    assert np.isnan(dispersion([[3, 4, 5]])[0])


@pytest.mark.parametrize("given", [{"now": [-1], "before": [1]}, {"now": [1], "before": [1], "days_now": 0}])
def test_what_cannot_be_counted_is_refused(given):
    with pytest.raises(ValueError, match=r"count|Counting"):
        rate_ratio(**given)
