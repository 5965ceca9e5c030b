"""Policies that come with the product: plain ones that need no name of a person, so that they work from the first day."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.models import Agency
from accounts.roles import Role
from alerts.models import EscalationPolicy, PolicyStep

Kind = PolicyStep.Kind

# By the kind of alert the seeded rules send there. Written once: what a site has changed stays as it changed it.
SEEDS: tuple[dict[str, Any], ...] = (
    {
        "code": "standard",
        "name_en": "Dispatchers, then supervisors, then the operations room",
        "name_ar": "المرسِلون ثم المشرفون ثم غرفة العمليات",
        "repeat_times": 1,
        "repeat_wait_s": 300,
        "steps": (
            {"kind": Kind.COMMAND_CENTRE, "wait_s": 0, "channels": ["in_app"]},
            {"kind": Kind.ROLE, "role": Role.DISPATCHER, "wait_s": 60},
            {"kind": Kind.ROLE, "role": Role.SUPERVISOR, "wait_s": 120, "also_off_duty": True},
            {"kind": Kind.OPERATIONS_ROOM, "wait_s": 300, "importance": "important"},
        ),
    },
    {
        "code": "urgent",
        "name_en": "Everybody who may act, at once",
        "name_ar": "كل من يستطيع التصرف فورًا",
        "repeat_times": 3,
        "repeat_wait_s": 120,
        "steps": (
            {"kind": Kind.COMMAND_CENTRE, "wait_s": 0, "channels": ["in_app"], "importance": "important"},
            {"kind": Kind.ROLE, "role": Role.DISPATCHER, "wait_s": 30, "importance": "important"},
            {"kind": Kind.ROLE, "role": Role.SUPERVISOR, "wait_s": 60, "importance": "important", "also_off_duty": True},
            {"kind": Kind.OPERATIONS_ROOM, "wait_s": 120, "importance": "important"},
        ),
    },
    {
        "code": "watch",
        "name_en": "On the screen; at night the supervisor too",
        "name_ar": "على الشاشة، وليلًا للمشرف أيضًا",
        "repeat_times": 0,
        "repeat_wait_s": 300,
        "steps": (
            {"kind": Kind.COMMAND_CENTRE, "wait_s": 900, "channels": ["in_app"], "also_off_duty": True},
            {"kind": Kind.ROLE, "role": Role.SUPERVISOR, "wait_s": 900, "only_from": "22:00", "only_to": "05:00", "also_off_duty": True},
        ),
    },
)


@transaction.atomic
def seed_policies(*, agency: Agency | None = None) -> list[EscalationPolicy]:
    """The policies above, of the whole ministry or of one agency; those that exist already stay as they are."""
    suffix = f"-{agency.slug}" if agency is not None else ""
    made = []
    for seed in SEEDS:
        values = {name: value for name, value in seed.items() if name not in ("code", "steps")}
        policy, is_new = EscalationPolicy.objects.get_or_create(
            code=f"{seed['code']}{suffix}", defaults=values | {"agency": agency, "is_seeded": True}
        )
        if is_new:
            PolicyStep.objects.bulk_create(PolicyStep(policy=policy, position=n, **step) for n, step in enumerate(seed["steps"], start=1))
        made.append(policy)
    return made
