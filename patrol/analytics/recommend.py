"""Whom to send: every candidate scored in minutes, and units matched one to one to what the run card asks for.

The score of a candidate is its expected minutes to the scene plus what each circumstance is worth in minutes, so that a reader can check
it by hand. Who may not be sent is listed with the reason, never dropped. Nothing here is random: the same inputs give the same ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

# Why a unit is not recommended.
OFF_DUTY, OUT_OF_SERVICE, ON_INCIDENT = "off_duty", "out_of_service", "on_incident"
NO_POSITION, STALE_POSITION, NO_WAY, ALREADY_SENT = "no_position", "stale_position", "no_way", "already_sent"
_FORBIDDEN = 1e9


@dataclass(frozen=True)
class Candidate:
    """One unit, as it stood when the advice was asked for. ``None`` is unknown, and costs nothing."""

    unit: int
    call_sign: str
    kind: str
    skills: tuple[str, ...] = ()
    state: str = "available"
    on_incident: bool = False  # active on another incident
    sent: bool = False  # active on this one
    eta_s: float | None = None
    distance_m: float | None = None
    position_age_s: float | None = None
    open_tasks: int = 0  # open assignments that are not incidents, stops included
    given_today: int = 0
    rest_h: float | None = None  # of the crew member who rested least before this duty
    overtime_h: float = 0.0
    is_home: bool = True  # its governorate is the incident's
    is_lent: bool = False  # of another agency, by mutual aid


@dataclass(frozen=True)
class Need:
    """One unit that the incident calls for."""

    kind: str = ""
    skill: str = ""
    within_s: float | None = None

    def suits(self, candidate: Candidate) -> bool:
        return (not self.kind or candidate.kind == self.kind) and (not self.skill or self.skill in candidate.skills)


@dataclass(frozen=True)
class Weights:
    """What a circumstance is worth, in minutes of driving; and what makes a unit ineligible. House defaults, stored with every advice."""

    open_task: float = 2.0  # each task or stop it would leave
    given_today: float = 0.25  # each assignment since midnight: share the work
    short_rest: float = 0.5  # each hour of rest short of `enough_rest_h`
    enough_rest_h: float = 11.0
    overtime: float = 2.0  # each hour beyond the end of its duty
    away: float = 3.0  # from another governorate
    lent: float = 3.0  # of another agency
    stale_after_s: float = 60.0


@dataclass(frozen=True)
class Ranking:
    """A candidate's place. ``parts`` are the minutes that add up to ``score``; ``need`` is the number of the need it is advised for."""

    unit: int
    score: float | None
    parts: dict[str, float]
    why_not: str = ""
    advised: bool = False
    need: int | None = None
    is_late: bool = False


@dataclass(frozen=True)
class Shortfall:
    """A need that nobody eligible meets in time, with whoever comes nearest to it: late, or not eligible."""

    need: int
    kind: str
    skill: str
    within_s: float | None
    nearest: int | None = None
    nearest_eta_s: float | None = None
    nearest_why_not: str = ""


@dataclass(frozen=True)
class Ranked:
    """Eligible candidates, best first; then the others, nearest first. ``met`` names, need by need, the unit sent already."""

    rows: tuple[Ranking, ...]
    shortfalls: tuple[Shortfall, ...]
    met: tuple[int | None, ...]


def why_not(candidate: Candidate, weights: Weights) -> str:
    """The reason a unit is not to be recommended; empty where there is none."""
    if candidate.sent:
        return ALREADY_SENT
    if candidate.state == OUT_OF_SERVICE:
        return OUT_OF_SERVICE
    if candidate.state == OFF_DUTY:
        return OFF_DUTY
    if candidate.on_incident:
        return ON_INCIDENT
    if candidate.position_age_s is None:
        return NO_POSITION
    if candidate.position_age_s > weights.stale_after_s:
        return STALE_POSITION
    return NO_WAY if candidate.eta_s is None else ""


def parts_of(candidate: Candidate, weights: Weights) -> dict[str, float]:
    """What the score is made of, in minutes; circumstances that cost nothing are left out."""
    short = max(0.0, weights.enough_rest_h - candidate.rest_h) if candidate.rest_h is not None else 0.0
    parts = {
        "eta": (candidate.eta_s or 0.0) / 60.0,
        "open_task": weights.open_task * candidate.open_tasks,
        "given_today": weights.given_today * candidate.given_today,
        "short_rest": weights.short_rest * short,
        "overtime": weights.overtime * candidate.overtime_h,
        "away": 0.0 if candidate.is_home else weights.away,
        "lent": weights.lent if candidate.is_lent else 0.0,
    }
    return {name: round(minutes, 3) for name, minutes in parts.items() if name == "eta" or minutes > 0}


