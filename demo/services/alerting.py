"""Whom the demo's alerts reach: operations rooms, a rota of duty officers, an e-mail address each; and rules two people switched on."""

from __future__ import annotations

import logging
from datetime import time, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import Agency, User
from accounts.roles import Role
from alerts.models import (
    AlertRule,
    Channel,
    Contact,
    ContactMethod,
    EscalationPolicy,
    LayerMember,
    NotificationRule,
    OnCallLayer,
    OnCallSchedule,
    PolicyStep,
)
from alerts.services.rules import activate_rule
from alerts.services.rules.replay import replay
from core import audit
from core.errors import DomainError
from geography.models import Region, Zone

logger = logging.getLogger(__name__)

# Reserved for examples: nothing sent there arrives anywhere.
ADDRESS = "{name}@khareetaty.example"
SCHEDULE = "demo-duty-officer"
OFFICERS = 3
DESKS = ("traffic", "ems")
ROOMS = ("police", "fire", "ems", "traffic")


@transaction.atomic
def create_demo_alerting(*, region: Region) -> bool:
    """Make it once; returns whether anything was made. What exists already stays untouched."""
    police = Agency.objects.filter(slug="police").first()
    if police is None or OnCallSchedule.objects.filter(code=SCHEDULE).exists():
        return False
    for agency in Agency.objects.filter(slug__in=ROOMS):
        _room(agency, None)
    for governorate in Zone.objects.level(Zone.Level.GOVERNORATE).filter(region=region).defer("boundary"):
        _room(police, governorate)
    people = [*User.objects.filter(username__in=[Role.SUPERVISOR, Role.DISPATCHER]).order_by("-username")]
    officers = [_never_signs_in(f"duty officer {number}", Role.SUPERVISOR, police) for number in range(1, OFFICERS + 1)]
    desks = [_never_signs_in(f"{agency.slug} desk", Role.DISPATCHER, agency) for agency in Agency.objects.filter(slug__in=DESKS)]
    for person in (*people, *officers, *desks):
        _reached_by_mail(person)
    schedule = _rota(police, [*(person for person in people if person.role == Role.SUPERVISOR), *officers])
    _on_call_first(schedule)
    # These desks stand on no roster.
    PolicyStep.objects.filter(policy__code="traffic-and-ems", role=Role.DISPATCHER).update(also_off_duty=True)
    audit.record("demo.alerting", after={"rooms": Contact.objects.count(), "officers": OFFICERS})
    return True


def _room(agency: Agency, governorate: Zone | None) -> None:
    place_en, place_ar = (governorate.name_en, governorate.name_ar) if governorate else ("Kuwait", "الكويت")
    code = f"ops-{agency.slug}-{governorate.code.lower()}" if governorate else f"ops-{agency.slug}"
    room = Contact.objects.create(
        kind=Contact.Kind.OPERATIONS_ROOM,
        code=code,
        name_en=f"{place_en} operations ({agency.name_en})"[:120],
        name_ar=f"عمليات {place_ar} ({agency.name_ar})"[:120],
        agency=agency,
        governorate=governorate,
        is_synthetic=True,
    )
    ContactMethod.objects.create(contact=room, channel=Channel.EMAIL, address=ADDRESS.format(name=code), verified_at=timezone.now())


def _never_signs_in(name: str, role: Role, agency: Agency) -> User:
    """Somebody to be paged."""
    person = User(
        username=f"demo-{name}".replace(" ", "-"), full_name=f"Demo {name}", role=role, agency=agency, sees_all_governorates=True
    )  # fmt: skip
    person.set_unusable_password()
    person.save()
    return person


def _reached_by_mail(person: User) -> None:
    address = ADDRESS.format(name=person.username)
    ContactMethod.objects.create(user=person, channel=Channel.EMAIL, address=address, verified_at=timezone.now())
    for position, channel in enumerate((Channel.IN_APP, Channel.EMAIL), start=1):
        NotificationRule.objects.create(user=person, position=position, channel=channel, wait_s=30)


def _rota(agency: Agency, people: list[User]) -> OnCallSchedule:
    schedule = OnCallSchedule.objects.create(code=SCHEDULE, name_en="Duty officer", name_ar="ضابط الخفر", agency=agency, is_synthetic=True)
    today = timezone.localdate()
    layer = OnCallLayer.objects.create(
        schedule=schedule,
        name="",
        rotation=OnCallLayer.Rotation.WEEKLY,
        starts_on=today - timedelta(days=(today.weekday() + 1) % 7 + 28),  # a Sunday, four weeks ago
        handover_at=time(7, 0),
    )
    for position, person in enumerate(people, start=1):
        LayerMember.objects.create(layer=layer, position=position, user=person)
    return schedule


def _on_call_first(schedule: OnCallSchedule) -> None:
    """The product's own policy knows no rota: here whoever is on call is told before every supervisor is."""
    policy = EscalationPolicy.objects.get(code="standard")
    last = policy.steps.count()
    for step in policy.steps.filter(position__gte=3).order_by("-position"):
        PolicyStep.objects.filter(pk=step.pk).update(position=step.position + 1)
    PolicyStep.objects.create(policy=policy, position=min(3, last + 1), kind=PolicyStep.Kind.SCHEDULE, schedule=schedule, wait_s=120)


def switch_on_demo_rules() -> int:
    """What the product brings is switched on by a second person who has seen its replay: here the demo's super administrator."""
    root = User.objects.filter(username=Role.SUPERADMIN).first()
    if root is None:
        return 0
    on = 0
    for rule in AlertRule.objects.filter(state=AlertRule.State.WAITING, is_seeded=True):
        try:
            replay(rule=rule, days=7, by=root)
            activate_rule(rule=rule, version=rule.version, by=root)
        except DomainError as refusal:
            logger.warning("%s stays off: %s", rule.code, refusal.message)
        else:
            on += 1
    return on
