"""Many devices fallen silent at once are one thing that happened, and a device that comes and goes is not a hundred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from iot.analytics.batch import FloatArray, State

WITHIN_S = 600.0
SHARE = 0.5
LEAST = 3


@dataclass(frozen=True)
class Device:
    """One device that has gone silent: since when, and what it hangs on: ``{"gateway": "g1", "governorate": "hawalli"}``."""

    code: str
    silent_since_s: float
    hangs_on: Mapping[str, str]


@dataclass(frozen=True)
class Outage:
    """What to tell once: ``kind`` and ``name`` of what they share ("" and "" for a device alone), and who is silent."""

    kind: str
    name: str
    since_s: float
    devices: tuple[str, ...]
    of: int


def outages(
    silent: Sequence[Device],
    sizes: Mapping[tuple[str, str], int],
    *,
    kinds: Sequence[str] = ("gateway", "governorate"),
    within_s: float = WITHIN_S,
    share: float = SHARE,
    least: int = LEAST,
) -> list[Outage]:
    """Group devices that fell silent together by the first thing they share.

    A group is made where, of all devices that hang on one thing, at least ``share`` and at least ``least`` fell silent within ``within_s``
    seconds; what is grouped by a gateway is not grouped again by its governorate, but a governorate counts all of its own, so that the
    widest cause that holds is the one told.

    Parameters
    ----------
    silent : sequence of Device
    sizes : mapping of (kind, name) to int
        How many devices in service hang on each thing.
    kinds : sequence of str
        From narrow to wide.

    Returns
    -------
    list of Outage
        The largest first; each silent device is in exactly one.

    Examples
    --------
    >>> gone = [Device(f"d{n}", 100.0 + n, {"gateway": "g1"}) for n in range(4)] + [Device("d9", 9000.0, {"gateway": "g1"})]
    >>> [(one.kind, one.name, len(one.devices), one.of) for one in outages(gone, {("gateway", "g1"): 6})]
    [('gateway', 'g1', 4, 6), ('', '', 1, 1)]
    """
    if not 0 < share <= 1 or least < 2:
        raise ValueError("A share lies above 0 and at most at 1, and a group has two devices at least.")
    left = sorted(silent, key=lambda one: (one.silent_since_s, one.code))
    told: list[Outage] = []
    for kind in reversed(kinds):  # the widest cause first: whoever it explains needs no other
        for name in sorted({one.hangs_on[kind] for one in left if one.hangs_on.get(kind)}):
            there = [one for one in left if one.hangs_on.get(kind) == name]
            whole = max(sizes.get((kind, name), 0), len(there))
            for group in _bursts(there, within_s):
                if len(group) >= least and len(group) >= share * whole:
                    codes = tuple(one.code for one in group)
                    told.append(Outage(kind, name, group[0].silent_since_s, codes, whole))
                    gone = set(codes)
                    left = [one for one in left if one.code not in gone]
    told += [Outage("", "", one.silent_since_s, (one.code,), 1) for one in left]
    return sorted(told, key=lambda one: (-len(one.devices), one.since_s, one.kind, one.name, one.devices))


def _bursts(there: Sequence[Device], within_s: float) -> list[list[Device]]:
    """Runs of devices each of which fell silent within ``within_s`` of the run's first."""
    runs: list[list[Device]] = []
    for one in there:
        if runs and one.silent_since_s - runs[-1][0].silent_since_s <= within_s:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


@dataclass(frozen=True)
class FlappingState(State):
    """By device: the penalty and when it was last counted, and whether its changes are held back."""

    penalty: FloatArray
    at_s: FloatArray
    is_held: FloatArray

    @classmethod
    def fresh(cls, devices: int) -> FlappingState:
        return cls(np.zeros(devices), np.full(devices, -np.inf), np.zeros(devices))


def damped(
    state: FlappingState,
    device: int,
    at_s: float,
    *,
    half_life_s: float = 900.0,
    hold_above: float = 3.0,
    release_below: float = 1.0,
) -> tuple[bool, FlappingState]:
    """One change of a device (silent, or back): whether to tell of it.

    Each change adds 1 to a penalty that halves every ``half_life_s``; above ``hold_above`` changes are no longer told, until it has fallen
    below ``release_below``. The penalty is capped, so that the longest silence about a device is known: about an hour with these figures.

    Raises
    ------
    ValueError
        For a release not below the hold.

    References
    ----------
    Route flap damping: RFC 2439 (1998); that its first figures were too strict: RFC 7196 (2014).

    Examples
    --------
    >>> state, told = FlappingState.fresh(1), []
    >>> for at in (0, 60, 120, 180, 240, 300, 9000):
    ...     is_told, state = damped(state, 0, at)
    ...     told.append(is_told)
    >>> told
    [True, True, True, False, False, False, True]
    """
    if not 0 < release_below < hold_above:
        raise ValueError("The release lies below the hold.")
    after = state.copied()
    past = max(at_s - state.at_s[device], 0.0) if np.isfinite(state.at_s[device]) else 0.0
    rest = float(state.penalty[device]) * 0.5 ** (past / half_life_s)
    is_held = bool(state.is_held[device]) and rest >= release_below
    penalty = min(rest + 1.0, 4.0 * hold_above)
    is_held = is_held or penalty > hold_above
    after.penalty[device], after.at_s[device], after.is_held[device] = penalty, max(at_s, float(state.at_s[device])), float(is_held)
    return not is_held, after