def rank(candidates: Sequence[Candidate], needs: Sequence[Need], weights: Weights) -> Ranked:
    """Rank the candidates and match them to the needs.

    Units sent already meet what they can first. What is left is matched so that as many needs as possible are met in time, and among
    those matchings the total score is least [1]_. What cannot be met in time is then matched without the limit: those units are advised
    and called late, and the shortfall is still said.

    Parameters
    ----------
    candidates : sequence of Candidate
        Each unit once.
    needs : sequence of Need
        Each unit wanted once; none is one unit of any kind.
    weights : Weights

    Returns
    -------
    Ranked

    Raises
    ------
    ValueError
        A unit stands twice.

    References
    ----------
    .. [1] Crouse, D. F. (2016). On implementing 2D rectangular assignment algorithms. IEEE Transactions on Aerospace and Electronic
       Systems 52(4), 1679-1696 (as in ``scipy.optimize.linear_sum_assignment``).

    Examples
    --------
    >>> near = Candidate(1, "P1", "patrol", eta_s=300.0, position_age_s=5.0)
    >>> idle = Candidate(2, "P2", "patrol", eta_s=360.0, position_age_s=5.0)
    >>> busy = Candidate(3, "P3", "patrol", eta_s=60.0, position_age_s=5.0, open_tasks=4)
    >>> [row.unit for row in rank([near, idle, busy], [], Weights()).rows]
    [1, 2, 3]
    """
    people = list(candidates)
    wanted = list(needs) or [Need()]
    if len({it.unit for it in people}) != len(people):
        raise ValueError("a unit stands twice among the candidates")
    reasons = [why_not(it, weights) for it in people]
    parts = [parts_of(it, weights) for it in people]
    score = np.array([round(sum(part.values()), 3) for part in parts], dtype=float)
    suits = np.array([[need.suits(it) for need in wanted] for it in people], dtype=bool).reshape(len(people), len(wanted))
    eta = np.array([np.inf if it.eta_s is None else it.eta_s for it in people], dtype=float)
    limit = np.array([np.inf if need.within_s is None else need.within_s for need in wanted], dtype=float)

    sent = np.array([it.sent for it in people], dtype=bool)
    met = _match(np.where(suits & sent[:, None], 0.0, _FORBIDDEN))
    free = np.array([not reason for reason in reasons], dtype=bool)
    open_needs = np.array([number not in met for number in range(len(wanted))], dtype=bool)
    possible = suits & free[:, None] & open_needs[None, :]
    chosen = _match(np.where(possible & (eta[:, None] <= limit[None, :]), score[:, None], _FORBIDDEN))
    missed = open_needs & np.array([number not in chosen for number in range(len(wanted))], dtype=bool)
    taken = np.isin(np.arange(len(people)), list(chosen.values()))
    late = _match(np.where(possible & missed[None, :] & ~taken[:, None], score[:, None], _FORBIDDEN))

    advised = {who: (number, number in late) for number, who in {**chosen, **late}.items()}
    order = sorted(range(len(people)), key=lambda who: _order(people[who], reasons[who], float(score[who])))
    rows = tuple(
        Ranking(
            people[who].unit,
            float(score[who]) if not reasons[who] else None,
            parts[who] if not reasons[who] else {},
            reasons[who],
            who in advised,
            advised[who][0] if who in advised else None,
            advised[who][1] if who in advised else False,
        )
        for who in order
    )
    shortfalls = tuple(
        _shortfall(number, wanted[number], late.get(number), people, reasons, suits[:, number])
        for number in np.flatnonzero(missed).tolist()
    )
    return Ranked(rows, shortfalls, tuple(people[met[number]].unit if number in met else None for number in range(len(wanted))))


def _match(cost: np.ndarray) -> dict[int, int]:
    """Need → candidate, as many as can be, at least total cost."""
    if not cost.size:
        return {}
    who, number = linear_sum_assignment(cost)
    return {int(n): int(w) for w, n in zip(who, number, strict=True) if cost[w, n] < _FORBIDDEN}


def _order(candidate: Candidate, reason: str, score: float) -> tuple[bool, float, int]:
    if not reason:
        return (False, score, candidate.unit)
    return (True, candidate.eta_s if candidate.eta_s is not None else float("inf"), candidate.unit)


def _shortfall(number: int, need: Need, late: int | None, people: list[Candidate], reasons: list[str], suits: np.ndarray) -> Shortfall:
    nearest = late
    if nearest is None:
        able = [who for who in np.flatnonzero(suits).tolist() if reasons[who] and not people[who].sent]
        able.sort(key=lambda who: _order(people[who], reasons[who], 0.0))
        nearest = able[0] if able else None
    if nearest is None:
        return Shortfall(number, need.kind, need.skill, need.within_s)
    return Shortfall(
        number,
        need.kind,
        need.skill,
        need.within_s,
        people[nearest].unit,
        people[nearest].eta_s,
        "" if late is not None else reasons[nearest],
    )


# --- as plain values, and back -------------------------------------------------------------------------------------------------------

_COLUMNS = tuple(field.name for field in fields(Candidate))


def to_plain(candidates: Sequence[Candidate], needs: Sequence[Need], weights: Weights) -> dict[str, Any]:
    """What an advice is made from, as JSON keeps it: a table of candidates, column names once."""
    return {
        "version": 1,
        "columns": list(_COLUMNS),
        "candidates": [[list(value) if isinstance(value := getattr(it, name), tuple) else value for name in _COLUMNS] for it in candidates],
        "needs": [dict(vars(need)) for need in needs],
        "weights": dict(vars(weights)),
    }


def from_plain(plain: dict[str, Any]) -> tuple[list[Candidate], list[Need], Weights]:
    """The same again. Raises ``ValueError`` for a version that is not known here."""
    if plain.get("version") != 1:
        raise ValueError(f"an advice of version {plain.get('version')!r} cannot be made again")
    names = plain["columns"]
    people = [dict(zip(names, row, strict=True)) for row in plain["candidates"]]
    return (
        [Candidate(**{**row, "skills": tuple(row["skills"])}) for row in people],
        [Need(**need) for need in plain["needs"]],
        Weights(**plain["weights"]),
    )


def ranked_to_plain(ranked: Ranked) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows and the shortfalls, as JSON keeps them."""
    return [dict(vars(row)) for row in ranked.rows], [dict(vars(it)) for it in ranked.shortfalls]
