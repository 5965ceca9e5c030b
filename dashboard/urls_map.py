from django.urls import path, re_path

from dashboard.views import forecast, hotspots, layers, map, surfaces

urlpatterns = [
    path("map/", map.page, name="map"),
    path("map/list/", map.rows, name="map-list"),
    path("map/<slug:slug>.geojson", layers.layer, name="map-layer"),
    path("map/forecast/<int:zone_id>.json", layers.zone_forecast, name="zone-forecast"),
    path("map/hotspots/moments.json", hotspots.moments, name="hotspot-moments"),
    path("hotspots/", hotspots.page, name="hotspots"),
    path("hotspots/hotspots.csv", hotspots.csv, name="hotspots-csv"),
    path("hotspots/hotspots.geojson", hotspots.geojson, name="hotspots-geojson"),
    path("hotspots/<int:pk>/", hotspots.one, name="hotspots-one"),
    path("forecast/", forecast.overview, name="forecast"),
    path("forecast/forecast.csv", forecast.csv, name="forecast-csv"),
    path("forecast/<int:zone_id>/", forecast.zone, name="forecast-zone"),
    path("map/surfaces.json", surfaces.choices, name="surface-choices"),
    path("map/surfaces/<int:pk>.json", surfaces.cells, name="surface-cells"),
    path("surfaces/", surfaces.page, name="surfaces"),
    re_path(r"^surfaces/(?P<pk>[0-9]{1,18})/why/(?P<column>-?[0-9]{1,9})/(?P<row>-?[0-9]{1,9})/$", surfaces.cell, name="surfaces-why"),
    re_path(r"^surfaces/(?P<pk>[0-9]{1,18})\.(?P<ending>csv|geojson)$", surfaces.download, name="surfaces-file"),
]
