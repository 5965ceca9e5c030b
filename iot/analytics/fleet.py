"""Many devices fallen silent at once are one thing that happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    seconds. The widest cause that holds is the one told, unless a narrower one explains all of it: where every silent device of a
    governorate hangs on one gateway, it is the gateway.

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
    for place in reversed(range(len(kinds))):  # the widest cause first: whoever it explains needs no other
        kind, narrower = kinds[place], kinds[:place]
        for name in sorted({one.hangs_on[kind] for one in left if one.hangs_on.get(kind)}):
            there = [one for one in left if one.hangs_on.get(kind) == name]
            whole = max(sizes.get((kind, name), 0), len(there))
            for group in _bursts(there, within_s):
                is_cause = len(group) >= least and len(group) >= share * whole
                if is_cause and not any(_explains(other, group, sizes, share) for other in narrower):
                    codes = tuple(one.code for one in group)
                    told.append(Outage(kind, name, group[0].silent_since_s, codes, whole))
                    gone = set(codes)
                    left = [one for one in left if one.code not in gone]
    told += [Outage("", "", one.silent_since_s, (one.code,), 1) for one in left]
    return sorted(told, key=lambda one: (-len(one.devices), one.since_s, one.kind, one.name, one.devices))


def _explains(kind: str, group: Sequence[Device], sizes: Mapping[tuple[str, str], int], share: float) -> bool:
    """Whether all of a group hang on one such thing, of which they are share enough."""
    name = group[0].hangs_on.get(kind)
    return bool(name) and all(one.hangs_on.get(kind) == name for one in group) and len(group) >= share * sizes.get((kind, str(name)), 0)


def _bursts(there: Sequence[Device], within_s: float) -> list[list[Device]]:
    """Runs of devices each of which fell silent within ``within_s`` of the run's first."""
    runs: list[list[Device]] = []
    for one in there:
        if runs and one.silent_since_s - runs[-1][0].silent_since_s <= within_s:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
