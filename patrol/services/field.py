"""What an officer's phone does, each act once. A phone in a tunnel keeps its acts with their own time and key, and sends them when it is
out again, perhaps twice: the first time something happens, every other time the same answer comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound
from patrol.models import Assignment, Duty, FieldAction, Member, PlanStop, Unit, WelfareCheck
from patrol.permissions import may
from patrol.services.assignments import assign, move_assignment
from patrol.services.duty import go_off_duty, go_on_duty
from patrol.services.welfare import answer_welfare

OLDEST = timedelta(hours=24)
STEPS = ("accepted", "en_route", "on_scene", "done")


@dataclass(frozen=True)
class Answer:
    """``result``: ``done`` now, ``already`` (sent before, and done then), or ``refused`` with a sentence and a code."""

    key: UUID
    result: str
    message: str = ""
    code: str = ""

    @property
    def is_refused(self) -> bool:
        return self.result == "refused"


def act(*, key: UUID, user: User, verb: str, at: datetime, **facts: Any) -> Answer:
    """Do one thing from the field, as of ``at``; a key that was used before does nothing and is answered as it was the first time.

    A refusal is an answer too and is kept: the phone shows it and does not send it again. ``at`` in the future is taken as now; what
    happened more than a day ago is refused. Raises only what another try can heal.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # One at a time for each key, whoever sends it.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(key)])
        known = FieldAction.objects.filter(key=key).first()
        if known is not None:
            return _again(known, user)
        now = timezone.now()
        moment = min(at, now)
        try:
            if not may(user, "act_in_field"):
                raise NotAllowed(_("Your role does not allow this."))
            if now - moment > OLDEST:
                raise Invalid(_("That was more than a day ago. Tell the command room."))
            if verb not in VERBS:
                raise Invalid(_("This is not something a phone does."))
            with transaction.atomic():
                VERBS[verb](user, moment, key, facts)
            answer = Answer(key, "done")
        except DomainError as error:
            answer = Answer(key, "refused", error.message, error.code)
        kept = {"result": answer.result, "message": answer.message, "code": answer.code}
        FieldAction.objects.create(key=key, user=user, verb=verb[:32], at=moment, answer=kept)
        return answer


def _again(known: FieldAction, user: User) -> Answer:
    if known.user_id != user.pk:
        return Answer(known.key, "refused", _("This was sent by somebody else."), "not_allowed")
    if known.answer.get("result") == "refused":
        return Answer(known.key, "refused", known.answer.get("message", ""), known.answer.get("code", ""))
    return Answer(known.key, "already")


# --- what a phone does -----------------------------------------------------------------------------------------------


def _number(facts: dict[str, Any], name: str) -> int:
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise NotFound(_("There is no such thing."))
    return value


def _move(user: User, at: datetime, key: UUID, facts: dict[str, Any]) -> None:
    found = Assignment.objects.visible_to(user).filter(pk=_number(facts, "assignment")).first()
    if found is None:
        raise NotFound(_("There is no such assignment."))
    to = facts.get("to")
    if to not in STEPS:
        raise Invalid(_("Unknown state."))
    move_assignment(assignment=found, to=str(to), by=user, at=at, facts={"key": str(key)})


def _arrive(user: User, at: datetime, key: UUID, facts: dict[str, Any]) -> None:
    """At a stop of one's route. The stop is given out with the arrival, where planning has not done so before."""
    stop = _own_stop(user, at, facts)
    given = Assignment.objects.filter(plan_stop=stop, unit=stop.route.unit).order_by("-pk").first()
    if given is not None and not given.is_open:
        raise Conflict(_("This stop has ended."))
    if given is None:
        unit = stop.route.unit
        open_now = Assignment.objects.open().filter(unit=unit).values_list("pk", flat=True)
        # Under the unit's row, so that one stop is given out once.
        given = assign(
            unit=unit, by=None, kind="stop", plan_stop=stop, location=stop.location, radius_m=stop.radius_m, priority=5, at=at,
            seen=list(open_now),
        )  # fmt: skip
    move_assignment(assignment=given, to="on_scene", by=user, at=at, facts={"key": str(key)})


def _leave(user: User, at: datetime, key: UUID, facts: dict[str, Any]) -> None:
    stop = _own_stop(user, at, facts)
    given = Assignment.objects.filter(plan_stop=stop, unit=stop.route.unit).order_by("-pk").first()
    if given is None:
        raise Conflict(_("You have not arrived there yet."))
    move_assignment(assignment=given, to="done", by=user, at=at, facts={"key": str(key)})


def _own_stop(user: User, at: datetime, facts: dict[str, Any]) -> PlanStop:
    """A stop on the route of the unit one is, or was then, on duty with."""
    stops = PlanStop.objects.filter(plan__state__in=["published", "superseded"]).select_related("route__unit__agency")
    stop = stops.filter(pk=_number(facts, "stop")).first()
    duties = Duty.objects.filter(member__user=user, unit=stop.route.unit) if stop is not None else Duty.objects.none()
    if stop is None or not (duties.open().exists() or duties.covering(at).exists()):
        raise NotFound(_("There is no such stop on your route."))
    return stop


def _welfare(user: User, at: datetime, key: UUID, facts: dict[str, Any]) -> None:
    found = WelfareCheck.objects.visible_to(user).select_related("unit").filter(pk=_number(facts, "check")).first()
    if found is None:
        raise NotFound(_("There is no such timer."))
    answer_welfare(check=found, by=user, at=at)


def _member(user: User) -> Member:
    found = Member.objects.active().filter(user=user).first()
    if found is None:
        raise NotAllowed(_("Your account belongs to nobody of the force."))
    return found


def _duty_on(user: User, at: datetime, key: UUID, facts: dict[str, Any]) -> None:
    unit = None
    if facts.get("unit") is not None:
        unit = Unit.objects.active().visible_to(user).filter(pk=_number(facts, "unit")).first()
        if unit is None:
            raise NotFound(_("There is no such unit."))
    go_on_duty(member=_member(user), unit=unit, by=user, at=at, key=key)


def _duty_off(user: User, at: datetime, key: UUID, facts: dict[str, Any]) -> None:
    go_off_duty(member=_member(user), by=user, at=at, key=key)


VERBS: dict[str, Callable[[User, datetime, UUID, dict[str, Any]], None]] = {
    "move": _move,
    "arrive": _arrive,
    "leave": _leave,
    "welfare": _welfare,
    "duty_on": _duty_on,
    "duty_off": _duty_off,
}
