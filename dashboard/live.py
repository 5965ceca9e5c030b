"""From an event to what a page is sent: the same card the page itself rendered, and its point on the map."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

import orjson
from django.db import DatabaseError, InterfaceError
from django.template.loader import render_to_string
from django.utils import translation

from accounts.events import PERSON_CHANGED, PERSON_DEACTIVATED
from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency
from core.live.pushes import Room, Shown
from core.models import Event
from dashboard import alarms, alert_live, anomaly_live
from dashboard.layers import feature_of
from geography.events import ZONES_CHANGED
from geography.models import Zone
from incidents import events
from incidents.models import Incident
from iot.permissions import may_see_devices

logger = logging.getLogger(__name__)

# They change many cards, or none: the page asks again for what it shows, by its ordinary views, when its reader likes.
NOTICES = frozenset({events.INCIDENTS_IMPORTED, events.IMPORT_FINISHED, events.PIPELINE_FINISHED, ZONES_CHANGED})
# They change who may see which card, or what many cards say: the page loads its list anew at once.
UPHEAVALS = frozenset({events.INCIDENTS_REZONED, events.INCIDENT_TYPE_MERGED})


class IncidentPresenter:
    """``settings.LIVE_PRESENTER``."""

    viewer_events = frozenset({PERSON_CHANGED, PERSON_DEACTIVATED})

    def room(self, viewer: Any, name: str) -> Room | None:
        """``all``, ``governorate:<id>``, ``agency:<id>`` or ``incident:<ref>``; a foreign one does not exist. ``alarms``, beside whatever
        the page follows, is for those who answer calls for help; ``alerts`` for those who work with alerts, ``anomalies`` with sensors."""
        kind, _colon, key = name.partition(":")
        mine = jurisdiction_of(viewer)
        if kind == "all" and not key:
            return Room()
        if kind == alarms.ROOM and not key:
            return Room(kind) if viewer.can("answer_sos") else None
        if kind == alert_live.ROOM and not key:
            return Room(kind) if viewer.can("see_alerts") else None
        if kind == anomaly_live.ROOM and not key:
            return Room(kind) if may_see_devices(viewer) else None
        if kind == "incident":
            found = Incident.objects.visible_to(viewer).by_ref(key[:64]).values_list("pk", flat=True).first()
            return Room("subject", found) if found is not None else None
        if not (key.isascii() and key.isdigit() and len(key) < 19):
            return None
        pk = int(key)
        if kind == "governorate" and _holds(mine.governorate_ids, pk) and Zone.objects.filter(pk=pk, level="governorate").exists():
            return Room(kind, pk)
        if kind == "agency" and _holds(mine.agency_ids, pk) and Agency.objects.filter(pk=pk).exists():
            return Room(kind, pk)
        return None

    def show(self, events: Sequence[Event], languages: Collection[str]) -> list[Shown | None]:
        wanted = {event.subject_id for event in events if event.subject_type == "incident" and event.subject_id is not None}
        incidents = Incident.objects.for_card().in_bulk(wanted) if wanted else {}
        cards = {pk: _card_or_notice(incident, languages) for pk, incident in incidents.items()}
        calling = {
            (event.subject_type, event.subject_id)
            for event in events
            if event.subject_type in ("sos", "welfarecheck") and event.subject_id is not None
        }
        ringing: dict[tuple[str, int], Shown] = {**alarms.shown_alarms(calling, languages)} if calling else {}
        firing = {event.subject_id for event in events if event.subject_type == "alert" and event.subject_id is not None}
        if firing:
            ringing |= {("alert", pk): shown for pk, shown in alert_live.shown_alerts(firing, languages).items()}
        odd = {(event.subject_type, event.subject_id or 0) for event in events if event.subject_type in anomaly_live.SUBJECTS}
        if odd:
            ringing |= anomaly_live.shown_anomalies(odd, languages)
        return [ringing.get((event.subject_type, event.subject_id or 0)) or _of(event, cards, languages) for event in events]


def _holds(ids: frozenset[int] | None, pk: int) -> bool:
    return ids is None or pk in ids


def _of(event: Event, cards: dict[int, Shown], languages: Collection[str]) -> Shown | None:
    if event.type in NOTICES or event.type in UPHEAVALS:
        text = '"id":null,"ref":null,"html":null,"feature":null,"open":null,"refresh":true'
        return Shown(None, event.agency_id, None, dict.fromkeys(languages, text), is_notice=True, starts_over=event.type in UPHEAVALS)
    if event.subject_type != "incident" or event.subject_id is None:
        return None
    return cards.get(event.subject_id)


def _card_or_notice(incident: Incident, languages: Collection[str]) -> Shown:
    """One incident whose card cannot be drawn must not keep every other from the board: it is announced without its card."""
    try:
        return _card(incident, languages)
    except (DatabaseError, InterfaceError):
        # Nothing is wrong with the card: the caller asks again once the database is back.
        raise
    except Exception:
        logger.exception("the card of incident %d cannot be drawn", incident.pk)
        text = orjson.dumps(
            {"id": incident.pk, "ref": incident.ref, "html": None, "feature": None, "open": incident.is_open, "refresh": True}
        )
        return Shown(incident.pk, incident.agency_id, incident.governorate_id, dict.fromkeys(languages, text.decode()[1:-1]))


def _card(incident: Incident, languages: Collection[str]) -> Shown:
    texts: dict[str, str] = {}
    for language in languages:
        with translation.override(language):
            members = {
                "id": incident.pk,
                "ref": incident.ref,
                "html": render_to_string("dashboard/_card.html", {"incident": incident}).strip(),
                "feature": feature_of(incident),
                "open": incident.is_open,
            }
        texts[language] = orjson.dumps(members).decode()[1:-1]
    return Shown(incident.pk, incident.agency_id, incident.governorate_id, texts)
