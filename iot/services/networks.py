"""Networks that speak for devices: entered by a person, proven by a token, and what their messages are worth for a device."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from core.outbound import BadUrl, Guard, check_url
from core.sealing import seal
from iot.ca.passwords import hashed
from iot.decoders import Measurement, decoder
from iot.decoders.errors import InvalidSettings, Undecodable
from iot.decoders.registry import Decoder
from iot.models import DeviceNetwork, DeviceProfile
from iot.models.networks import BROKER_ACCOUNT
from iot.permissions import Actor, require
from iot.services.speaking import FACTS

MARK = "kn"  # a token is kn_<prefix>_<secret>
CHANGED = ("name", "governorate", "profile_for_strangers", "base_url", "application", "is_active")
NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message. ``taken`` readings are on the disk. ``word``: taken, repeated, replayed, stranger, not_in_use, news."""

    word: str
    taken: int = 0
    refused: int = 0


@transaction.atomic
def keep_network(*, network: DeviceNetwork, by: Actor | None, api_token: str | None = None) -> DeviceNetwork:
    """Enter or change one. ``api_token``: what we show its API; ``None`` leaves it."""
    require(by, "manage_devices", network)
    if network.base_url:
        try:
            check_url(network.base_url, Guard(tuple(settings.WEBHOOK_ALLOW)))
        except BadUrl as refusal:
            raise Invalid(_("Some fields are not right."), fields={"base_url": refusal.message}) from refusal
    if api_token is not None:
        network.sealed_api_token = seal(api_token) if api_token else ""
    is_new = network.pk is None
    if is_new:
        network.save(force_insert=True)
    else:
        network.save(update_fields=[*CHANGED, *(["sealed_api_token"] if api_token is not None else [])])
    after = {"name": network.name, "kind": network.kind, "base_url": network.base_url, "is_active": network.is_active}
    audit.record("device_network.add" if is_new else "device_network.change", obj=network, by=by, after=after)
    return network


@transaction.atomic
def issue_network_token(*, network: DeviceNetwork, by: Actor | None) -> str:
    """A new token, shown once; the one before ends at once."""
    require(by, "manage_devices", network)
    prefix = secrets.token_hex(4)
    secret = f"{MARK}_{prefix}_{secrets.token_urlsafe(30)}"
    if not DeviceNetwork.objects.filter(pk=network.pk, is_active=True).update(token_prefix=prefix, token_digest=_digest(secret)):
        raise Conflict(_("This network is not in use."))
    audit.record("device_network.token", obj=network, by=by, after={"prefix": prefix})
    return secret


@transaction.atomic
def issue_broker_password(*, network: DeviceNetwork, by: Actor | None) -> str:
    """A password for the network's account at the MQTT broker, shown once; the one before ends when the broker has read it (a second)."""
    require(by, "manage_devices", network)
    if network.kind == DeviceNetwork.Kind.SMS:
        raise Invalid(_("Text messages do not come by MQTT."))
    secret = secrets.token_urlsafe(30)
    changes = {"broker_digest": hashed(secret), "broker_since": timezone.now()}
    if not DeviceNetwork.objects.filter(pk=network.pk, is_active=True).update(**changes):
        raise Conflict(_("This network is not in use."))
    audit.record("device_network.broker_password", obj=network, by=by, after={"account": network.broker_account})
    return secret


@transaction.atomic
def withdraw_broker_password(*, network: DeviceNetwork, by: Actor | None) -> None:
    """It is thrown out when the broker has read it, and what comes by a connection that stands is not taken."""
    require(by, "manage_devices", network)
    if not DeviceNetwork.objects.filter(pk=network.pk).exclude(broker_digest="").update(broker_digest="", broker_since=None):
        raise Conflict(_("This network has no MQTT password."))
    audit.record("device_network.broker_withdraw", obj=network, by=by, after={"account": network.broker_account})


def network_of_account(account: str) -> DeviceNetwork | None:
    """Whose account at the broker this is, while it may speak."""
    number = account.removeprefix(BROKER_ACCOUNT)
    if not account.startswith(BROKER_ACCOUNT) or not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    found: DeviceNetwork | None = (
        DeviceNetwork.objects.let_in_by_broker().filter(pk=int(number)).select_related("agency", "profile_for_strangers").first()
    )
    return found


def network_that_shows(secret: str) -> DeviceNetwork | None:
    """The network that ``secret`` opens."""
    if not secret.startswith(f"{MARK}_") or len(secret) > 100:
        return None
    return (
        DeviceNetwork.objects.filter(token_digest=_digest(secret), is_active=True).select_related("agency", "profile_for_strangers").first()
    )


def note_heard(network: DeviceNetwork, *, now: datetime) -> None:
    DeviceNetwork.objects.filter(Q(last_heard_at=None) | Q(last_heard_at__lt=now - NOTED_EVERY), pk=network.pk).update(last_heard_at=now)


def decoder_of(profile: DeviceProfile) -> Decoder | None:
    """``None`` where the profile speaks our own form. ``Undecodable`` where its settings are wrong: its devices are not to blame."""
    if not profile.decoder:
        return None
    try:
        return _decoder(profile.decoder, orjson.dumps(profile.decoder_settings))
    except InvalidSettings as error:
        raise Undecodable(f"the profile's decoder: {error}") from error


@lru_cache(maxsize=256)
def _decoder(name: str, as_json: bytes) -> Decoder:
    return decoder(name, orjson.loads(as_json))


def facts_apart(found: Iterable[Measurement], metrics: frozenset[str]) -> tuple[list[Measurement], dict[str, Any]]:
    """Readings, and what of them a device says of itself: a battery is no metric, unless its profile makes one of it."""
    readings = []
    facts: dict[str, Any] = {}
    for one in found:
        if one.metric in FACTS and one.metric not in metrics:
            facts[one.metric] = one.value
        else:
            readings.append(one)
    return readings, facts


def plain_values(given: Any, metrics: frozenset[str], at: datetime | None) -> list[Measurement]:
    """Of an object whose keys are a profile's own metrics: what a server's codec made in our own words."""
    rows = given.items() if isinstance(given, dict) else ()
    known = metrics | set(FACTS)
    return [
        Measurement(name, float(value), at)
        for name, value in rows
        if name in known and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
