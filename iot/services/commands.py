"""Commands to devices: asked for by a person or a rule, handed over by the gateway of their transport, answered by the device."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from iot.models import Device, DeviceCommand
from iot.permissions import Actor, require

State, Transport = DeviceCommand.State, DeviceCommand.Transport
LASTS = timedelta(hours=1)
LONGEST = timedelta(days=7)
MOST_BYTES = 4_096
MOST_WAITING = 100  # of one device
AGAIN_AFTER, SELDOM = timedelta(seconds=5), timedelta(minutes=5)


@transaction.atomic
def send_command(
    *, device: Device, payload: Mapping[str, Any], by: Actor | None, cause: str = "", lasts: timedelta = LASTS, transport: str = ""
) -> DeviceCommand:
    """It waits for the gateway of its transport: LoRaWAN for a device with a DevEUI, else MQTT. ``by`` is nobody where a rule asks."""
    require(by, "manage_devices", device)
    now = timezone.now()
    if device.state != Device.State.ACTIVE:
        raise Conflict(_("This device is not in use."))
    if not isinstance(payload, Mapping) or not payload:
        raise Invalid(_("The command cannot be sent so."), fields={"payload": _("A JSON object that is not empty.")})
    try:
        size = len(orjson.dumps(payload))
    except TypeError as error:
        raise Invalid(_("The command cannot be sent so."), fields={"payload": _("Plain JSON only.")}) from error
    if size > MOST_BYTES:
        fields = {"payload": _("At most %(most)d bytes.") % {"most": MOST_BYTES}}
        raise Invalid(_("The command cannot be sent so."), fields=fields)
    if not timedelta(0) < lasts <= LONGEST:
        raise Invalid(_("The command cannot be sent so."), fields={"lasts": _("Seven days at most.")})
    if DeviceCommand.objects.filter(device=device, state=State.QUEUED, expires_at__gt=now).count() >= MOST_WAITING:
        raise Conflict(_("%(most)d commands wait for this device already.") % {"most": MOST_WAITING})
    command = DeviceCommand.objects.create(
        device=device, payload=dict(payload), cause=cause[:200], asked_by_id=getattr(by, "pk", None), expires_at=now + lasts,
        transport=transport or (Transport.LORAWAN if device.dev_eui else Transport.MQTT),
    )  # fmt: skip
    after = {"reference": str(command.reference), "payload": dict(payload), "transport": command.transport}
    audit.record("device.command", obj=device, by=by, after=after, reason=cause)
    return command


@transaction.atomic
def take_commands(*, transport: str, now: datetime, most: int = 100, among: Q | None = None) -> list[DeviceCommand]:
    """What a gateway hands over now (of those ``among``), each to one gateway alone. Whoever dies over it leaves it to be tried again."""
    waiting = DeviceCommand.objects.filter(transport=transport, state=State.QUEUED)
    waiting.filter(expires_at__lte=now).update(state=State.FAILED, ended_at=now, problem=_("It was not reached in time."))
    due = waiting.filter(among or Q(), next_try_at__lte=now, device__state=Device.State.ACTIVE).order_by("next_try_at", "pk")
    found = list(due.select_related("device").defer("device__location").select_for_update(of=("self",), skip_locked=True)[:most])
    for command in found:
        rest = min(AGAIN_AFTER * 2 ** min(command.tries, 10), SELDOM)
        DeviceCommand.objects.filter(pk=command.pk).update(next_try_at=now + rest, tries=F("tries") + 1)
    return found


def note_sent(*, pk: int, now: datetime) -> bool:
    """The network has it for a device that listens."""
    changes = {"state": State.SENT, "sent_at": now, "problem": ""}
    return bool(DeviceCommand.objects.filter(pk=pk, state=State.QUEUED).update(**changes))


def note_not_sent(*, pk: int, problem: str) -> bool:
    """It waits for its next try."""
    return bool(DeviceCommand.objects.filter(pk=pk, state=State.QUEUED).update(problem=problem[:200]))


def note_answered(*, reference: str, device_id: int, is_done: bool, detail: str, now: datetime) -> bool:
    """The device says what became of it: of its own alone, and once. A command may be answered before its sending was written down."""
    try:
        key = UUID(reference)
    except ValueError:
        return False
    own = DeviceCommand.objects.filter(reference=key, device_id=device_id, state__in=[State.QUEUED, State.SENT])
    state = State.ACKNOWLEDGED if is_done else State.FAILED
    problem = "" if is_done else detail.replace("\0", "")[:200]
    sent = DeviceCommand.objects.filter(reference=key, device_id=device_id).values_list("sent_at", flat=True).first() or now
    return bool(own.update(state=state, sent_at=sent, ended_at=now, problem=problem))
