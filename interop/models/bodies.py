"""How what partners sent is read from the database again."""

from __future__ import annotations

import json
from typing import Any

_WIDEST = 18  # digits that are in 64 bits whatever they are


class AsSent(json.JSONDecoder):
    """``1e20`` is kept by jsonb as 100000000000000000000 and would come back as an integer that no JSON of ours can hold. Integers beyond
    64 bits are refused at the door, so such a number came as a float, and is one again."""

    def __init__(self, **given: Any) -> None:
        super().__init__(parse_int=_number, **given)


def _number(text: str) -> int | float:
    if len(text) <= _WIDEST or -(2**63) <= int(text) < 2**64:
        return int(text)
    return float(text)
