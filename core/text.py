"""Text as people search for it: Arabic and English folded to one form, digits to Western ones."""

from __future__ import annotations

import re
import unicodedata

_LETTERS = str.maketrans(
    {
        "أ": "ا",
        "إ": "ا",
        "آ": "ا",
        "ٱ": "ا",
        "ى": "ي",
        "ئ": "ي",
        "ؤ": "و",
        "ة": "ه",
        "ک": "ك",
        "ی": "ي",
        "گ": "ك",
        "ـ": None,
        "ء": None,
    }
)
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_MARKS = re.compile(r"[\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_SPACE = re.compile(r"\s+")
_NO_WORD = re.compile(r"[\W_]+")


def western_digits(text: str) -> str:
    return text.translate(_DIGITS)


def fold(text: str) -> str:
    """``text`` with case, diacritics, tatweel, alef, ya, ta-marbuta and hamza forms, digits and spaces made one.

    >>> fold("حَوَلّـي") == fold("حولى")
    True
    >>> fold("Café ٤٢")
    'cafe 42'
    """
    if text.isascii():
        return _SPACE.sub(" ", text).strip().lower()
    text = unicodedata.normalize("NFKD", text).translate(_LETTERS).translate(_DIGITS)
    return _SPACE.sub(" ", _MARKS.sub("", text)).strip().casefold()


def searchable(text: str) -> str:
    """``text`` folded, as plain words: what stands between them (``A-12``, ``x@y``) would be read as one token by the database."""
    return _NO_WORD.sub(" ", fold(text)).strip()
