"""Every kind of step a run is made of, in order. A new result is one line here."""

from __future__ import annotations

from incidents.models import Forecast, HotSpot
from incidents.services.pipeline.forecasts import forecasts
from incidents.services.pipeline.hotspots import hot_spots
from incidents.services.pipeline.steps import Kind

KINDS: dict[str, Kind] = {
    "hotspots": Kind(hot_spots, (HotSpot,), "hot_spots"),
    "forecasts": Kind(forecasts, (Forecast,), "forecasts"),
}
