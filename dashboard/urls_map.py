from django.urls import path

from dashboard.views import layers

urlpatterns = [
    path("map/<slug:slug>.geojson", layers.layer, name="map-layer"),
    path("map/forecast/<int:zone_id>.json", layers.zone_forecast, name="zone-forecast"),
]
