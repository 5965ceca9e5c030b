"""LoRaWAN servers that publish to the broker: each message goes the way of the webhook's, and is acknowledged when it is on the disk.

A connection and a thread of its own: a frame costs a transaction, and sensors that speak for themselves do not wait for it. Which network
speaks is what the broker let in: the account is part of the topic, and its rules let nobody write under another's.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import redis
from django.conf import settings
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from core.leadership import Leadership
from core.limits import Rate, limiter
from iot.decoders import lorawan_topics
from iot.decoders.errors import Undecodable
from iot.gateways.mqtt_commands import Commands, Down
from iot.gateways.mqtt_session import Gateway
from iot.gateways.mqtt_wire import Publish, Wire
from iot.models import DeadReading, DeviceCommand, DeviceNetwork, LoraSession
from iot.services.commands import note_not_sent, take_commands
from iot.services.downlinks import CannotSend, chirpstack_item, downlink_of, goes_by_broker, ttn_row
from iot.services.dying import Dead, bury
from iot.services.lorawan import DOOR, remember_downlink, take_message
from iot.services.networks import network_of_account
from iot.services.speaking import TooMany
from iot.stream import StreamAway, StreamFull

logger = logging.getLogger("telemetry")

FILTERS = tuple(f"{lorawan_topics.ROOT}+/{name}" for name in lorawan_topics.WRITTEN)
CLIENT_ID = "_khareetaty-networks"  # no device's code begins so, and no network's account
LOCK = 0x4B48_494F_4E57
KEPT_S = 7 * 86_400
MOST_UNACKNOWLEDGED = 2_000
LONGEST = 65_536
LONGEST_REST_S = 5.0
REPORT_EVERY_S = 60.0
MOST_KNOWN = 1_000
AWAY = (OperationalError, InterfaceError, StreamAway, StreamFull)
Why = DeadReading.Why


def listen(stop: threading.Event, url: str, cafile: str = "") -> None:
    """Until told to stop. One process listens at a time; the next inherits its session, with what waits there."""
    leads = Leadership(LOCK)
    while leads.wait(stop):
        NetworkGateway(url, cafile=cafile).run(stop, while_=lambda: not leads.lost_to_another())
        leads.give_up()
    leads.give_up()
    connection.close()


class NetworkGateway(Gateway):
    """Never shared: two gateways would take a device's frames out of order, and a counter never runs backwards."""

    def __init__(self, url: str, *, client_id: str = CLIENT_ID, cafile: str = "") -> None:
        super().__init__(Wire(url, client_id=client_id, kept_s=KEPT_S, most=MOST_UNACKNOWLEDGED, cafile=cafile))
        self.commands = Commands(self.wire, to_servers)
        self.counts: Counter[str] = Counter()
        self._known: dict[str, tuple[float, DeviceNetwork | None]] = {}
        self._reported_at = time.monotonic()

    def start(self) -> None:
        """Connect and subscribe. What servers had retained is not asked for: it is old."""
        had_session = self.wire.connect()
        self.commands.begin()
        self.wire.subscribe(FILTERS, retained=False)
        logger.info("listening to networks at %s:%d%s", self.wire.host, self.wire.port, ", where messages waited" if had_session else "")

    def step(self, *, wait_s: float = 0.5) -> int:
        """What is there; each message is acknowledged by itself, when it is taken or refused for good."""
        named = [(message, *_named(message)) for message in self.wire.read(wait_s=wait_s)]
        left = self._allowed(Counter(account for _message, account, _rest in named if account))
        over: dict[str, list[int]] = {}
        finished = 0
        for message, account, rest in named:
            self.counts["messages"] += 1
            if account and left[account] <= 0:
                over.setdefault(account, []).append(message.mid)
                continue
            left[account] -= 1
            if not self._persist(partial(self._take, message, account, rest)):
                return finished  # told to stop: the broker delivers it again
            self.wire.acknowledge([message.mid])
            finished += 1
        for account, mids in over.items():
            if not self._persist(partial(self._refuse, Why.TOO_MANY, f"more than the limit of {account}", n=len(mids))):
                return finished
            self.wire.acknowledge(mids)
            finished += len(mids)
        with contextlib.suppress(OperationalError, InterfaceError):  # they wait for their next try
            self.commands.look()
        self._report()
        return finished

    @staticmethod
    def _allowed(wanted: Counter[str]) -> Counter[str]:
        """How many of each account's messages are taken: one server that floods us harms no other."""
        rate = Rate(settings.IOT_NETWORK_MOST_PER_MIN, settings.IOT_NETWORK_MOST_PER_MIN)
        allowed = limiter.take_some([(f"iot-network:{account}", rate, n) for account, n in wanted.items()])
        return Counter(dict(zip(wanted, allowed, strict=True)))

    def _persist(self, work: Callable[[], None]) -> bool:
        """Until it is done: ``True``; or until we are told to stop."""
        rest_s = 0.1
        while True:
            try:
                work()
            except AWAY as away:
                if rest_s == 0.1:
                    logger.warning("nothing of networks is taken, and nothing acknowledged: %s", str(away).strip().split("\n")[0])
                if not connection.in_atomic_block:
                    connection.close()
                self.wire.keep_alive()
                if self.stop.wait(rest_s):
                    return False
                rest_s = min(rest_s * 2, LONGEST_REST_S)
            else:
                return True

    def _take(self, message: Publish, account: str, rest: str) -> None:
        network = self._network(account) if account else None
        if network is None:
            self._refuse(Why.UNKNOWN_DEVICE, f"no network of {account[:60]}" if account else "no topic of a network")
            return
        try:
            body, place = _read(network, message, rest)
        except Undecodable as refusal:
            self._refuse(Why.UNREADABLE, f"network {network.pk}: {refusal.reason}")
            return
        try:
            found = take_message(network=network, body=body, event=place.event, now=timezone.now(), command_topic=place.commands)
            self.counts[found.word] += 1
        except Undecodable:  # counted by it, and so is what is more than a device's limit
            self.counts["refused"] += 1
        except TooMany:
            self.counts["limited"] += 1
        except (DataError, IntegrityError) as error:  # it would never be kept, however often it came
            logger.error("a message of network %s cannot be kept: %s", network.pk, type(error).__name__)
            self._refuse(Why.UNREADABLE, f"network {network.pk}: cannot be kept")

    def _refuse(self, why: str, detail: str, *, n: int = 1) -> None:
        self.counts["refused"] += n
        bury([Dead(DOOR, why, b"", timezone.now(), n=n, detail=detail)])

    def _network(self, account: str) -> DeviceNetwork | None:
        """Looked up again every ``KEYS_KNOWN_S``: so long a withdrawn password may still be of use on a connection that stands."""
        known = self._known.get(account)
        if known is None or time.monotonic() - known[0] >= settings.KEYS_KNOWN_S:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[account] = (time.monotonic(), network_of_account(account))
        return known[1]

    def _report(self) -> None:
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = time.monotonic()
            close_old_connections()
            if self.counts:
                logger.info("networks: %s", dict(self.counts))


