"""Whether an alert's labels satisfy a list of matchers: what silences and inhibitions are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

FIELDS = ("rule", "kind", "level", "source", "agency", "governorate", "zone", "type", "category")
OPERATORS = ("is", "in", "not", "like")


def matches(matchers: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    """True where every matcher holds. No matchers match nothing: whoever means everything has to say so (``like``: ``*``).

    Parameters
    ----------
    matchers : sequence of ``{"field": name, operator: value}``
        ``is`` and ``not`` take a text, ``in`` (and ``not``) a list of them, ``like`` a pattern with ``*`` and ``?``; letters' case
        does not matter. An operator or a field that is unknown matches nothing.
    labels : mapping of field to text
        A label that is missing is the empty text.

    Examples
    --------
    >>> matches([{"field": "zone", "like": "KW-HA-*"}, {"field": "level", "not": "critical"}], {"zone": "KW-HA-SALMIYA", "level": "low"})
    True
    >>> matches([{"field": "zone", "is": "KW-HA-SALMIYA"}], {"zone": "KW-KU-SHARQ"})
    False
    >>> matches([], {"zone": "KW-KU-SHARQ"})
    False
    """
    return bool(matchers) and all(_holds(matcher, labels) for matcher in matchers)


def _holds(matcher: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    field = matcher.get("field")
    asked = [name for name in OPERATORS if name in matcher]
    if field not in FIELDS or not asked:
        return False
    label = labels.get(str(field), "").casefold()
    for operator in asked:
        values = _texts(matcher[operator])
        if operator == "not":
            is_held = label not in values
        elif operator == "like":
            is_held = any(fnmatchcase(label, value) for value in values)
        else:
            is_held = label in values
        if not is_held:
            return False
    return True


def _texts(value: Any) -> list[str]:
    return [str(one).casefold() for one in value] if isinstance(value, list | tuple) else [str(value).casefold()]
