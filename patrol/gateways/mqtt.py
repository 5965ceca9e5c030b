"""The broker's side of the positions gateway: the only file that knows paho.

The session is kept by the broker (``clean_start`` is off): what comes while we are away waits there. A message is acknowledged when its
position is committed and not before, so one that we took and lost is delivered again.
"""

from __future__ import annotations

import logging
import queue
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

logger = logging.getLogger("positions")

TOPIC = "khareetaty/positions/"
CLIENT_ID = "khareetaty-positions"
KEPT_S = 7 * 86_400
MOST_UNACKNOWLEDGED = 4_000
KEEPALIVE_S = 20


@dataclass(frozen=True, slots=True)
class Message:
    """One message, and what is needed to acknowledge it."""

    tracker: str
    payload: bytes
    mid: int
    qos: int
    session: int


class Broker:
    """A subscription that is kept alive by a thread of paho's. ``take`` blocks; ``acknowledge`` may be called from any thread."""

    def __init__(self, url: str, *, client_id: str = CLIENT_ID) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError("MQTT_URL is mqtt://user:password@host:port, or mqtts:// for TLS")
        self.host, self.port = parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        self.waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.session = 0
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        if parts.username:
            self.client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self.client.tls_set()
        self.client.reconnect_delay_set(1, 30)
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_message = self._came

    def start(self) -> None:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = KEPT_S
        properties.ReceiveMaximum = MOST_UNACKNOWLEDGED
        self.client.connect_async(self.host, self.port, KEEPALIVE_S, clean_start=False, properties=properties)
        self.client.loop_start()

    def stop(self) -> None:
        """Leave; the session and what it holds stay with the broker."""
        self.client.disconnect()
        self.client.loop_stop()

    def take(self, *, most: int, wait_s: float) -> list[Message]:
        """The messages there are, up to ``most``; waits for the first at most ``wait_s``."""
        found: list[Message] = []
        try:
            found.append(self.waiting.get(timeout=wait_s))
            while len(found) < most:
                found.append(self.waiting.get_nowait())
        except queue.Empty:
            pass
        return found

    def acknowledge(self, messages: list[Message]) -> None:
        for message in messages:
            # The broker delivers again what an earlier connection left open, under numbers that mean something else by now.
            if message.session == self.session:
                self.client.ack(message.mid, message.qos)

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            logger.error("the broker refuses us: %s", reason)
            return
        logger.info("connected to the broker at %s:%d", self.host, self.port)
        client.subscribe(TOPIC + "#", qos=1)

    def _disconnected(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.session += 1
        if reason.is_failure:
            logger.warning("lost the broker: %s; what it holds for us waits there", reason)

    def _came(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.waiting.put(Message(message.topic.removeprefix(TOPIC), bytes(message.payload), message.mid, message.qos, self.session))
