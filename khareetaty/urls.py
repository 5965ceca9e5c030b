from django.contrib import admin
from django.urls import include, path

from core import views as core_views
from core.live.views import live_events

urlpatterns = [
    path("livez", core_views.livez, name="livez"),
    path("readyz", core_views.readyz, name="readyz"),
    path("live/events", live_events, name="live-events"),
    path("admin/", admin.site.urls),
    path("map/tiles/", include("geography.urls")),
    path("", include("dashboard.urls_map")),
]
