"""``LEVEL 3.2 BAT 81``: words and numbers in a text message.

Settings::

    {"words": {"LEVEL": {"metric": "level_m"}, "BAT": {"metric": "battery_pct", "factor": 1, "offset": 0}}}

Upper and lower case are alike; between a word and its number may stand a space, ``=`` or ``:``; pairs may be parted by spaces, commas or
semicolons; Arabic digits are digits. Words the profile does not name are passed over with their numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from iot.decoders.errors import InvalidSettings, Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.settings import Settings, distinct
from iot.decoders.values import finite, number_of

LONGEST = 1600  # ten parts of 160
_DIGITS = {ord(digit): str(value) for digits in ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹") for value, digit in enumerate(digits)} | {ord("٫"): "."}
_APART = re.compile(r"[\s,;=:]+")
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
_JOINED = re.compile(r"([^\W\d_]+)([+-]?[\d.]+)\Z")  # BAT81
_WORD = re.compile(r"[^\W\d]\w{0,31}\Z")


@dataclass(frozen=True, slots=True)
class _Word:
    metric: str
    factor: float
    offset: float


class SmsText:
    """See the module.

    >>> SmsText({"words": {"LEVEL": {"metric": "level_m"}, "BAT": {"metric": "battery_pct"}}})(b"level=3.2; BAT 81")
    [Measurement(metric='level_m', value=3.2, at=None), Measurement(metric='battery_pct', value=81.0, at=None)]
    """

    def __init__(self, settings: object) -> None:
        given = Settings(settings)
        words = given.part("words")
        self._words: dict[str, _Word] = {}
        for word in words:
            if not _WORD.match(word):
                raise words.wrong(word, "must be one word of letters, digits and underscores")
            one = words.part(word)
            known = _Word(one.metric(), one.factor(), one.number("offset", 0.0))
            if word.upper() in self._words:
                raise words.wrong(word, "is there twice")
            self._words[word.upper()] = known
            one.done()
        if not self._words:
            raise InvalidSettings("words", "must name at least one word")
        distinct([word.metric for word in self._words.values()], "words")
        given.done()

    def __call__(self, payload: object) -> list[Measurement]:
        text = self._text(payload).translate(_DIGITS)
        pieces = [piece for piece in _APART.split(_DECIMAL_COMMA.sub(".", text)) if piece]
        pairs: list[tuple[str, str]] = []
        position = 0
        while position < len(pieces):
            joined = _JOINED.match(pieces[position])
            if joined and joined.group(1).upper() in self._words:
                pairs.append((joined.group(1).upper(), joined.group(2)))
                position += 1
            elif (word := pieces[position].upper()) in self._words:
                if position + 1 == len(pieces):
                    raise Undecodable(f"{self._words[word].metric}: no number after its word")
                pairs.append((word, pieces[position + 1]))
                position += 2
            else:
                position += 1
        if not pairs:
            raise Undecodable("none of the words is there")
        if len({word for word, _number in pairs}) < len(pairs):
            raise Undecodable("a word is there twice")
        found = []
        for word, number in pairs:
            known = self._words[word]
            found.append(Measurement(known.metric, finite(number_of(number, known.metric) * known.factor + known.offset, known.metric)))
        return found

    @staticmethod
    def _text(payload: object) -> str:
        if isinstance(payload, bytes | bytearray | memoryview):
            text: str | None = None
            try:
                text = bytes(payload).decode()
            except UnicodeDecodeError:
                text = None
            if text is None:
                raise Undecodable("not UTF-8")
            payload = text
        if not isinstance(payload, str) or len(payload) > LONGEST:
            raise Undecodable("not a text message")
        return payload
