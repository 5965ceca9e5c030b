"""One gateway at a time holds the broker's session: two under one name would throw each other out."""

from __future__ import annotations

import core.leadership

_LOCK = 0x4B48_4D51_5454


class Leadership(core.leadership.Leadership):
    def __init__(self) -> None:
        super().__init__(_LOCK)