def _named(message: Publish) -> tuple[str, str]:
    """The account and the rest of the topic; no account for a topic that is none of ours."""
    try:
        return lorawan_topics.split(message.topic.decode())
    except (Undecodable, UnicodeDecodeError):
        return "", ""


def _read(network: DeviceNetwork, message: Publish, rest: str) -> tuple[Any, lorawan_topics.Place]:
    if len(message.payload) > LONGEST:
        raise Undecodable("too long")
    try:
        body = orjson.loads(message.payload)
    except orjson.JSONDecodeError:
        body = None
    if body is None:  # raised outside: the parser's error carries the document
        raise Undecodable("no JSON")
    is_chirpstack = network.kind == DeviceNetwork.Kind.CHIRPSTACK
    return body, lorawan_topics.chirpstack(rest, body) if is_chirpstack else lorawan_topics.things_stack(rest, body)


def to_servers(now: datetime) -> Iterable[Down]:
    """Commands for devices whose servers listen at the broker."""
    for command in take_commands(transport=DeviceCommand.Transport.LORAWAN, now=now, among=goes_by_broker()):
        try:
            yield _down(command)
        except CannotSend as problem:
            note_not_sent(pk=command.pk, problem=str(problem))


def _down(command: DeviceCommand) -> Down:
    downlink = downlink_of(command.payload)
    held = LoraSession.objects.select_related("network").filter(device_id=command.device_id).first()
    network = held.network if held is not None else None
    if held is None or network is None:
        raise CannotSend("it was heard by no network that is in use")
    if network.kind == DeviceNetwork.Kind.CHIRPSTACK:
        # The item's id is ours to choose, and comes back with its acknowledgement.
        item = str(command.reference)
        with contextlib.suppress(redis.RedisError):
            remember_downlink(item, command)
        body: dict[str, Any] = {"id": item, "devEui": command.device.dev_eui, **chirpstack_item(downlink)}
    else:
        body = {"downlinks": [ttn_row(downlink, command.reference)]}
        if held.command_topic == lorawan_topics.DOWN:  # Pub/Sub: the topic names no device
            if not held.server_name or not network.application:
                raise CannotSend("The Things Stack needs the application's id, and to have heard the device")
            body["end_device_ids"] = {"device_id": held.server_name, "application_ids": {"application_id": network.application}}
    topic = f"{lorawan_topics.prefix_of(network.broker_account)}{held.command_topic}"
    return Down(command.pk, topic, orjson.dumps(body), command.expires_at)
