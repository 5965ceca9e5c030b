"""The categories of incident types, in words."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

_NAMES = {
    "property": _("Property"),
    "violence": _("Violence"),
    "traffic": _("Traffic"),
    "fire": _("Fire"),
    "medical": _("Medical"),
    "drugs": _("Drugs"),
    "disorder": _("Public order"),
    "service": _("Public service"),
    "welfare": _("Welfare"),
    "other": _("Other"),
}


def category_name(slug: str) -> str:
    """In words; one we do not know as it is written."""
    known = _NAMES.get(slug)
    return str(known) if known is not None else slug.replace("-", " ").replace("_", " ").capitalize()
