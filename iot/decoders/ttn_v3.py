"""Messages of The Things Stack v3 as its webhooks and MQTT server send them in JSON."""

from __future__ import annotations

from typing import Any

from iot.decoders.errors import Undecodable
from iot.decoders.lorawan import MAX_COUNTER, DeviceNews, Reception, Uplink, eui_of, optional_number, receptions_of, whole_of
from iot.decoders.values import base64_of, instant_of, object_of, text_of

# The key that holds the message, and what it is called here.
OTHERS = {
    "join_accept": "join",
    "downlink_ack": "ack",
    "downlink_nack": "nack",
    "downlink_sent": "txack",
    "downlink_queued": "queued",
    "downlink_failed": "failed",
    "downlink_queue_invalidated": "invalidated",
    "location_solved": "location",
    "service_data": "integration",
}


def read(body: object) -> Uplink | DeviceNews:
    """One message; what it is shows by its key."""
    given = object_of(body)
    ids = given.get("end_device_ids")
    if not isinstance(ids, dict):
        raise Undecodable("end_device_ids: missing")
    dev_eui = eui_of(ids.get("dev_eui"))
    at = instant_of(given["received_at"], "iso", "received_at") if given.get("received_at") is not None else None
    if "uplink_message" in given:
        return _uplink(given, dev_eui)
    for key, kind in OTHERS.items():
        if key in given:
            return DeviceNews(kind, dev_eui, _correlation(given), at, session=_session(given[key]) if kind == "join" else "")
    raise Undecodable("no message of The Things Stack")


def _uplink(given: dict[str, Any], dev_eui: str) -> Uplink:
    message = given["uplink_message"]
    if not isinstance(message, dict):
        raise Undecodable("uplink_message: not an object")
    decoded = message.get("decoded_payload")
    if decoded is not None and not isinstance(decoded, dict):
        raise Undecodable("decoded_payload: not an object")
    counter = whole_of(message.get("f_cnt", 0), "f_cnt", MAX_COUNTER)
    session = message.get("session_key_id")
    received = message.get("received_at", given.get("received_at"))
    return Uplink(
        dev_eui=dev_eui,
        # A frame is one by its session and its counter; the server's own numbers differ from copy to copy of some frames.
        dedup_id=f"{text_of(session, 'session_key_id')}:{counter}" if session else _correlation(given),
        counter=counter,
        port=whole_of(message.get("f_port", 0), "f_port", 255),
        at=instant_of(received, "iso", "received_at") if received is not None else None,
        receptions=receptions_of(message.get("rx_metadata", []), _reception),
        payload=base64_of(message.get("frm_payload", ""), "frm_payload"),
        decoded=decoded or None,
        is_simulated=given.get("simulated") is True,
        session=_session(message),
    )


def _session(message: object) -> str:
    found = message.get("session_key_id") if isinstance(message, dict) else None
    return text_of(found, "session_key_id") if found else ""


def _correlation(given: dict[str, Any]) -> str:
    """The number of the server that belongs to this message and no other, or "" where there is none."""
    rows = given.get("correlation_ids", [])
    if not isinstance(rows, list):
        raise Undecodable("correlation_ids: not a list")
    named = [row for row in rows if isinstance(row, str) and len(row) <= 200]
    for start in ("ns:uplink:", "as:up:", "as:downlink:", "gs:uplink:"):
        for row in named:
            if row.startswith(start):
                return row
    return named[0] if named else ""


def _reception(row: dict[str, Any]) -> Reception:
    ids = row.get("gateway_ids")
    if not isinstance(ids, dict):  # heard through another network: the packet broker names no gateway of ours
        return Reception("packet-broker", optional_number(row.get("rssi"), "rssi"), optional_number(row.get("snr"), "snr"))
    name = ids.get("eui") or ids.get("gateway_id")
    return Reception(
        text_of(name, "gateway_ids", longest=64).lower(), optional_number(row.get("rssi"), "rssi"), optional_number(row.get("snr"), "snr")
    )
