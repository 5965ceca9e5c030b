"""Whom a step means, at this moment, in this alert's jurisdiction: on duty, unless the step says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from accounts.roles import CAPABILITIES, Role
from alerts.models import Contact, PolicyStep
from alerts.services import whys
from alerts.services.oncall import on_call_now
from alerts.services.people import is_reachable
from patrol.models import Duty, Member
from patrol.permissions import DUTY_BOUND

Kind = PolicyStep.Kind
TO_PEOPLE = frozenset({Kind.PERSON, Kind.ROLE, Kind.TEAM, Kind.SCHEDULE, Kind.CONTACT, Kind.OPERATIONS_ROOM, Kind.COMMAND_CENTRE})
SEES_ALERTS = sorted(role for role, verbs in CAPABILITIES.items() if "see_alerts" in verbs and role != Role.AUDITOR)


@dataclass(frozen=True)
class Target:
    """A person or a contact to be paged, and why (``whys.said`` tells it in a reader's language)."""

    user: User | None = None
    contact: Contact | None = None
    why: whys.Why = field(default_factory=dict)
    is_reachable: bool = True

    @property
    def key(self) -> tuple[str, int]:
        return ("user", self.user.pk) if self.user is not None else ("contact", self.contact.pk if self.contact is not None else 0)

    @property
    def name(self) -> str:
        return str(self.user or self.contact or "")


def resolve(step: Mapping[str, Any], alert: Any, at: datetime) -> list[Target]:
    """The people and contacts of this step, each once. Of ``alert`` only ``agency_id`` and ``governorate_id`` are asked.

    Nobody is found for what is no more: a person who left, a schedule that was removed.
    """
    kind = step["kind"]
    if kind == Kind.CONTACT:
        return _contacts(Contact.objects.filter(pk=step.get("contact") or 0, is_active=True), kind, step)
    if kind == Kind.OPERATIONS_ROOM:
        return _contacts(_rooms(step.get("agency") or alert.agency_id, alert.governorate_id), kind, step)
    users = User.objects.filter(is_active=True)
    if kind == Kind.PERSON:
        found = users.filter(pk=step.get("user") or 0)
    elif kind == Kind.ROLE:
        found = _inside(users.filter(role=step.get("role") or ""), step.get("agency") or alert.agency_id, alert.governorate_id)
    elif kind == Kind.COMMAND_CENTRE:
        found = _inside(users.filter(role__in=SEES_ALERTS), step.get("agency") or alert.agency_id, alert.governorate_id)
    elif kind == Kind.TEAM:
        of_team = Duty.objects.covering(at).filter(unit__team=step.get("team"), member__user=OuterRef("pk"))
        found = users.filter(Exists(of_team))
    elif kind == Kind.SCHEDULE:
        # Who is on call has the duty of being reached: the roster of the patrols does not decide about them.
        ids = on_call_now(schedule_id=step["schedule"], at=at) if step.get("schedule") else []
        return _people(users.filter(pk__in=ids), kind, step)
    else:
        return []
    return _people(found if step.get("also_off_duty") else on_duty(found, at), kind, step)


def fallback_of(snapshot: Mapping[str, Any]) -> list[Target]:
    """Whom the policy names for the case that nobody is reached: on duty or not."""
    found = _people(User.objects.filter(pk=snapshot.get("fallback_user") or 0, is_active=True), "fallback", {})
    return found + _contacts(Contact.objects.filter(pk=snapshot.get("fallback_contact") or 0, is_active=True), "fallback", {})


def on_duty(users: QuerySet[User], at: datetime) -> QuerySet[User]:
    """Those with a duty at this moment. Of supervisors who stand on no roster nobody keeps a book of duties: they count as there."""
    rostered = Member.objects.filter(user=OuterRef("pk"))
    duty = Duty.objects.covering(at).filter(member__user=OuterRef("pk"))
    return users.filter(Exists(duty) | (~Q(role__in=sorted(DUTY_BOUND)) & ~Exists(rostered)))


def _inside(users: QuerySet[User], agency_id: int | None, governorate_id: int | None) -> QuerySet[User]:
    """Those in whose jurisdiction it lies: the rule of ``Jurisdiction.admits``, as a query."""
    of_agency = Q(sees_all_agencies=True) | (Q(agency_id=agency_id) if agency_id is not None else Q())
    if agency_id is None:
        of_agency = Q(sees_all_agencies=True)
    if governorate_id is None:
        of_place = Q(sees_all_governorates=True) | Q(Exists(User.governorates.through.objects.filter(user_id=OuterRef("pk"))))
    else:
        here = User.governorates.through.objects.filter(user_id=OuterRef("pk"), zone_id=governorate_id)
        of_place = Q(sees_all_governorates=True) | Q(Exists(here))
    return users.filter(of_agency & of_place)


def _rooms(agency_id: int | None, governorate_id: int | None) -> QuerySet[Contact]:
    """The governorate's operations room of that agency; where there is none, the agency's room for every governorate."""
    rooms = Contact.objects.filter(kind=Contact.Kind.OPERATIONS_ROOM, is_active=True, agency_id=agency_id or 0)
    here = rooms.filter(governorate_id=governorate_id) if governorate_id is not None else rooms.none()
    return here if here.exists() else rooms.filter(governorate=None)


def _people(users: Iterable[User], kind: str, step: Mapping[str, Any]) -> list[Target]:
    found = users.order_by("pk") if isinstance(users, QuerySet) else users
    return [Target(user=user, why=_why(kind, step), is_reachable=_reached(step, user=user)) for user in found]


def _contacts(contacts: QuerySet[Contact], kind: str, step: Mapping[str, Any]) -> list[Target]:
    return [
        Target(contact=contact, why=_why(kind, step), is_reachable=_reached(step, contact=contact)) for contact in contacts.order_by("pk")
    ]


def _reached(step: Mapping[str, Any], *, user: User | None = None, contact: Contact | None = None) -> bool:
    """A step that only shows on the screen reaches whoever signs in; any other needs a way to the person."""
    if user is not None and list(step.get("channels") or []) == ["in_app"]:
        return True
    return is_reachable(user) if user is not None else contact is not None and is_reachable(contact)


def _why(kind: str, step: Mapping[str, Any]) -> whys.Why:
    if kind == Kind.SCHEDULE:
        return whys.of_schedule(step.get("schedule_name"))
    if kind == Kind.TEAM:
        return whys.of_team(step.get("team_name"))
    if kind == Kind.ROLE:
        return whys.of_role(str(step.get("role") or ""))
    return {
        Kind.COMMAND_CENTRE: whys.COMMAND_CENTRE, Kind.OPERATIONS_ROOM: whys.OPERATIONS_ROOM, "fallback": whys.FALLBACK,
    }.get(kind, whys.IN_THE_POLICY)  # fmt: skip


def who_would_be_paged(policy_snapshot: Mapping[str, Any], at: datetime, alert_like: Any) -> list[Target]:
    """Everybody whom any step of the policy would page if it were run at ``at``, each once: for replays and previews."""
    found: dict[tuple[str, int], Target] = {}
    steps: Sequence[Mapping[str, Any]] = policy_snapshot.get("steps") or []
    for step in steps:
        for target in resolve(step, alert_like, at):
            found.setdefault(target.key, target)
    return list(found.values())
