"""Events of ChirpStack v4 as its HTTP and MQTT integrations send them in JSON (``application/…/device/…/event/EVENT``)."""

from __future__ import annotations

from typing import Any

from iot.decoders.errors import Undecodable
from iot.decoders.lorawan import MAX_COUNTER, DeviceNews, Reception, Uplink, eui_of, optional_number, receptions_of, whole_of
from iot.decoders.values import base64_of, instant_of, object_of, text_of

EVENTS = ("up", "status", "join", "ack", "txack", "log", "location", "integration")


def read(body: object, event: str) -> Uplink | DeviceNews:
    """One event; ``event`` is the last part of the topic, or the ``event`` in the webhook's query."""
    if event not in EVENTS:
        raise Undecodable("no event of ChirpStack")
    given = object_of(body)
    device = given.get("deviceInfo")
    if not isinstance(device, dict):
        raise Undecodable("deviceInfo: missing")
    dev_eui = eui_of(device.get("devEui"))
    at = instant_of(given["time"], "iso") if given.get("time") is not None else None
    if event == "up":
        return Uplink(
            dev_eui=dev_eui,
            dedup_id=text_of(given.get("deduplicationId"), "deduplicationId"),
            counter=whole_of(given.get("fCnt", 0), "fCnt", MAX_COUNTER),
            port=whole_of(given.get("fPort", 0), "fPort", 255),
            at=at,
            receptions=receptions_of(given.get("rxInfo", []), _reception),
            payload=base64_of(given.get("data", ""), "data"),
            decoded=_decoded(given.get("object")),
            session=_session(given),
        )
    code = given.get("code", "") if event == "log" else ""
    return DeviceNews(
        kind=event,
        dev_eui=dev_eui,
        dedup_id=_dedup_id(given),
        at=at,
        battery_pct=_battery(given) if event == "status" else None,
        margin_db=optional_number(given.get("margin"), "margin") if event == "status" else None,
        code=text_of(code, "code", longest=64) if code else "",
        session=_session(given) if event == "join" else "",
    )


def _dedup_id(given: dict[str, Any]) -> str:
    """A log and a txack have no number of their own at the top: a log's lies in its context, a txack has its downlink's."""
    context = given.get("context")
    found = given.get("deduplicationId") or (context.get("deduplication_id") if isinstance(context, dict) else None)
    if found is None and "downlinkId" in given:
        return f"downlink-{whole_of(given['downlinkId'], 'downlinkId', MAX_COUNTER)}"
    return text_of(found, "deduplicationId") if found is not None else ""


def _session(given: dict[str, Any]) -> str:
    """A join gives the device a new address on the air."""
    return text_of(given["devAddr"], "devAddr", longest=64).lower() if given.get("devAddr") else ""


def _battery(given: dict[str, Any]) -> float | None:
    """Per cent; unknown where the device could not measure it or hangs on the mains."""
    if given.get("batteryLevelUnavailable") is True or given.get("externalPowerSource") is True:
        return None
    level = optional_number(given.get("batteryLevel"), "batteryLevel")
    if level is not None and not 0 <= level <= 100:
        raise Undecodable("batteryLevel: not from 0 to 100")
    return level


def _reception(row: dict[str, Any]) -> Reception:
    return Reception(
        text_of(row.get("gatewayId"), "gatewayId", longest=64),
        optional_number(row.get("rssi"), "rssi"),
        optional_number(row.get("snr"), "snr"),
    )


def _decoded(value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise Undecodable("object: not an object")
    return value or None
