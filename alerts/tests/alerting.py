"""A little alerting beside the cast: addresses, an operations room, a schedule, a policy, a rule, and an alert that fires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from alerts.models import (
    Alert,
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


@dataclass
class Alerting:
    """Of the police in Hawalli. The supervisor is reached by e-mail, then SMS; the dispatcher by SMS; the officer has no address.
    ``policy``: who is on call (the supervisor, for good), a minute later every dispatcher, then the operations room; ``rule``: burglaries,
    three in a day in an area, active since yesterday."""

    room: Contact
    schedule: OnCallSchedule
    policy: EscalationPolicy
    rule: AlertRule


@pytest.fixture
def alerting(cast: Any, places: Any) -> Alerting:
    def reached_by(user: Any, *channels: tuple[str, str]) -> None:
        for position, (channel, address) in enumerate(channels):
            ContactMethod.objects.create(user=user, channel=channel, address=address, verified_at=datetime.now(UTC))
            NotificationRule.objects.create(user=user, position=position, channel=channel, wait_s=60)

    reached_by(cast.supervisor, (Channel.EMAIL, "supervisor@example.org"), (Channel.SMS, "+96550000001"))
    reached_by(cast.dispatcher, (Channel.SMS, "+96550000002"))
    room = Contact.objects.create(
        kind=Contact.Kind.OPERATIONS_ROOM, code="police-hawalli", name_en="Hawalli operations", name_ar="عمليات حولي", agency=cast.police,
        governorate=places.hawalli, language="en",
    )  # fmt: skip
    ContactMethod.objects.create(contact=room, channel=Channel.SMS, address="+96550000009", verified_at=datetime.now(UTC))
    schedule = OnCallSchedule.objects.create(
        code="hawalli-duty", name_en="Hawalli duty officer", name_ar="ضابط مناوب حولي", agency=cast.police, governorate=places.hawalli
    )
    layer = OnCallLayer.objects.create(schedule=schedule, starts_on=datetime.now(UTC).date() - timedelta(days=30), handover_at=time(7, 0))
    LayerMember.objects.create(layer=layer, position=1, user=cast.supervisor)
    policy = EscalationPolicy.objects.create(
        code="hawalli", name_en="Hawalli, as usual", name_ar="حولي، المعتاد", agency=cast.police, fallback_contact=room
    )
    PolicyStep.objects.create(policy=policy, position=1, kind=PolicyStep.Kind.SCHEDULE, schedule=schedule, wait_s=60, also_off_duty=True)
    PolicyStep.objects.create(policy=policy, position=2, kind=PolicyStep.Kind.ROLE, role="dispatcher", wait_s=120, also_off_duty=True)
    PolicyStep.objects.create(policy=policy, position=3, kind=PolicyStep.Kind.OPERATIONS_ROOM, wait_s=300)
    rule = AlertRule.objects.create(
        code="burglaries",
        name_en="Burglaries in one area",
        name_ar="سرقات منازل في منطقة",
        source=AlertRule.Source.COUNT,
        agency=cast.police,
        types=["burglary"],
        condition={"window_h": 24, "per": "area"},
        levels={"medium": 3, "high": 5},
        group_by=["zone", "type"],
        policy=policy,
        state=AlertRule.State.ACTIVE,
        created_by=cast.analyst,
        submitted_by=cast.analyst,
        activated_by=cast.supervisor,
        activated_at=datetime.now(UTC) - timedelta(days=1),
    )
    return Alerting(room, schedule, policy, rule)


@pytest.fixture
def fire(cast: Any, places: Any) -> Callable[..., Alert]:
    """``fire()`` puts an alert of the police in Salmiya into its table, without any escalation; any column may be given."""

    def make(**given: Any) -> Alert:
        now = datetime.now(UTC)
        details: dict[str, Any] = {
            "key": uuid4(), "kind": Alert.Kind.MANUAL, "fingerprint": uuid4().hex, "level": "high", "title_en": "Smoke over the market",
            "title_ar": "دخان فوق السوق", "agency": cast.police, "governorate": places.hawalli, "zone": places.salmiya,
            "location": places.in_salmiya, "caused_at": now, "last_seen_at": now, "resolve_due_at": now + timedelta(days=1),
        }  # fmt: skip
        return Alert.objects.create(**{**details, **given})

    return make


def rows_of_escalation(alerting: Alerting, fire: Callable[..., Alert]) -> None:
    """A run with a step, and a heartbeat, for walks over every screen."""
    from alerts.services.escalation import start_run
    from alerts.services.escalation.heart import PAGER, beat
    from alerts.services.escalation.running import run_due

    start_run(alert=fire(), policy=alerting.policy)
    run_due()
    beat(PAGER)
