"""Why this person is paged: kept as what it is, with the names it needs, and told in the language of whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.roles import Role
from alerts.models import Page

Why = Mapping[str, Any]
MOST = 200


def of_schedule(names: object) -> Why:
    return {"code": "schedule", "names": names or {}}


def of_team(names: object) -> Why:
    return {"code": "team", "names": names or {}}


def of_role(role: str) -> Why:
    return {"code": "role", "role": role}


def keeps(names: Mapping[str, str]) -> Why:
    """Of somebody who answers for an on-call schedule."""
    return {"code": "keeps", "names": dict(names)}


def handed_over(by: object) -> Why:
    return {"code": "handed_over", "name": str(by)}


def told_by(by: object) -> Why:
    return {"code": "told_by", "name": str(by)}


COMMAND_CENTRE: Why = {"code": "command"}
OPERATIONS_ROOM: Why = {"code": "operations"}
FALLBACK: Why = {"code": "fallback"}
IN_THE_POLICY: Why = {"code": "policy"}
IN_THE_ALERT: Why = {"code": "alert"}


def said(why: Why | str) -> str:
    """In the language that is active. A plain text is told as it is: what was written before the reasons had codes."""
    if isinstance(why, str):
        return why[:MOST]
    code, name = why.get("code"), str(why.get("name") or "")
    if code == "schedule":
        text = _("On call in %(schedule)s") % {"schedule": _named(why)}
    elif code == "team":
        text = _("On duty in %(team)s") % {"team": _named(why)}
    elif code == "role":
        role = why.get("role")
        text = _("As %(role)s there") % {"role": Role(role).label if role in Role.values else ""}
    elif code == "keeps":
        text = _("Answers for the schedule %(schedule)s") % {"schedule": _named(why)}
    elif code == "handed_over":
        text = _("Handed over by %(name)s") % {"name": name}
    elif code == "told_by":
        text = _("Told by %(name)s") % {"name": name}
    else:
        plain = {
            "command": _("In the command centre"),
            "operations": _("As the operations room"),
            "fallback": _("Because nobody else was reached"),
            "policy": _("Named in the policy"),
            "alert": _("Named in the alert"),
        }
        text = plain.get(str(code), "")
    return text[:MOST]


def of(page: Page) -> str:
    return said(page.because or page.why)


def _named(why: Why) -> str:
    names = why.get("names")
    if not isinstance(names, Mapping):
        return str(names or "")
    language = "ar" if (get_language() or "").startswith("ar") else "en"
    return str(names.get(language) or names.get("en") or names.get("ar") or "")
