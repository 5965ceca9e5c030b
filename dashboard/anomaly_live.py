"""Anomalies and drafts by the socket. The push rings: something happened to one. The queue is asked for by its ordinary address, which
checks what is whose."""

from __future__ import annotations

from collections.abc import Collection

import orjson

from core.live.pushes import Shown
from iot.models import Anomaly, RuleFiring

ROOM = "anomalies"
SUBJECTS = ("anomaly", "rulefiring")


def shown_anomalies(wanted: Collection[tuple[str, int]], languages: Collection[str]) -> dict[tuple[str, int], Shown]:
    found = {}
    for model in (Anomaly, RuleFiring):
        name = model._meta.model_name or ""
        rows = model._default_manager.filter(pk__in=[pk for kind, pk in wanted if kind == name])
        for pk, agency_id, governorate_id in rows.values_list("pk", "device__agency_id", "device__governorate_id"):
            told = {"id": None, "ref": None, "html": None, "feature": None, "open": None, "anomaly": {"kind": name, "id": pk}}
            text = orjson.dumps(told).decode()[1:-1]
            found[name, pk] = Shown(pk, agency_id, governorate_id, dict.fromkeys(languages, text), only_in=ROOM)
    return found
