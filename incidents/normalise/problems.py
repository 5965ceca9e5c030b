"""What can be wrong with a value, by code, with a sentence for the person who has to mend it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

MESSAGES = {
    "missing": _("This value is missing."),
    "unreadable_time": _("This is not a time we can read."),
    "future": _("This time lies in the future."),
    "too_old": _("This time lies before 1900."),
    "bad_number": _("This is not a number."),
    "not_finite": _("This number is not finite."),
    "out_of_range": _("This number is out of range."),
    "half_coordinates": _("One of longitude and latitude is missing."),
    "zero_coordinates": _("Longitude 0, latitude 0 is no place: leave both empty where there is none."),
    "out_of_area": _("This point lies in no region we serve: at sea or abroad."),
    "too_long": _("This text is too long."),
    "nul": _("This text holds a NUL character."),
    "encoding": _("These bytes are no text in the encoding of the file."),
    "too_many_cells": _("This row has more cells than the heading."),
    "unreadable": _("This row cannot be read."),
    "not_an_object": _("This is not an object with named values."),
    "geometry": _("This geometry is not a point."),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field of one row."""

    field: str
    code: str
    detail: str = ""

    @property
    def message(self) -> str:
        sentence = str(MESSAGES.get(self.code, self.code))
        return f"{sentence} ({self.detail})" if self.detail else sentence

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "message": self.message}


class Unreadable(ValueError):
    """A value that means nothing to us; ``code`` is a key of ``MESSAGES``."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
