"""Reading a mapping that people wrote: each key is asked for once, and what nobody asked for is an error that names it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext as _

from core.errors import Invalid

_MISSING = object()
MOST_ENTRIES = 500
MOST_LETTERS = 120


class Fields:
    """One mapping on its way in. ``field`` is the column it goes into; every ``Invalid`` names it and the key."""

    def __init__(self, data: object, *, field: str, where: str = "") -> None:
        self.field, self.where = field, where
        if not isinstance(data, Mapping):
            raise self.wrong(_("a mapping of names to values is needed"))
        self._data: dict[str, Any] = {str(key): value for key, value in data.items()}
        self._asked: set[str] = set()

    def wrong(self, what: str, key: str = "") -> Invalid:
        place = " → ".join(part for part in (self.where, key) if part)
        message = f"{place}: {what}" if place else what
        return Invalid(message, fields={self.field: message})

    def has(self, key: str) -> bool:
        return self._data.get(key) not in (None, "", [], ())

    def raw(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        value = self._data.get(key, _MISSING)
        return default if value is _MISSING else value

    def number(self, key: str, default: float | None = None, *, least: float, most: float) -> float | None:
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong(_("a number is needed, not “%(given)s”") % {"given": short(value)}, key)
        if not least <= value <= most:
            span = {"least": plain(least), "most": plain(most), "given": plain(value)}
            raise self.wrong(_("between %(least)s and %(most)s, not %(given)s") % span, key)
        return float(value)

    def whole(self, key: str, default: int, *, least: int, most: int) -> int:
        value = self.number(key, float(default), least=least, most=most)
        if value is None or value != int(value):
            raise self.wrong(_("a whole number is needed, not “%(given)s”") % {"given": short(self.raw(key))}, key)
        return int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(_("yes or no is needed, not “%(given)s”") % {"given": short(value)}, key)
        return value

    def word(self, key: str, default: str = "", *, among: Iterable[str] | None = None) -> str:
        value = self.raw(key)
        if value is None or value == "":
            return default
        if not isinstance(value, str) or len(value) > MOST_LETTERS:
            raise self.wrong(_("a word is needed, not “%(given)s”") % {"given": short(value)}, key)
        self._among(value, among, key)
        return value

    def words(self, key: str, default: tuple[str, ...] = (), *, among: Iterable[str] | None = None) -> tuple[str, ...]:
        """A list of words, in the order given, each once; one word alone is a list of one."""
        value = self.raw(key)
        if value is None or value == "":
            return default
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple) or len(value) > MOST_ENTRIES:
            raise self.wrong(_("a list of words is needed, not “%(given)s”") % {"given": short(value)}, key)
        for each in value:
            if not isinstance(each, str) or not each or len(each) > MOST_LETTERS:
                raise self.wrong(_("a word is needed, not “%(given)s”") % {"given": short(each)}, key)
            self._among(each, among, key)
        return tuple(dict.fromkeys(value))

    def done(self) -> None:
        """Refuse every key nobody asked for."""
        for key in self._data:
            if key not in self._asked:
                raise self.wrong(unknown(key, self._asked))

    def _among(self, value: str, among: Iterable[str] | None, key: str) -> None:
        if among is not None:
            known = list(among)
            if value not in known:
                raise self.wrong(_("“%(given)s” is none of %(known)s") % {"given": short(value), "known": ", ".join(known)}, key)


def unknown(key: str, known: Iterable[str]) -> str:
    """ "Unknown key “windw_h”: did you mean “window_h”?" """
    names = sorted(known)
    near = get_close_matches(key, names, n=1)
    if near:
        return _("Unknown key “%(key)s”: did you mean “%(near)s”?") % {"key": short(key), "near": near[0]}
    return _("Unknown key “%(key)s”. Known: %(known)s.") % {"key": short(key), "known": ", ".join(names) or "–"}


def short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def plain(number: float) -> str:
    """A number as people write it: ``3`` and not ``3.0``."""
    return str(int(number)) if number == int(number) else f"{number:g}"
