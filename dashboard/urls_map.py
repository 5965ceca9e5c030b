from django.urls import path

from dashboard.views import forecast, hotspots, layers, map

urlpatterns = [
    path("map/", map.page, name="map"),
    path("map/list/", map.rows, name="map-list"),
    path("map/<slug:slug>.geojson", layers.layer, name="map-layer"),
    path("map/forecast/<int:zone_id>.json", layers.zone_forecast, name="zone-forecast"),
    path("hotspots/", hotspots.page, name="hotspots"),
    path("forecast/", forecast.overview, name="forecast"),
    path("forecast/<int:zone_id>/", forecast.zone, name="forecast-zone"),
]
