"""What is wrong with a policy, found when it is saved and not at night: problems refuse it, warnings are shown and it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import Role
from alerts.analytics.escalating import applies, count_of_places, lasts_s
from alerts.choices import Channel, Importance, Level
from alerts.models import Contact, OnCallSchedule, PolicyStep
from alerts.services import oncall, people
from alerts.services.escalation import ladder
from alerts.services.escalation.lasting import lasting
from alerts.services.escalation.targets import TO_PEOPLE
from patrol.models import Member, Team

Kind = PolicyStep.Kind
AHEAD = timedelta(days=14)
MOST_STEPS = 30
MOST_TIMES = 10
MOST_PLACES = 100
LONGEST_S = 48 * 3600
LEAST_LOOP_S = 60
LEAST_REPEAT_S = 30
LONGEST_WAIT_S = 86_400
# What each kind of step cannot do without: the key in a step, and the sentence that asks for it.
NEEDS: dict[str, str] = {
    Kind.PERSON: "user",
    Kind.ROLE: "role",
    Kind.TEAM: "team",
    Kind.SCHEDULE: "schedule",
    Kind.CONTACT: "contact",
    Kind.WEBHOOK: "webhook",
}


@dataclass
class Found:
    """``problems`` by field (``steps.2.user``: the second step's person); ``warnings`` as sentences."""

    problems: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        return not self.problems


def check(snapshot: Mapping[str, Any], *, now: datetime | None = None) -> Found:
    """Look through a policy, given as a snapshot. Reads only."""
    now = now or timezone.now()
    found = Found()
    steps: Sequence[Mapping[str, Any]] = snapshot.get("steps") or []
    if not steps:
        found.problems["steps"] = _("A policy needs a step.")
    elif len(steps) > MOST_STEPS:
        found.problems["steps"] = _("At most %(most)d steps.") % {"most": MOST_STEPS}
    for number, step in enumerate(steps, start=1):
        _check_step(number, step, found)
    _check_whole(snapshot, found)
    found.problems.update(ladder.problems_of(snapshot.get("ladder")))
    if found.is_fine:  # the rest asks what only a sound policy can answer
        has_fallback = bool(snapshot.get("fallback_user") or snapshot.get("fallback_contact"))
        _check_loops(snapshot, found)
        _check_reach(snapshot, has_fallback, found)
        _check_schedules(steps, has_fallback, now, found)
        _check_people(snapshot, found)
        found.warnings += ladder.warnings_of(snapshot.get("ladder") or [])
    return found


def _check_step(number: int, step: Mapping[str, Any], found: Found) -> None:
    def wrong(key: str, text: str) -> None:
        found.problems.setdefault(f"steps.{number}.{key}", text)

    kind = step.get("kind")
    if kind not in Kind.values:
        wrong("kind", _("There is no such step."))
        return
    need = NEEDS.get(str(kind))
    if need and not step.get(need):
        asked = {
            "user": _("Choose a person."),
            "role": _("Choose a role."),
            "team": _("Choose a team."),
            "schedule": _("Choose a schedule."),
            "contact": _("Choose a contact."),
            "webhook": _("Choose a webhook."),
        }
        wrong(need, asked[need])
    if kind == Kind.ROLE and step.get("role") and step["role"] not in Role.values:
        wrong("role", _("There is no such role."))
    if kind == Kind.WEBHOOK and step.get("webhook") and step["webhook"] not in settings.ALERT_WEBHOOKS:
        wrong("webhook", _("There is no webhook of this name; they are named in ALERT_WEBHOOKS."))
    wait_s, times = _whole(step.get("wait_s")), _whole(step.get("repeat_times"))
    if wait_s is None or not 0 <= wait_s <= LONGEST_WAIT_S:
        wrong("wait_s", _("A step waits a day at most."))
    elif kind == Kind.WAIT and wait_s == 0:
        wrong("wait_s", _("Say how long is waited."))
    if times is None or not 0 <= times <= MOST_TIMES:
        wrong("repeat_times", _("A step repeats ten times at most."))
    elif times and (wait_s or 0) < LEAST_REPEAT_S:
        wrong("repeat_times", _("What is repeated waits at least %(time)s in between.") % {"time": lasting(LEAST_REPEAT_S)})
    if any(channel not in Channel.values for channel in step.get("channels") or []):
        wrong("channels", _("There is no such channel."))
    if any(level not in Level.values for level in step.get("only_levels") or []):
        wrong("only_levels", _("There is no such level."))
    if any(day not in range(7) for day in step.get("only_weekdays") or []):
        wrong("only_weekdays", _("There is no such day."))
    if step.get("importance", Importance.DEFAULT) not in Importance.values:
        wrong("importance", _("There is no such importance."))
    if bool(step.get("only_from")) != bool(step.get("only_to")):
        wrong("only_from", _("Give both from and to, or neither."))
    elif step.get("only_from") and step["only_from"] == step["only_to"]:
        wrong("only_from", _("From and to are the same; leave both empty for the whole day."))


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else (0 if value is None else None)


def _check_whole(snapshot: Mapping[str, Any], found: Found) -> None:
    times, wait_s = _whole(snapshot.get("repeat_times")), _whole(snapshot.get("repeat_wait_s"))
    if times is None or not 0 <= times <= MOST_TIMES:
        found.problems["repeat_times"] = _("A policy repeats ten times at most.")
    if wait_s is None or not 0 <= wait_s <= LONGEST_WAIT_S:
        found.problems["repeat_wait_s"] = _("At most a day.")
    if (_whole(snapshot.get("remind_after_min")) or 0) < 0:
        found.problems["remind_after_min"] = _("A number of minutes is needed.")


def _check_loops(snapshot: Mapping[str, Any], found: Found) -> None:
    """It must end, and in reasonable time."""
    once = dict(snapshot) | {"repeat_times": 0, "hurry_percent": 0}
    round_s = lasts_s(once) + int(snapshot.get("repeat_wait_s") or 0)
    if snapshot.get("repeat_times") and round_s < LEAST_LOOP_S:
        found.problems["repeat_wait_s"] = _("This runs in a circle without waiting: at least %(time)s a round.") % {
            "time": lasting(LEAST_LOOP_S)
        }
    if count_of_places(snapshot) > MOST_PLACES:
        found.problems["repeat_times"] = _("With all repeats this runs %(n)d steps; %(most)d is the most.") % {
            "n": count_of_places(snapshot), "most": MOST_PLACES,
        }  # fmt: skip
    elif lasts_s(snapshot) > LONGEST_S:
        found.problems["repeat_times"] = _("With all repeats this lasts %(time)s; two days is the most.") % {
            "time": lasting(3600 * round(lasts_s(snapshot) / 3600))
        }


def _check_reach(snapshot: Mapping[str, Any], has_fallback: bool, found: Found) -> None:
    """At every hour of the week, at every level, some step tells somebody."""
    to_people = [step for step in snapshot["steps"] if step["kind"] in TO_PEOPLE]
    if has_fallback:
        return
    if not to_people:
        found.problems["steps"] = _("No step tells anybody, and nobody is named for that case.")
        return
    monday = datetime(2024, 1, 1)  # noqa: DTZ001 - a week of the wall clock
    for level in Level.values:
        for hour in range(7 * 24):
            at = monday + timedelta(hours=hour)
            if not any(applies(step, local=at, level=level) for step in to_people):
                found.problems["steps"] = _(
                    "On %(day)s at %(hour)s an alert of level %(level)s would tell nobody. Add a step without limits, or name a fallback."
                ) % {"day": WEEKDAYS[at.weekday()], "hour": f"{at:%H:%M}", "level": Level(level).label}
                return


def _check_schedules(steps: Sequence[Mapping[str, Any]], has_fallback: bool, now: datetime, found: Found) -> None:
    """A schedule with a hole in the next fourteen days needs a fallback."""
    ids = {step["schedule"] for step in steps if step["kind"] == Kind.SCHEDULE}
    for schedule in OnCallSchedule.objects.filter(pk__in=ids):
        holes = oncall.gaps(schedule=schedule, start=now, end=now + AHEAD)
        if not holes:
            continue
        first = timezone.localtime(holes[0][0])
        text = _("%(schedule)s has nobody on call from %(from)s on.") % {"schedule": schedule, "from": f"{first:%Y-%m-%d %H:%M}"}
        if has_fallback:
            found.warnings.append(text)
        else:
            found.problems["fallback"] = _("%(text)s Fill the hole, or name whom to tell instead.") % {"text": text}


def _check_people(snapshot: Mapping[str, Any], found: Found) -> None:
    """Who has no way to be told, who is never on duty: said, for somebody else may still reach them."""
    named = {step["user"]: step for step in snapshot["steps"] if step["kind"] == Kind.PERSON}
    for user in User.objects.filter(pk__in={*named, snapshot.get("fallback_user") or 0}).order_by("pk"):
        if not user.is_active:
            found.warnings.append(_("%(who)s has left: nobody is told.") % {"who": user})
        elif not people.is_reachable(user):
            found.warnings.append(_("%(who)s can be told on the screen only: no other address is known.") % {"who": user})
        step = named.get(user.pk)
        if step is not None and not step.get("also_off_duty") and Member.objects.filter(user=user).exists():
            found.warnings.append(_("%(who)s is told only while on duty.") % {"who": user})
    contacts = {step["contact"] for step in snapshot["steps"] if step["kind"] == Kind.CONTACT} | {snapshot.get("fallback_contact") or 0}
    for contact in Contact.objects.filter(pk__in=contacts).order_by("pk"):
        if not contact.is_active or not people.is_reachable(contact):
            found.warnings.append(_("%(who)s has no address that works.") % {"who": contact})
    for team in Team.objects.filter(pk__in={step["team"] for step in snapshot["steps"] if step["kind"] == Kind.TEAM}):
        if not team.is_active:
            found.warnings.append(_("The team %(team)s is out of use.") % {"team": team})
    if not snapshot.get("fallback_user") and not snapshot.get("fallback_contact"):
        found.warnings.append(_("Nobody is named for the case that nobody is reached."))
