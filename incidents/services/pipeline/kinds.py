"""Every kind of step a run is made of, the heaviest first: so a first night, of which no step was ever timed, is shared well."""

from __future__ import annotations

from django.db.models import Q

from incidents.models import Forecast, HotSpot, ModelChoice, NearRepeat, Surface
from incidents.services.pipeline.forecasts import forecasts, parts_of_forecasts, scope_of_forecasts
from incidents.services.pipeline.hotspots import categories, hot_spots
from incidents.services.pipeline.near_repeat import near_repeat
from incidents.services.pipeline.risk import risk, risk_parts, risk_scope
from incidents.services.pipeline.steps import Kind
from incidents.services.pipeline.surfaces import described_surfaces, surfaces
from incidents.services.pipeline.tracks import keep_tracks

KINDS: dict[str, Kind] = {
    "risk": Kind(risk, (Surface, ModelChoice), "risk_surfaces", parts=risk_parts, scope=risk_scope),
    "forecasts": Kind(forecasts, (Forecast, ModelChoice), "forecasts", parts=parts_of_forecasts, scope=scope_of_forecasts),
    "near_repeat": Kind(near_repeat, (NearRepeat,), "near_repeats"),
    "surfaces": Kind(surfaces, (Surface,), "surfaces", scope=described_surfaces),
    "hotspots": Kind(hot_spots, (HotSpot,), "hot_spots", parts=categories, scope=lambda model, part: Q(category=part), before=keep_tracks),
}
