"""Reading a decoder's settings: what is missing, of the wrong kind or unknown is named by its path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from iot.decoders.errors import InvalidSettings

METRIC = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
MAX_FIELDS = 64


class Settings:
    """A mapping that remembers which of its keys were asked for.

    >>> settings = Settings({"path": "a.b", "factr": 2})
    >>> settings.text("path")
    'a.b'
    >>> settings.done()
    Traceback (most recent call last):
    ...
    iot.decoders.errors.InvalidSettings: factr: there is no such setting
    """

    def __init__(self, given: object, where: str = "") -> None:
        if not isinstance(given, Mapping):
            raise InvalidSettings(where or "settings", "must be an object")
        self._given, self._where, self._asked = given, where, set[str]()

    def at(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def wrong(self, key: str, why: str) -> InvalidSettings:
        return InvalidSettings(self.at(key), why)

    def has(self, key: str) -> bool:
        return key in self._given

    def __iter__(self) -> Iterator[str]:
        return iter([str(key) for key in self._given])

    def raw(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        return self._given.get(key, default)

    def text(self, key: str, default: str | None = None, *, among: tuple[str, ...] = ()) -> str:
        value = self.raw(key, default)
        if value is None:
            raise self.wrong(key, "is missing")
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "must be a text")
        if among and value not in among:
            raise self.wrong(key, f"must be one of {', '.join(among)}")
        return value

    def metric(self, key: str = "metric") -> str:
        value = self.text(key)
        if not METRIC.match(value):
            raise self.wrong(key, "must be lower-case letters, digits and underscores, beginning with a letter, at most 64")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.raw(key, default)
        if value is None:
            raise self.wrong(key, "is missing")
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e15:
            raise self.wrong(key, "must be a number")
        return float(value)

    def factor(self, key: str = "factor") -> float:
        value = self.number(key, 1.0)
        if value == 0:
            raise self.wrong(key, "must not be 0")
        return value

    def whole(self, key: str, default: int | None = None, *, least: int = 0, most: int = 2**63) -> int:
        value = self.raw(key, default)
        if value is None:
            raise self.wrong(key, "is missing")
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"must be a whole number from {least} to {most}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.raw(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def part(self, key: str) -> Settings:
        return Settings(self.raw(key), self.at(key))

    def parts(self, key: str) -> Iterator[Settings]:
        rows = self.raw(key)
        if not isinstance(rows, list) or not rows:
            raise self.wrong(key, "must be a list of at least one")
        if len(rows) > MAX_FIELDS:
            raise self.wrong(key, f"holds more than {MAX_FIELDS}")
        for number, row in enumerate(rows):
            yield Settings(row, f"{self.at(key)}[{number}]")

    def done(self) -> None:
        """Refuse what nobody asked for: a misspelt setting must not be silently without effect."""
        for key in self._given:
            if key not in self._asked:
                raise self.wrong(str(key), "there is no such setting")


def distinct(metrics: list[str], where: str = "fields") -> None:
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise InvalidSettings(where, f"{metric} is named twice")
