"""The common kind of rule as rows a person fills in: comparisons joined by all or any, at certain hours, in certain places. What does not
fit stays JSON. ``read`` and ``write`` are each other's inverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABOVE, BELOW, RISES, FALLS, SILENT = "above", "below", "rises_by", "falls_by", "silent"
LIMITS, CHANGES = (ABOVE, BELOW), (RISES, FALLS)
MOST_ROWS = 4


@dataclass(frozen=True)
class Row:
    """``seconds``: for so long (a limit; ``None``: at once), within so long (a change), or of silence."""

    metric: str
    comparison: str
    value: float | None = None
    until: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Simple:
    rows: Sequence[Row]
    is_any: bool = False
    start: str = ""
    end: str = ""
    zones: Sequence[str] = ()
    groups: Sequence[str] = ()


def write(simple: Simple) -> dict[str, Any]:
    """
    >>> write(Simple([Row("temperature", "above", 50, 45, 600)]))
    {'for_s': 600, 'of': {'metric': 'temperature', 'above': 50, 'until': 45}}
    >>> write(Simple([Row("motion", "above", 0.5)], start="22:00", end="05:00"))
    {'all': [{'metric': 'motion', 'above': 0.5}, {'from': '22:00', 'to': '05:00'}]}
    """
    parts = [_write(row) for row in simple.rows]
    if simple.is_any and len(parts) > 1:
        parts = [{"any": parts}]
    if simple.start or simple.end:
        parts.append({"from": simple.start, "to": simple.end})
    if simple.zones:
        parts.append({"zone": list(simple.zones)})
    if simple.groups:
        parts.append({"group": list(simple.groups)})
    return parts[0] if len(parts) == 1 else {"all": parts}


def _write(row: Row) -> dict[str, Any]:
    if row.comparison == SILENT:
        return {"silent": row.metric, "for_s": row.seconds}
    told: dict[str, Any] = {"metric": row.metric, row.comparison: row.value}
    if row.comparison in CHANGES:
        return {**told, "within_s": row.seconds}
    if row.until is not None:
        told["until"] = row.until
    return told if row.seconds is None else {"for_s": row.seconds, "of": told}


def read(condition: object) -> Simple | None:
    """``None`` for what does not fit into rows.

    >>> read({"silent": "level", "for_s": 1800}).rows
    (Row(metric='level', comparison='silent', value=None, until=None, seconds=1800),)
    >>> read({"not": {"metric": "level", "above": 3}}) is None
    True
    """
    if not isinstance(condition, Mapping):
        return None
    parts = condition["all"] if set(condition) == {"all"} else [condition]
    if not isinstance(parts, list):
        return None
    rows: list[Row] = []
    found: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, Mapping):
            return None
        keys = set(part)
        if keys == {"from", "to"} and "start" not in found:
            found |= {"start": part["from"], "end": part["to"]}
        elif keys in ({"zone"}, {"group"}) and (name := f"{next(iter(keys))}s") not in found:
            found[name] = tuple(part[name[:-1]])
        elif keys == {"any"} and not rows and isinstance(part["any"], list) and len(part["any"]) > 1:
            several = [_read(one) for one in part["any"]]
            if None in several:
                return None
            rows, found["is_any"] = [row for row in several if row is not None], True
        elif not found.get("is_any") and (row := _read(part)) is not None:
            rows.append(row)
        else:
            return None
    simple = Simple(tuple(rows), **found)
    return simple if 1 <= len(rows) <= MOST_ROWS and write(simple) == condition else None


def _read(part: object) -> Row | None:
    if not isinstance(part, Mapping):
        return None
    if set(part) == {"silent", "for_s"}:
        return Row(part["silent"], SILENT, seconds=part["for_s"])
    seconds = part["for_s"] if set(part) == {"for_s", "of"} else None
    told = part["of"] if seconds is not None else part
    if not isinstance(told, Mapping) or "metric" not in told:
        return None
    comparison = next((key for key in (*LIMITS, *CHANGES) if key in told), None)
    if comparison is None:
        return None
    if comparison in CHANGES:
        return Row(told["metric"], comparison, told[comparison], None, told.get("within_s")) if seconds is None else None
    return Row(told["metric"], comparison, told[comparison], told.get("until"), seconds)
