"""What synthetic devices need where their key is not taken: passwords at the broker, certificates, networks with a token, addresses
there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography.x509 import load_pem_x509_certificate
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from deploy.local.layout import write_private
from iot.ca import fingerprint
from iot.models import Device, DeviceCredential, DeviceNetwork
from iot.services.certificates import authority, issue_certificate, issue_mqtt_password
from iot.services.networks import issue_network_token, keep_network

# How the demo's devices speak, by profile; all others by HTTP.
PROTOCOLS: Mapping[str, str] = {"air_lora": "lorawan", "tank_sms": "sms", "water": "mqtt", "heat": "tcp", "smoke": "tcp"}
# What a network can hand on is in the profile's own decoder.
PROFILE_OF: Mapping[str, str] = {"lorawan": "air_lora", "sms": "tank_sms"}
NETWORKS = {"lorawan": (DeviceNetwork.Kind.CHIRPSTACK, "Demo LoRaWAN (synthetic)"), "sms": (DeviceNetwork.Kind.SMS, "Demo SMS (synthetic)")}
NO_COUNTRY = "+96500"  # no number of Kuwait begins so: nobody is called by mistake


@dataclass
class Words:
    """``passwords`` and ``certificates`` (with their keys, as PEM) by device, ``tokens`` by protocol and agency. Kept beside the keys, for
    those who let the devices speak. ``authority``: who signed the certificates."""

    passwords: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    authority: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def of(self, device: Mapping[str, Any], protocol: str) -> str:
        if protocol == "mqtt":
            return self.passwords.get(device["code"], "")
        if protocol == "coap":
            return self.certificates.get(device["code"], "") + self.authority
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
        _certify([device for device in rows if protocols[device.pk] == "coap"], words)
        for device in rows:
            protocol = protocols[device.pk]
            if protocol == "mqtt" and device.code not in words.passwords:
                words.passwords[device.code] = issue_mqtt_password(device=device, by=None)[1]
            if protocol in NETWORKS:
                _enter(device, protocol, words)
        write_private(words_file(), json.dumps(asdict(words)))
    return words


def _certify(devices: Sequence[Device], words: Words) -> None:
    """A certificate for each that has none that holds, or one of another authority."""
    if not devices:
        return
    if words.authority != (ours := authority().pem.decode()):
        words.authority, words.certificates = ours, {}
    held = DeviceCredential.objects.usable(timezone.now()).filter(kind=DeviceCredential.Kind.CERTIFICATE, device__in=devices)
    hold = set(held.values_list("device__code", "digest"))
    for device in devices:
        kept = words.certificates.get(device.code)
        if kept is None or (device.code, fingerprint(load_pem_x509_certificate(kept.encode()))) not in hold:
            made = issue_certificate(device=device, by=None)
            words.certificates[device.code] = made.pem + (made.key_pem or "")


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
