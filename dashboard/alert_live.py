"""Alerts by the socket. The push rings: which alert, and how it stands.

Whoever hears it asks for the row by the ordinary view, which checks whether it is theirs and says what only they are told ("pages you").
"""

from __future__ import annotations

from collections.abc import Collection

import orjson

from alerts.models import Alert
from core.live.pushes import Shown

ROOM = "alerts"


def shown_alerts(wanted: Collection[int], languages: Collection[str]) -> dict[int, Shown]:
    found = {}
    columns = ("pk", "level", "state", "agency_id", "governorate_id")
    for pk, level, state, agency_id, governorate_id in Alert.objects.filter(pk__in=wanted).values_list(*columns):
        told = {"id": None, "ref": None, "html": None, "feature": None, "open": None, "alert": {"id": pk, "level": level, "state": state}}
        text = orjson.dumps(told).decode()[1:-1]
        found[pk] = Shown(pk, agency_id, governorate_id, dict.fromkeys(languages, text), only_in=ROOM)
    return found
