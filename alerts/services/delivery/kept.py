"""What a batch of steps asks the database once, though each of its steps would ask: whom a step means, the ladders, the words."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Kept:
    """Answers by their question. It lives no longer than its batch, so that nothing is told by settings of a minute ago."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}

    def once(self, question: Hashable, look: Callable[[], T]) -> T:
        if question not in self._found:
            self._found[question] = look()
        found: T = self._found[question]
        return found
