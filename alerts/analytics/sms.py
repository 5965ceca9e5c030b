"""How a text travels as SMS: which alphabet it needs and into how many parts it falls (3GPP TS 23.038).

Seven bits a character while every one of them is in the default alphabet (160 in one message, 153 in each of several; the characters of
its extension count twice), else sixteen (70 and 67, in UTF-16 units, so that most emoji count twice). Arabic always needs sixteen.
"""

from __future__ import annotations

from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}\\[~]|€\f")


@dataclass(frozen=True)
class SmsLength:
    """``units`` are septets or UTF-16 units; ``parts`` what is sent and paid."""

    encoding: str  # GSM-7 or UCS-2
    units: int
    parts: int
    left: int  # units that still fit into the last part


def measure(text: str) -> SmsLength:
    """Count a text.

    >>> measure("Fire in Salmiya").parts
    1
    >>> measure("حريق في السالمية").encoding
    'UCS-2'
    """
    if all(char in _BASIC or char in _EXTENSION for char in text):
        encoding, sizes, one, each = "GSM-7", [2 if char in _EXTENSION else 1 for char in text], 160, 153
    else:
        encoding, sizes, one, each = "UCS-2", [2 if ord(char) > 0xFFFF else 1 for char in text], 70, 67
    units = sum(sizes)
    if units <= one:
        return SmsLength(encoding, units, 1 if units else 0, one - units)
    parts, used = 1, 0
    for size in sizes:  # a character is never cut in two by the end of a part
        if used + size > each:
            parts, used = parts + 1, 0
        used += size
    return SmsLength(encoding, units, parts, each - used)
