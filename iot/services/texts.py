"""Devices that report by text message. The number says which device it is, and a number can be forged: that is what such a reading is
worth. A stranger's number is counted and never announced, and neither its number nor its words are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from iot.decoders.errors import Undecodable
from iot.decoders.values import instant_of
from iot.models import DeadReading, Device, DeviceNetwork, HeardMessage
from iot.services.devices import tidied_identity
from iot.services.dying import Dead, bury
from iot.services.networks import Outcome, decoder_of, facts_apart, note_heard
from iot.services.senders import Sender
from iot.services.speaking import allow
from iot.stream import Envelope, offer

DOOR = "sms"
HEARD_KEPT = timedelta(days=7)  # providers repeat a message for hours, not for weeks
Why = DeadReading.Why


def hear_text(
    *, provider: str, message_id: str, number: str, text: str, now: datetime, at: str | None = None, network: DeviceNetwork | None = None
) -> Outcome:
    """One message, durable when this returns. ``network``: whose devices may be meant; ``None`` for a provider of the whole installation.
    Raises ``TooMany``, ``StreamFull``, ``StreamAway``: nothing of it was taken, and it may come again."""
    if network is not None:
        note_heard(network, now=now)
    device = _device_of(number, network)
    if device is None:
        bury([Dead(DOOR, Why.UNKNOWN_DEVICE, b"", now, detail="a stranger's number")])
        return Outcome("stranger", refused=1)
    sender = Sender.of(device)
    if not sender.may_speak:
        bury([Dead(DOOR, Why.NOT_IN_USE, b"", now, device.pk)])
        return Outcome("not_in_use", refused=1)
    allow(sender, readings=1, door=DOOR)
    with transaction.atomic():
        # The row holds a second delivery back until this one is done; taken back with everything else if the stream does not take it.
        _heard, is_new = HeardMessage.objects.get_or_create(network=provider[:24], message_id=message_id[:128], defaults={"at": now})
        if not is_new:
            return Outcome("repeated")
        return _take(device, sender, text, at, now)


def _take(device: Device, sender: Sender, text: str, at: str | None, now: datetime) -> Outcome:
    try:
        said_at = instant_of(at, "iso", "at") if at else now
        if not now - timedelta(days=sender.keep_raw_days) <= said_at <= now + timedelta(seconds=settings.IOT_FUTURE_S):
            raise Undecodable("at: too old, or in the future")
        decode = decoder_of(device.profile)
        if decode is None:
            raise Undecodable("the profile has no decoder for text messages")
        found, facts = facts_apart(decode(text), sender.metrics)
    except Undecodable as refusal:
        bury([Dead(DOOR, Why.UNREADABLE, text.encode(), now, device.pk, detail=refusal.reason)])
        return Outcome("refused", refused=1)
    known = [type(one)(one.metric, one.value, one.at or said_at) for one in found if one.metric in sender.metrics]
    dead = [
        Dead(DOOR, Why.UNKNOWN_METRIC, b"", now, device.pk, metric=one.metric[:64]) for one in found if one.metric not in sender.metrics
    ]
    if known or facts:
        offer([Envelope(device.pk, DOOR, now, known, facts)])
    bury(dead)
    return Outcome("taken" if known or facts else "refused", taken=len(known), refused=len(dead))


def _device_of(number: str, network: DeviceNetwork | None) -> Device | None:
    msisdn = tidied_identity("msisdn", number)
    if not 8 <= len(msisdn) <= 16:
        return None
    rows = Device.objects.filter(msisdn=msisdn).select_related("profile").defer("location")
    if network is not None:
        rows = rows.filter(agency_id=network.agency_id)
        if network.governorate_id is not None:
            rows = rows.filter(governorate_id=network.governorate_id)
    return rows.first()


def forget_old_texts(*, now: datetime) -> int:
    return HeardMessage.objects.filter(at__lt=now - HEARD_KEPT).delete()[0]
