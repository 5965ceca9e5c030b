"""What LoRaWAN servers tell: frames of devices, each taken once and never backwards; joins, batteries, and the gateways that heard.

A server sends a frame once for all gateways, and sometimes twice; two servers' copies have one number (``dedup_id``). The counter of a
session only climbs: what comes again with a lower one is refused and counted, until the device joins anew. See docs/decisions/0291.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import orjson
import redis
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from core.errors import Conflict
from iot.decoders import chirpstack_v4, lorawan, ttn_v3
from iot.decoders.errors import Undecodable
from iot.decoders.lorawan import DeviceNews, Uplink
from iot.decoders.measurement import Measurement
from iot.models import DeadReading, Device, DeviceCommand, DeviceNetwork, LoraSession
from iot.services.commands import note_answered
from iot.services.devices import announce_itself
from iot.services.downlinks import OURS
from iot.services.dying import Dead, bury
from iot.services.networks import Outcome, decoder_of, facts_apart, note_heard, plain_values
from iot.services.senders import Sender
from iot.services.speaking import allow, note_unreadable
from iot.stream import Envelope, offer, stream_of

DOOR = "lorawan"
MOST_ENDED = 8
DOWNLINK_KEPT_S = 7 * 86_400
_NAME = re.compile(r"[a-z0-9-]{2,36}\Z")
Why = DeadReading.Why
Kind = DeviceNetwork.Kind


def take_message(*, network: DeviceNetwork, body: Any, event: str = "", now: datetime, command_topic: str = "") -> Outcome:
    """One message of a server, read and durable when this returns; ``command_topic`` where it came by the broker. Raises ``Undecodable``
    for what is none (counted), ``TooMany``, ``StreamFull`` and ``StreamAway`` (nothing of it was taken)."""
    note_heard(network, now=now)
    try:
        told = chirpstack_v4.read(body, event) if network.kind == Kind.CHIRPSTACK else ttn_v3.read(body)
    except Undecodable as refusal:
        note_unreadable(b"", device_id=None, door=DOOR, now=now, detail=refusal.reason)
        raise
    device = _device_of(network, told.dev_eui)
    if device is None:
        return _stranger(network, told, now)
    if isinstance(told, DeviceNews):
        _answered(device, told, body, now)
        return _news(device, told, now)
    server = {"server_name": _server_name(body), "command_topic": command_topic}
    return take_uplink(network=network, device=device, uplink=told, now=now, **server)


def take_uplink(
    *, network: DeviceNetwork, device: Device, uplink: Uplink, server_name: str = "", now: datetime, command_topic: str = ""
) -> Outcome:
    sender = Sender.of(device)
    if not sender.may_speak:
        bury([Dead(DOOR, Why.NOT_IN_USE, b"", now, device.pk)])
        return Outcome("not_in_use", refused=1)
    allow(sender, readings=1, door=DOOR)
    with transaction.atomic():
        # Its row is locked until the frame is on the disk: two copies that come at once are one after the other.
        held, _made = LoraSession.objects.select_for_update().get_or_create(device=device)
        word = _standing(held, uplink)
        if word != "taken":
            _refuse(held, word, device, now)
            return Outcome(word, refused=1 if word == "replayed" else 0)
        try:
            readings = _read(device, uplink, sender.metrics)
            reason = ""
        except Undecodable as refusal:
            readings, reason = [], refusal.reason
        known, facts, dead = _judged(readings, sender, device, now)
        if reason:
            dead.append(Dead(DOOR, Why.UNREADABLE, uplink.payload, now, device.pk, detail=reason))
        best = uplink.receptions[0] if uplink.receptions else None
        if best is not None and best.rssi_dbm is not None:
            facts.setdefault("signal_dbm", best.rssi_dbm)
        offer([Envelope(device.pk, DOOR, now, known, facts), *_gateways(device, uplink, now)])
        held.network, held.server_name, held.command_topic = network, server_name, command_topic
        _moved(held, uplink, now)
        bury(dead)
    return Outcome("taken" if known or not dead else "refused", taken=len(known), refused=len(dead))


def _server_name(body: Any) -> str:
    """What The Things Stack calls the device: commands to it go by that."""
    ids = body.get("end_device_ids")
    name = ids.get("device_id") if isinstance(ids, dict) else None
    return name if isinstance(name, str) and _NAME.match(name) else ""


def _standing(held: LoraSession, uplink: Uplink) -> str:
    if uplink.dedup_id and uplink.dedup_id == held.last_dedup:
        return "repeated"
    if uplink.session in held.ended:
        return "replayed"
    if uplink.session == held.session and uplink.counter <= held.counter:
        return "replayed"
    return "taken"


def _refuse(held: LoraSession, word: str, device: Device, now: datetime) -> None:
    if word == "replayed":
        LoraSession.objects.filter(pk=held.pk).update(refused=F("refused") + 1)
        bury([Dead(DOOR, Why.REPLAYED, b"", now, device.pk, detail="a frame counter that does not climb")])


def _moved(held: LoraSession, uplink: Uplink, now: datetime) -> None:
    if uplink.session != held.session:
        _end(held)
        held.session = uplink.session
    elif held.counter >= 0:
        held.missed = min(held.missed + uplink.counter - held.counter - 1, 2**31 - 1)
    best = uplink.receptions[0] if uplink.receptions else None
    held.counter, held.last_dedup, held.heard_at, held.gateways = uplink.counter, uplink.dedup_id, now, len(uplink.receptions)
    if best is not None:
        held.gateway, held.rssi_dbm, held.snr_db = best.gateway, best.rssi_dbm, best.snr_db
    held.save()


def _end(held: LoraSession) -> None:
    """The session is over: nothing of it is taken any more."""
    if held.session:
        held.ended = [*held.ended, held.session][-MOST_ENDED:]
    held.session, held.counter = "", -1


def _read(device: Device, uplink: Uplink, metrics: frozenset[str]) -> list[Measurement]:
    if not uplink.payload and uplink.decoded is None:
        return []  # an empty frame: it is there, and says nothing
    decode = decoder_of(device.profile)
    if decode is not None:
        return lorawan.measured(uplink, decode)
    found = plain_values(uplink.decoded, metrics, uplink.at)
    if not found:
        raise Undecodable("the profile has no decoder, and the server's codec named none of its metrics")
    return found


def _judged(
    found: list[Measurement], sender: Sender, device: Device, now: datetime
) -> tuple[list[Measurement], dict[str, Any], list[Dead]]:
    """Readings, facts, and what is refused: the same as at every door."""
    readings, facts = facts_apart(found, sender.metrics)
    oldest, latest = now - timedelta(days=sender.keep_raw_days), now + timedelta(seconds=settings.IOT_FUTURE_S)
    kept, dead = [], []
    for one in readings:
        why = None
        if one.metric not in sender.metrics:
            why = Why.UNKNOWN_METRIC
        elif one.at is not None and not oldest <= one.at <= latest:
            why = Why.TOO_OLD if one.at < oldest else Why.FUTURE
        if why is None:
            kept.append(one)
        else:
            raw = orjson.dumps({"metric": one.metric, "value": one.value, "at": one.at})
            dead.append(Dead(DOOR, why, raw, now, device.pk, metric=one.metric))
    return kept, facts, dead


def _gateways(device: Device, uplink: Uplink, now: datetime) -> list[Envelope]:
    """The gateways we know that heard it are there."""
    heard = {one.gateway: one for one in uplink.receptions if len(one.gateway) == 16}
    if not heard:
        return []
    rows = Device.objects.in_use().filter(agency_id=device.agency_id, profile__kind="gateway", dev_eui__in=heard)
    return [Envelope(pk, DOOR, now, []) for pk in rows.values_list("pk", flat=True)]


def _device_of(network: DeviceNetwork, dev_eui: str) -> Device | None:
    """Of the network's agency (and governorate, where it has one): for another's devices it does not speak."""
    rows = Device.objects.filter(dev_eui=dev_eui, agency_id=network.agency_id).select_related("profile").defer("location")
    if network.governorate_id is not None:
        rows = rows.filter(Q(governorate_id=network.governorate_id) | Q(governorate=None))
    return rows.first()


def _stranger(network: DeviceNetwork, told: Uplink | DeviceNews, now: datetime) -> Outcome:
    device_id = None
    profile = network.profile_for_strangers
    if profile is not None and not Device.objects.filter(dev_eui=told.dev_eui).exists():
        try:
            made = announce_itself(
                code=f"lora-{told.dev_eui}", profile=profile, agency=network.agency, identities={"dev_eui": told.dev_eui}, door=DOOR
            )
            device_id = made.pk
        except Conflict:
            pass  # too many wait already: it is counted below
    why = Why.NOT_IN_USE if device_id is not None else Why.UNKNOWN_DEVICE
    bury([Dead(DOOR, why, b"", now, device_id, detail="" if device_id else f"DevEUI {told.dev_eui}")])
    return Outcome("stranger", refused=1)


def _news(device: Device, news: DeviceNews, now: datetime) -> Outcome:
    """A join begins a session anew; a status tells of the battery. The rest says that it is there."""
    if device.state != Device.State.ACTIVE:
        return Outcome("not_in_use")
    if news.kind == "join":
        with transaction.atomic():
            held, _made = LoraSession.objects.select_for_update().get_or_create(device=device)
            # Told late, when frames of the new session have come already, or told again: nothing is begun.
            if not news.session or news.session not in (held.session, *held.ended):
                _end(held)
                held.session, held.joined_at = news.session, news.at or now
                held.save()
    elif news.kind == "status":
        LoraSession.objects.update_or_create(device=device, defaults={"margin_db": news.margin_db, "heard_at": now})
    facts = {"battery_pct": news.battery_pct} if news.battery_pct is not None else {}
    if news.kind in ("join", "status", "ack"):  # what the device itself caused: the rest is the server's talk
        offer([Envelope(device.pk, DOOR, now, [], facts)])
    return Outcome("news")


def remember_downlink(item: str, command: DeviceCommand) -> None:
    """The server's own id of what it was handed, until nobody waits for its acknowledgement any more."""
    stream_of().client.set(_item_key(item), str(command.reference), ex=DOWNLINK_KEPT_S)


def _answered(device: Device, news: DeviceNews, body: Any, now: datetime) -> None:
    """A frame that was to be confirmed was, or was not, and The Things Stack says when one failed."""
    if news.kind not in ("ack", "nack", "failed"):
        return
    reference = _reference_in(body)
    is_done = news.kind == "ack" and body.get("acknowledged", True) is True
    if reference:
        detail = "" if is_done else "the device did not confirm it"
        note_answered(reference=reference, device_id=device.pk, is_done=is_done, detail=detail, now=now)


def _reference_in(body: Any) -> str:
    """Ours for the command: by ChirpStack's id of the item, or as The Things Stack sends it back."""
    item = body.get("queueItemId")
    if isinstance(item, str) and 0 < len(item) <= 64:
        try:
            found: Any = stream_of().client.get(_item_key(item))
        except redis.RedisError:
            return ""
        return bytes(found).decode() if found else ""
    rows = body.get("correlation_ids")
    marks = [row.removeprefix(OURS) for row in rows if isinstance(row, str) and row.startswith(OURS)] if isinstance(rows, list) else []
    return marks[0] if marks else ""


def _item_key(item: str) -> str:
    return f"{settings.IOT_STREAM_PREFIX}:downlink:{item}"
