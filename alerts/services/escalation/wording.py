"""A policy in plain words, from its snapshot: what a supervisor reads before and while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.text import get_text_list
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import Role
from alerts.choices import Channel, Importance, Level
from alerts.models import Contact, PolicyStep
from alerts.services.escalation import ladder
from alerts.services.escalation.lasting import lasting

Kind = PolicyStep.Kind
__all__ = ["endings", "fallback_names", "lasting", "named", "sentence", "sentences", "what"]


def named(names: object) -> str:
    """The name that was kept beside an id, in the reader's language."""
    if not isinstance(names, Mapping):
        return str(names or "")
    language = "ar" if (get_language() or "").startswith("ar") else "en"
    return str(names.get(language) or names.get("en") or names.get("ar") or "")


def what(step: Mapping[str, Any]) -> str:
    """What the step does, without when and how long."""
    kind = step.get("kind")
    agency = named(step.get("agency_name"))
    if kind == Kind.PERSON:
        return _("Notify %(who)s") % {"who": step.get("user_name") or "–"}
    if kind == Kind.ROLE:
        role = Role(step["role"]).label if step.get("role") in Role.values else "–"
        if agency:
            return _("Notify every %(role)s of %(agency)s whose area it is") % {"role": role, "agency": agency}
        return _("Notify every %(role)s whose area it is") % {"role": role}
    if kind == Kind.TEAM:
        return _("Notify whoever is on duty in %(team)s") % {"team": named(step.get("team_name")) or "–"}
    if kind == Kind.SCHEDULE:
        return _("Notify who is on call in %(schedule)s") % {"schedule": named(step.get("schedule_name")) or "–"}
    if kind == Kind.CONTACT:
        return _("Notify %(who)s") % {"who": named(step.get("contact_name")) or "–"}
    if kind == Kind.OPERATIONS_ROOM:
        if agency:
            return _("Notify the governorate's operations room of %(agency)s") % {"agency": agency}
        return _("Notify the governorate's operations room")
    if kind == Kind.COMMAND_CENTRE:
        return _("Show it to everybody in the command centre")
    if kind == Kind.TASK:
        title = step.get("task_title")
        return (_("Send the nearest free unit: %(title)s") % {"title": title}) if title else _("Send the nearest free unit")
    if kind == Kind.WEBHOOK:
        return _("Call the webhook %(name)s") % {"name": step.get("webhook") or "–"}
    return _("Do nothing")


def sentences(step: Mapping[str, Any]) -> list[str]:
    """The whole step: what, by which channels, for whom and when, how often, and how long is waited after it."""
    kind = step.get("kind")
    if kind == Kind.WAIT:
        return [_("Wait %(time)s.") % {"time": lasting(float(step.get("wait_s") or 0))}, *_limits(step)]
    said = [_("%(what)s.") % {"what": what(step)}]
    channels = [Channel(channel).label for channel in step.get("channels") or [] if channel in Channel.values]
    if channels and kind != Kind.WEBHOOK:
        said.append(_("Channels: %(channels)s only.") % {"channels": get_text_list([str(label) for label in channels], _("and"))})
    if step.get("importance") == Importance.IMPORTANT:
        said.append(_("As important."))
    if step.get("also_off_duty") and kind in {Kind.PERSON, Kind.ROLE, Kind.COMMAND_CENTRE, Kind.TEAM}:
        said.append(_("Off-duty people too."))
    said += _limits(step)
    wait_s, times = float(step.get("wait_s") or 0), int(step.get("repeat_times") or 0)
    if times:
        said.append(
            ngettext("Once more %(wait)s later.", "%(n)d times more, every %(wait)s.", times) % {"n": times, "wait": lasting(wait_s)}
        )
    said.append(_("Then wait %(time)s for somebody to acknowledge.") % {"time": lasting(wait_s)} if wait_s else _("Then go on at once."))
    return said


def _limits(step: Mapping[str, Any]) -> list[str]:
    said = []
    if step.get("only_from") or step.get("only_to"):
        said.append(_("Only from %(from)s to %(to)s.") % {"from": step.get("only_from") or "00:00", "to": step.get("only_to") or "00:00"})
    days = [str(WEEKDAYS[day]) for day in step.get("only_weekdays") or [] if day in WEEKDAYS]
    if days:
        said.append(_("Only on %(days)s.") % {"days": get_text_list(days, _("and"))})
    levels = [str(Level(level).label) for level in step.get("only_levels") or [] if level in Level.values]
    if levels:
        said.append(_("Only at the level %(levels)s.") % {"levels": get_text_list(levels, _("or"))})
    return said


def sentence(step: Mapping[str, Any]) -> str:
    return " ".join(sentences(step))


def endings(snapshot: Mapping[str, Any]) -> list[str]:
    """What holds of all steps: the ladder, repeats, and whom the policy names if nobody is reached."""
    said = [text for text in [ladder.said(snapshot.get("ladder") or [])] if text]
    times = int(snapshot.get("repeat_times") or 0)
    if times:
        wait = lasting(float(snapshot.get("repeat_wait_s") or 0))
        said.append(
            ngettext(
                "Then wait %(wait)s and do all of it once more.", "Then do all of it %(n)d times more, waiting %(wait)s before each.", times
            )
            % {"n": times, "wait": wait}
        )
    names = fallback_names(snapshot)
    if names:
        said.append(_("If a step finds nobody, or nobody has acknowledged at the end: %(who)s.") % {"who": get_text_list(names, _("and"))})
    else:
        said.append(_("Nobody is named for the case that nobody is reached; a coverage alert is raised all the same."))
    if snapshot.get("remind_after_min"):
        wait = lasting(60 * float(snapshot["remind_after_min"]))
        said.append(_("Acknowledged and still open %(time)s later, it fires again.") % {"time": wait})
    return said


def fallback_names(snapshot: Mapping[str, Any]) -> list[str]:
    users = User.objects.filter(pk=snapshot.get("fallback_user") or 0)
    contacts = Contact.objects.filter(pk=snapshot.get("fallback_contact") or 0)
    rows: Sequence[Any] = [*users, *contacts]
    return [str(row) for row in rows]
