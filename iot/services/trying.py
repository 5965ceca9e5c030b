"""A decoder tried on a payload somebody pasted: what it would make of it, and nothing kept."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Invalid, NotFound
from iot.decoders import Measurement, decoder
from iot.decoders.errors import InvalidSettings, Undecodable
from iot.models import DeviceProfile
from iot.services.networks import facts_apart
from iot.services.senders import Sender
from iot.services.speaking import read_body

LONGEST = 65_536


class Form(models.TextChoices):
    """How the payload was pasted."""

    JSON = "json", "JSON"
    TEXT = "text", gettext_lazy("Text")
    HEX = "hex", gettext_lazy("Hexadecimal")
    BASE64 = "base64", "Base64"


@dataclass(frozen=True, slots=True)
class Tried:
    """``problem``: why nothing could be read of it, or of a part. A decoder's reason names fields and repeats nothing of the payload."""

    readings: list[tuple[Measurement, str]]
    facts: Mapping[str, Any]
    problem: str = ""


def try_decoder(*, profile: DeviceProfile, payload: str, form: str) -> Tried:
    """Each reading with what would be said against it. Raises ``Invalid`` for what is not of the form it is said to be."""
    if len(payload) > LONGEST:
        raise Invalid(_("At most %(limit)d characters.") % {"limit": LONGEST})
    raw = _bytes_of(payload, form)
    metrics = {metric.code: metric for metric in profile.metrics.all()}
    if not profile.decoder:
        return _in_our_form(raw, profile, frozenset(metrics))
    try:
        readings, facts = facts_apart(decoder(profile.decoder, profile.decoder_settings)(raw), frozenset(metrics))
    except InvalidSettings as error:
        return Tried([], {}, _("The decoder's settings are wrong: %(why)s.") % {"why": error})
    except Undecodable as error:
        return Tried([], {}, error.reason)
    return Tried([(one, _against(one, metrics.get(one.metric))) for one in readings], facts)


def _bytes_of(payload: str, form: str) -> bytes:
    try:
        if form == Form.HEX:
            return bytes.fromhex(payload)
        if form == Form.BASE64:
            return base64.b64decode("".join(payload.split()), validate=True)
        return payload.encode()
    except (ValueError, binascii.Error):
        pass  # told outside: the error holds the payload
    raise Invalid(_("This is not written in the form you chose."), fields={"payload": _("This is not written in the form you chose.")})


def _in_our_form(raw: bytes, profile: DeviceProfile, metrics: frozenset[str]) -> Tried:
    sender = Sender(0, "", True, metrics, profile.keep_raw_days, profile.most_per_min)
    body: Any = None
    is_json = True
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        is_json = False
    if not is_json:
        return Tried([], {}, "not JSON")
    try:
        read = read_body(body, sender=sender, now=timezone.now())
    except NotFound as refusal:
        return Tried([], {}, refusal.message)
    known = {metric.code: metric for metric in profile.metrics.all()}
    problem = "; ".join(dict.fromkeys(str(wrong.label) for _place, wrong, _row in read.wrong))
    return Tried([(one, _against(one, known.get(one.metric))) for one in read.measurements], read.facts, problem)


def _against(one: Measurement, metric: Any) -> str:
    if metric is None:
        return _("The profile has no such metric: it would be refused.")
    if (metric.least is not None and one.value < metric.least) or (metric.most is not None and one.value > metric.most):
        return _("Outside its range: kept and not believed.")
    return ""
