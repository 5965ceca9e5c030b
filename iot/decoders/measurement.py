"""One measured value, as a decoder hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Measurement:
    """``at`` is ``None`` where the payload does not say when: the moment of receipt counts then."""

    metric: str
    value: float
    at: datetime | None = None
