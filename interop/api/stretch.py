"""A stretch of time, and in how many points, as an address asks for it."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _
from rest_framework.request import Request

from core.api.fields import FIRST_YEAR, LAST_YEAR, Moment

Problems = dict[str, list[str]]


def moments_of(request: Request, problems: Problems) -> tuple[datetime | None, datetime | None]:
    """``from`` and ``to``, each with an offset and of years we reckon with; ``None`` for what was not asked. What is wrong goes into
    ``problems``."""
    start, end = (_moment(request, name, problems) for name in ("from", "to"))
    return start, end


def points_of(request: Request, problems: Problems, *, most: int, otherwise: int) -> int:
    text = request.query_params.get("points", "")
    if not text:
        return otherwise
    if text.isascii() and text.isdigit() and 2 <= int(text[:6]) <= most:
        return int(text[:6])
    problems["points"] = [_("2 to %(most)d.") % {"most": most}]
    return otherwise


def _moment(request: Request, name: str, problems: Problems) -> datetime | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that an address made a blank
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        problems[name] = [_("Write a time with its offset.")]
    elif not FIRST_YEAR <= at.year <= LAST_YEAR:
        problems[name] = [str(Moment.default_error_messages["far"])]
    else:
        return at
    return None
