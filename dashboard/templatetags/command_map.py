"""``{% load command_map %}{% command_map %}`` puts the map on a page: the board's, the command centre's, its own."""

from __future__ import annotations

from typing import Any

import orjson
from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from dashboard.alert_layer import alert_layer_config
from dashboard.layers import LAYERS, SENSOR_LAYERS, crowd_of, extent_of
from dashboard.sensor_layers import marks, sensor_layers_config
from dashboard.surfaces import KINDS
from dashboard.unit_live import unit_layer_config
from incidents.lifecycle import Severity, State

register = template.Library()
TILES = "/map/tiles/zones/{level}/{z}/{x}/{y}.mvt"


def _address(name: str, *args: str) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


@register.inclusion_tag("dashboard/_map_body.html", takes_context=True)
def command_map(
    context: dict[str, Any], off: str = "", opens_on: str = "", surface: object = "", units: str = "", alert: Any = None
) -> dict[str, Any]:
    """``off`` names layers that start switched off on this page, ``opens_on`` one whose extent is shown first;
    ``surface`` is the id of one to lay on the map from the start; ``units`` offers units to those who may watch them: ``layer`` brings
    them along, ``own`` leaves it to the page. ``alert`` is one that stands alone on this map, beside what the page leaves on.

    The page's ``map_filters`` (a query string) or ``filter`` (the board's form) narrows it from the start.
    """
    filters = context.get("map_filters")
    if filters is None and (form := context.get("filter")):
        filters = form.query_string()
    request = context["request"]
    extent, is_approximate = extent_of(request.user)
    opening = crowd_of(request.user)
    with_units = bool(units) and getattr(request.user, "can", lambda _verb: False)("watch_units")
    alert = alert or None
    with_alerts = alert is not None or getattr(request.user, "can", lambda _verb: False)("see_alerts")
    with_sensors = units == "layer" and getattr(request.user, "can", lambda _verb: False)("see_devices")
    hidden = {slug for slug, is_here in (("units", with_units), ("alerts", with_alerts and alert is None)) if not is_here}
    return {
        "layers": [layer for layer in LAYERS if layer.slug not in hidden],
        "alerts": orjson.dumps(alert_layer_config(alert)).decode() if with_alerts else "",
        "with_units": with_units,
        "units": orjson.dumps(unit_layer_config()).decode() if with_units and units == "layer" else "",
        "sensors": orjson.dumps(sensor_layers_config()).decode() if with_sensors else "",
        "sensor_layers": [(layer.slug, layer.name, marks()[layer.slug]) for layer in SENSOR_LAYERS] if with_sensors else [],
        "severities": [(severity.value, severity.name.lower(), severity.label) for severity in sorted(Severity, reverse=True)],
        "filters": filters or "",
        "off": off,
        "opens_on": opens_on,
        "bounds": orjson.dumps(extent).decode() if extent else "",
        "opening": orjson.dumps(opening).decode() if opening else "",
        "is_approximate": is_approximate,
        "tiles_url": TILES,
        "surface": surface or "",
        "surface_kinds": [(kind.value, kind.label) for kind in KINDS],
        "surfaces_url": _address("surface-choices"),
        "surface_url": "/map/surfaces/0.json",
        "surface_why_url": "/surfaces/0/why/{column}/{row}/",
        "surfaces_page": _address("surfaces"),
        "list_url": _address("board"),
        "hotspots_page": _address("hotspots"),
        "incident_url": "/incidents/__ref__/",
        "texts": orjson.dumps(_texts()).decode(),
    }


def _texts() -> dict[str, Any]:
    """What the script says, in the page's language. ``{name}`` is filled in by the script."""
    return {
        "title": _("Map of incidents. Arrow keys move it, plus and minus zoom."),
        "loading": _("Loading the map…"),
        "failed": _("The map's data could not be loaded."),
        "noZones": _("Zone boundaries could not be loaded; the incidents are shown."),
        "noWebgl": _("This browser cannot draw the map (WebGL 2 is missing or switched off). The list shows the same incidents."),
        "lost": _("The map stopped drawing. It starts again by itself, or when you reload the page."),
        "signedOut": _("You are signed out. Sign in again to go on."),
        "retry": _("Try again"),
        "close": _("Close"),
        "toList": _("Go to the list"),
        "open": _("Open incident"),
        "why": _("Why is it hot?"),
        "capped": _("Showing the newest {shown} of {total}"),
        "unlocated": _("Without a place, in the list only: {n}"),
        "ignored": _("Filter not understood: {names}"),
        "here": _("Incidents here: {n}"),
        "hotspot": _("Hot spot #{rank}"),
        "hotspotCount": _("Incidents: {n} · {density} per km²"),
        "hotspotBefore": _("In the window before: {n}"),
        "hotspotAround": _("Its surroundings would bring: {n}"),
        "hotspotSure": _("stands out"),
        "hotspotChance": _("may be chance"),
        "hotspotTrends": {"up": _("rising"), "down": _("falling"), "level": _("no clear change")},
        "zoneAhead": _("Expected in the next 7 days: {n}"),
        "zoneBefore": _("Counted in the last 7 days: {n}"),
        "approximate": _("Approximate boundary"),
        "forecast": _("Forecast"),
        "synthetic": _("Synthetic data"),
        "severities": {str(severity.value): str(severity.label) for severity in Severity},
        "states": {state.value: str(state.label) for state in State},
    }
