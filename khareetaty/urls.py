from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from core import views as core_views
from core.api.views import nothing_here
from core.live.views import live_events

urlpatterns = [
    path("api/v1/", include("interop.api.urls")),
    path("livez", core_views.livez, name="livez"),
    path("readyz", core_views.readyz, name="readyz"),
    path("live/events", live_events, name="live-events"),
    # One sign-in for all: the command centre's own would know neither lockout page nor language.
    path("admin/login/", RedirectView.as_view(pattern_name="sign-in", query_string=True)),
    path("admin/", admin.site.urls),
    path("map/tiles/", include("geography.urls")),
    re_path(r"^api/(?P<rest>.*)$", nothing_here),
    path("", include("dashboard.urls_map")),
    path("", include("dashboard.urls_trust")),
    path("", include("dashboard.urls_devices")),
    path("", include("dashboard.urls_risk")),
    path("", include("dashboard.urls_anomalies")),
    path("", include("dashboard.patrol_urls")),
    path("", include("dashboard.alert_urls")),
    path("", include("interop.urls_pages")),
    path("", include("dashboard.urls")),
]
