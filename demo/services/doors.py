"""What synthetic devices need where their key is not taken: passwords at the broker, networks with a token, addresses there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from deploy.local.layout import write_private
from iot.models import Device, DeviceNetwork
from iot.services.certificates import issue_mqtt_password
from iot.services.networks import issue_network_token, keep_network

# How the demo's devices speak, by profile; all others by HTTP.
PROTOCOLS: Mapping[str, str] = {"air_lora": "lorawan", "tank_sms": "sms", "water": "mqtt", "heat": "tcp", "smoke": "tcp"}
# What a network can hand on is in the profile's own decoder.
PROFILE_OF: Mapping[str, str] = {"lorawan": "air_lora", "sms": "tank_sms"}
NETWORKS = {"lorawan": (DeviceNetwork.Kind.CHIRPSTACK, "Demo LoRaWAN (synthetic)"), "sms": (DeviceNetwork.Kind.SMS, "Demo SMS (synthetic)")}
NO_COUNTRY = "+96500"  # no number of Kuwait begins so: nobody is called by mistake


@dataclass
class Words:
    """``passwords`` by device, ``tokens`` by protocol and agency. Kept beside the keys, for those who let the devices speak."""

    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def of(self, device: Mapping[str, Any], protocol: str) -> str:
        if protocol == "mqtt":
            return self.passwords.get(device["code"], "")
        return self.tokens.get(f"{protocol}:{device['agency_id']}", "")


def words_file() -> Path:
    return Path(settings.VAR_DIR) / "simulated-doors.json"


def known_words() -> Words:
    try:
        return Words(**json.loads(words_file().read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return Words()


def protocol_of(profile: str, asked: str, *, has_broker: bool) -> str:
    """``asked`` or, of ``own``, the profile's. Without a broker beside us who would speak MQTT speaks HTTP."""
    own = PROTOCOLS.get(profile, "http") if asked == "own" else asked
    return "http" if own == "mqtt" and asked == "own" and not has_broker else own


def open_doors(protocols: Mapping[int, str]) -> Words:
    """By device the protocol it is going to speak: whatever is missing for that is made. Only synthetic devices get anything."""
    words = known_words()
    rows = list(Device.objects.filter(is_synthetic=True, pk__in=protocols).select_related("agency", "gateway").order_by("pk"))
    with transaction.atomic():
        for device in rows:
            protocol = protocols[device.pk]
            if protocol == "mqtt" and device.code not in words.passwords:
                words.passwords[device.code] = issue_mqtt_password(device=device, by=None)[1]
            if protocol in NETWORKS:
                _enter(device, protocol, words)
        write_private(words_file(), json.dumps({"passwords": words.passwords, "tokens": words.tokens}))
    return words


def _enter(device: Device, protocol: str, words: Words) -> None:
    kind, name = NETWORKS[protocol]
    if f"{protocol}:{device.agency_id}" not in words.tokens:
        network = DeviceNetwork.objects.filter(agency_id=device.agency_id, name=name).first()
        network = network or keep_network(network=DeviceNetwork(agency=device.agency, name=name, kind=kind), by=None)
        words.tokens[f"{protocol}:{device.agency_id}"] = issue_network_token(network=network, by=None)
    if protocol == "sms":
        _identify(device, "msisdn", f"{NO_COUNTRY}{device.pk:06d}")
        return
    _identify(device, "dev_eui", f"02{device.pk:014x}")
    if device.gateway is not None:
        _identify(device.gateway, "dev_eui", f"02{device.gateway.pk:014x}")


def _identify(device: Device, name: str, value: str) -> None:
    if not getattr(device, name):
        setattr(device, name, value)
        device.save(update_fields=[name])
