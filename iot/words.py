"""Codes of risk and insights as people read them, in their language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from iot.analytics.risk import ANOMALIES, CAMERAS, CROWD, FIRE, GAPS, NIGHT_MOTION

PARTS: Mapping[str, str | Promise] = {
    ANOMALIES: gettext_lazy("Anomalies"),
    FIRE: gettext_lazy("Smoke and heat"),
    CROWD: gettext_lazy("Crowds"),
    NIGHT_MOTION: gettext_lazy("Motion at night"),
    CAMERAS: gettext_lazy("Cameras away"),
    GAPS: gettext_lazy("Sensors away"),
}

# The doors of ``iot.doors``, as people call them.
DOORS: Mapping[str, str | Promise] = {
    "http": "HTTP",
    "partner": gettext_lazy("Partners, HTTP"),
    "mqtt": "MQTT",
    "frigate": gettext_lazy("Camera recorders, MQTT"),
    "tcp": "TCP",
    "coap": "NB-IoT, CoAP",
    "lorawan": "LoRaWAN",
    "sms": "SMS",
    "other": gettext_lazy("Others"),
}


def note_of(note: Mapping[str, Any]) -> str:
    """What a score cannot know, as a sentence."""
    code = note["code"]
    if code == "silent":
        count = note["devices"]
        return ngettext(
            "The only sensor here has said nothing for a day.", "None of the %(n)d sensors here has said anything for a day.", count
        ) % {"n": count}
    if code == "too_little_crowd":
        return _("Crowds are not judged yet everywhere: %(known)d weeks of history, needs %(needs)d.") % note
    if code == "too_little_motion":
        return _("Motion at night is not judged yet everywhere: %(known)d nights of history, needs %(needs)d.") % note
    return ""


def sentence_of(code: str, params: Mapping[str, Any]) -> str:
    """An insight for whoever reads it now."""
    given = {name: _moment(value) if name == "since" else value for name, value in params.items()}
    if code == "late_night_motion":
        return _("Much motion in the dead of night: %(value)g within an hour, %(usual)g are usual.") % given
    if code == "camera_down":
        count = params["incidents"]
        away = _("The camera sees nothing since %(since)s.") % given
        return (
            away
            + " "
            + ngettext("%(n)d incident happened here in half a year.", "%(n)d incidents happened here in half a year.", count)
            % {"n": count}
        )
    if code == "crowd_rising":
        return _("The crowd grows: %(value)g now, %(before)g an hour ago, %(usual)g are usual at this hour.") % given
    if code == "group_away":
        return _("%(away)d of %(of)d sensors of “%(name)s” are away since %(since)s.") % given
    if code == "battery_ending":
        days = max(round(params["days"]), 0)
        return ngettext(
            "At %(level)d %% the battery ends in about %(n)d day if it goes on like this.",
            "At %(level)d %% the battery ends in about %(n)d days if it goes on like this.",
            days,
        ) % {**given, "n": days}  # fmt: skip
    if code == "certificate_ending":
        days = max(params["days"], 0)
        return ngettext("Its certificate ends in %(n)d day.", "Its certificate ends in %(n)d days.", days) % {"n": days}
    return ""


def _moment(text: str) -> str:
    return timezone.localtime(datetime.fromisoformat(text)).strftime("%Y-%m-%d %H:%M")
