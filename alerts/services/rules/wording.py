"""Small words that all sentences about rules are made of."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _


def listed(names: Sequence[str]) -> str:
    """ "a, b and c" """
    return _joined(names, _("%(first)s and %(last)s"))


def either(names: Sequence[str]) -> str:
    """ "a, b or c" """
    return _joined(names, _("%(first)s or %(last)s"))


def inside(name: str) -> str:
    """A name inside an English sentence begins small, unless it is an abbreviation; Arabic knows no such thing."""
    if (get_language() or "").startswith("ar") or name[1:2].isupper():
        return name
    return name[:1].lower() + name[1:]


def minutes(count: int) -> str:
    """ "2 days", "24 hours", "90 minutes" """
    if count and count % 1440 == 0 and count > 1440:
        return days(count // 1440)
    if count and count % 60 == 0:
        return hours(count // 60)
    return ngettext("%(n)s minute", "%(n)s minutes", count) % {"n": count}


def hours(count: float) -> str:
    if count != int(count):
        return minutes(round(count * 60))
    return ngettext("%(n)s hour", "%(n)s hours", int(count)) % {"n": int(count)}


def days(count: int) -> str:
    return ngettext("%(n)s day", "%(n)s days", count) % {"n": count}


def seconds(count: int) -> str:
    if count and count % 60 == 0:
        return minutes(count // 60)
    return ngettext("%(n)s second", "%(n)s seconds", count) % {"n": count}


def _joined(names: Sequence[str], pattern: str) -> str:
    if len(names) < 2:
        return "".join(names)
    comma = "، " if (get_language() or "").startswith("ar") else ", "
    return pattern % {"first": comma.join(names[:-1]), "last": names[-1]}
