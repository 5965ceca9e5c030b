"""Walking forward through the past: what the model and each baseline would have said every week, beside what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.evaluation import Estimate, Hits, bootstrap_ratio, hits_at, total
from incidents.analytics.grid import Cells
from incidents.analytics.risk import NAME, TRAIN_WEEKS, TooLittleHistory, check_history, counted, fit_risk, origins_to_learn_from
from incidents.analytics.risk_baselines import BASELINES, Baselines
from incidents.analytics.risk_components import STEP_DAYS, Components, Happened, components

_FloatArray = NDArray[np.float64]
AREA_SHARES = (0.01, 0.03, 0.05)
REFIT_WEEKS = 4


@dataclass(frozen=True)
class Backtest:
    """``hits[model][share]`` holds one :class:`Hits` an origin; ``origins`` are the days looked from."""

    origins: tuple[float, ...]
    horizon_days: float
    cells: int
    incidents: int
    hits: dict[str, dict[float, tuple[Hits, ...]]]

    def pai(self, model: str, share: float) -> float:
        return total(self.hits[model][share]).pai

    def best_baseline(self, share: float) -> str:
        """The baseline with the highest PAI over all origins, chosen in hindsight: the hardest one to beat."""
        return max((name for name in self.hits if name != NAME), key=lambda name: (self.pai(name, share), name))

    def estimate(self, model: str, share: float, figure: str, *, seed: int = 1) -> Estimate:
        """``figure`` (pai, pei_star or hit_rate) over all origins, with an interval from drawing whole origins anew."""
        found = self.hits[model][share]
        caught = np.array([one.hits for one in found])
        if figure == "pei_star":
            return bootstrap_ratio(caught, np.array([one.best for one in found]), seed=seed)
        there = np.array([one.incidents for one in found])
        if figure == "hit_rate":
            return bootstrap_ratio(caught, there, seed=seed)
        area = total(found)
        return bootstrap_ratio(caught, there * (area.chosen / area.cells), seed=seed)

    def rri(self, model: str, share: float) -> float:
        """PAI of the second half of the origins over that of the first: 1 is stable."""
        found = self.hits[model][share]
        half = len(found) // 2
        first, second = total(found[:half]), total(found[half:])
        return second.pai / first.pai if half and first.pai else float("nan")

    def against(self, model: str, baseline: str, share: float, *, seed: int = 1) -> Estimate:
        """The model's PAI over the baseline's, from the same origins drawn together."""
        ours = np.array([one.hits for one in self.hits[model][share]])
        theirs = np.array([one.hits for one in self.hits[baseline][share]])
        return bootstrap_ratio(ours, theirs, seed=seed)


def backtest_risk(
    happened: Happened,
    *,
    first: float,
    last: float,
    horizon_days: float,
    cells: Cells,
    shares: Sequence[float] = AREA_SHARES,
    refit_weeks: int = REFIT_WEEKS,
    train_weeks: int = TRAIN_WEEKS,
    beat: Callable[[], None] = lambda: None,
) -> Backtest:
    """From each week in ``[first, last)`` whose horizon ends by ``last``: predict, count what fell where, go on.

    The model is fitted anew every ``refit_weeks`` origins, on origins whose own horizon had passed by then. Every score at an origin
    comes from incidents before it; ``cells`` is the area all share.

    Raises
    ------
    TooLittleHistory
        Where the first origin has too little behind it, or no horizon fits between ``first`` and ``last``.
    """
    check_history(happened, as_of=first)
    count = int((last - horizon_days - first) // STEP_DAYS) + 1 if last - horizon_days >= first else 0
    if count < 1:
        raise TooLittleHistory(f"Between the first and the last day there is no room for {horizon_days:g} days.")
    asked = first + STEP_DAYS * np.arange(count, dtype=np.float64)
    begins = float(np.floor(happened.day[happened.own].min()))
    before = int((first - begins) // STEP_DAYS)
    origins = np.concatenate([first - STEP_DAYS * np.arange(before, 0, -1, dtype=np.float64), asked])
    seen = components(happened, cells, origins, keep=min(len(origins), count + train_weeks + int(np.ceil(horizon_days / STEP_DAYS))))
    beat()
    came = counted(happened, cells, seen.origins, horizon_days=horizon_days)
    hits: dict[str, dict[float, list[Hits]]] = {name: {share: [] for share in shares} for name in (NAME, *BASELINES)}
    for at, scores in walk(
        happened, cells, seen, came, asked=count, horizon_days=horizon_days, refit_weeks=refit_weeks, train_weeks=train_weeks, beat=beat
    ):
        for name, score in scores.items():
            for share in shares:
                hits[name][share].append(hits_at(score, came[at].astype(np.float64), share))
    frozen = {name: {share: tuple(found) for share, found in by_share.items()} for name, by_share in hits.items()}
    return Backtest(tuple(float(day) for day in asked), horizon_days, len(cells), int(came[-count:].sum()), frozen)


def walk(
    happened: Happened,
    cells: Cells,
    seen: Components,
    came: NDArray[np.float32],
    *,
    asked: int,
    horizon_days: float,
    refit_weeks: int = REFIT_WEEKS,
    train_weeks: int = TRAIN_WEEKS,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, dict[str, _FloatArray]]]:
    """For each of the last ``asked`` origins of ``seen``: its number, and what the model and each baseline say of every cell.

    ``came`` is what happened within ``horizon_days`` of each origin; only origins whose horizon had passed are learnt from.
    """
    model = None
    begins = float(happened.day[happened.own].min())
    baselines = Baselines(happened, cells)
    for number in range(asked):
        at = len(seen.origins) - asked + number
        origin = seen.origins[at]
        if model is None or number % refit_weeks == 0:
            known = origins_to_learn_from(
                seen.origins, begins=begins, now=float(origin), horizon_days=horizon_days, train_weeks=train_weeks
            )
            if not len(known):
                raise TooLittleHistory("Too little history: no week lies behind the first day.")
            model = fit_risk(Components(seen.values[known], seen.origins[known], seen.names), came[known])
            beat()
        yield at, {NAME: model.expected(seen.values[at]), **baselines.at(float(origin))}
        beat()
