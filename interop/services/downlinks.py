"""Commands down to LoRaWAN devices: put on the queue of the server that the device was last heard by, through its API.

The command's row is the queue (``iot.services.commands``): a server that does not answer is asked again later, one that refuses for good
ends it. An address is called only where the guard of webhooks lets it be. See docs/decisions/0293.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import orjson
import redis
from django.conf import settings

from alerts.channels import web
from alerts.channels.base import Failure
from core.outbound import BadUrl, Guard, check_url
from core.sealing import CannotOpen, unseal
from iot.models import DeviceCommand, DeviceNetwork, LoraSession
from iot.services.commands import note_not_sent, note_sent, take_commands
from iot.services.downlinks import CannotSend, Downlink, chirpstack_item, downlink_of, goes_by_broker, ttn_row
from iot.services.lorawan import remember_downlink

logger = logging.getLogger("telemetry")
TIMEOUT_S = 10.0
Kind = DeviceNetwork.Kind


def send_downlinks(*, now: datetime, most: int = 20) -> int:
    """Hand over what waits and does not go by the broker; how many were taken by their server."""
    sent = 0
    for command in take_commands(transport=DeviceCommand.Transport.LORAWAN, now=now, most=most, among=~goes_by_broker()):
        try:
            _hand_over(command)
        except CannotSend as problem:
            note_not_sent(pk=command.pk, problem=str(problem))
        else:
            sent += note_sent(pk=command.pk, now=now)
    return sent


def _hand_over(command: DeviceCommand) -> None:
    downlink = downlink_of(command.payload)
    held = LoraSession.objects.select_related("network").filter(device_id=command.device_id).first()
    network = held.network if held is not None else None
    if held is None or network is None or not network.is_active:
        raise CannotSend("it was heard by no network that is in use")
    if not network.base_url or not network.sealed_api_token:
        raise CannotSend("its network has no address or key of its API")
    url, headers, body = _request(network, held, command, downlink)
    guard = Guard(tuple(settings.WEBHOOK_ALLOW))
    try:
        check_url(url, guard)
        answer = web.call(url, body=orjson.dumps(body), headers=headers, timeout_s=TIMEOUT_S, guard=guard)
    except BadUrl as refusal:
        raise CannotSend(refusal.message) from refusal
    except Failure as failure:
        raise CannotSend(str(failure)[:200]) from failure
    if not 200 <= answer.status < 300:
        raise CannotSend(f"HTTP {answer.status}")
    if network.kind == Kind.CHIRPSTACK:
        _remember(answer.body, command)


def _request(
    network: DeviceNetwork, held: LoraSession, command: DeviceCommand, downlink: Downlink
) -> tuple[str, dict[str, str], dict[str, Any]]:
    try:
        token = unseal(network.sealed_api_token)
    except CannotOpen as error:
        raise CannotSend("the key of the network's API cannot be opened: enter it again") from error
    base = network.base_url.rstrip("/")
    if network.kind == Kind.CHIRPSTACK:
        url = f"{base}/api/devices/{command.device.dev_eui}/queue"
        item = {"queueItem": chirpstack_item(downlink)}
        return url, {"Grpc-Metadata-Authorization": f"Bearer {token}", "Content-Type": "application/json"}, item
    if network.kind != Kind.TTN or not held.server_name or not network.application:
        raise CannotSend("The Things Stack needs the application's id, and to have heard the device")
    url = f"{base}/api/v3/as/applications/{network.application}/devices/{held.server_name}/down/push"
    return (
        url,
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        {"downlinks": [ttn_row(downlink, command.reference)]},
    )


def _remember(body: bytes, command: DeviceCommand) -> None:
    """ChirpStack's own id of the item, so that its acknowledgement finds the command."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    item = told.get("id") if isinstance(told, dict) else None
    if isinstance(item, str) and len(item) <= 64:
        try:
            remember_downlink(item, command)
        except redis.RedisError as error:
            logger.warning("an acknowledgement of command %s will not be known: %s", command.reference, error)
