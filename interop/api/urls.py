from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from core.api import views
from interop.api.compare import CompareView
from interop.api.duplicates import DuplicateDetail, DuplicateList, DuplicateVerb
from interop.api.feeds import FeedDetail, FeedList
from interop.api.forecasts import ForecastChoices, ForecastList
from interop.api.handover import HandoverDetail, HandoverList, SuppressionLift, SuppressionList
from interop.api.hotspots import HotSpotDetail, HotSpotList, HotSpotMap, HotSpotTrackDetail
from interop.api.incidents import IncidentDetail, IncidentList
from interop.api.intake import intake_views
from interop.api.jobs import JobCancel, JobDetail, JobList, JobResults, JobResultsCsv
from interop.api.messages import LetterCorrect, LetterDetail, LetterList, LetterReplay
from interop.api.runs import RunCancel, RunDetail, RunList
from interop.api.summary import SummaryView
from interop.api.surfaces import NearRepeatList, SurfaceCell, SurfaceCsv, SurfaceDetail, SurfaceGeoJson, SurfaceList
from interop.api.trust import ModelsView, ModelSwitchView, ModelView, ScoreboardView
from interop.sensorthings.views import SensorThings

# What is asked most stands first: an address is looked for from the top, and a hundred patterns are a tenth of what a small read costs.
urlpatterns: list[URLPattern | URLResolver] = [path("external/", include("interop.api.external.urls"))]
for kind, single, batch in intake_views():
    urlpatterns += [
        path(f"ingest/{kind}", single.as_view(), name=f"api-ingest-{kind}"),
        path(f"ingest/{kind}/batch", batch.as_view(), name=f"api-ingest-{kind}-batch"),
    ]
urlpatterns += [
    path("schema", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]), name="api-schema"),
    path("docs", views.swagger, name="api-docs"),
    path("redoc", views.redoc, name="api-redoc"),
    path("redoc.js", views.redoc_script, name="api-redoc-script"),
    path("sensorthings/v1.1", SensorThings.as_view(), name="api-sensorthings"),
    path("sensorthings/v1.1/<path:path>", SensorThings.as_view(), name="api-sensorthings-path"),
    path("sensorthings/v1.1/", SensorThings.as_view()),
    path("incidents", IncidentList.as_view(), name="api-incidents"),
    path("compare", CompareView.as_view(), name="api-compare"),
    path("runs", RunList.as_view(), name="api-runs"),
    path("runs/<int:pk>", RunDetail.as_view(), name="api-run"),
    path("runs/<int:pk>/cancel", RunCancel.as_view(), name="api-run-cancel"),
    path("summary", SummaryView.as_view(), name="api-summary"),
    path("forecasts", ForecastList.as_view(), name="api-forecasts"),
    path("forecasts/choices", ForecastChoices.as_view(), name="api-forecast-choices"),
    path("hotspots", HotSpotList.as_view(), name="api-hotspots"),
    path("hotspots.geojson", HotSpotMap.as_view(), name="api-hotspots-map"),
    path("hotspots/<int:pk>", HotSpotDetail.as_view(), name="api-hotspot"),
    path("hotspots/tracks/<int:pk>", HotSpotTrackDetail.as_view(), name="api-hotspot-track"),
    path("scoreboard", ScoreboardView.as_view(), name="api-scoreboard"),
    path("models", ModelsView.as_view(), name="api-models"),
    path("models/<str:model>", ModelView.as_view(), name="api-model"),
    path("models/<str:model>/switch", ModelSwitchView.as_view(), name="api-model-switch"),
    path("suppressions", SuppressionList.as_view(), name="api-suppressions"),
    path("suppressions/<int:pk>/lift", SuppressionLift.as_view(), name="api-suppression-lift"),
    path("handovers", HandoverList.as_view(), name="api-handovers"),
    path("handovers/<int:pk>", HandoverDetail.as_view(), name="api-handover"),
    path("surfaces", SurfaceList.as_view(), name="api-surfaces"),
    path("surfaces/<int:pk>", SurfaceDetail.as_view(), name="api-surface"),
    path("surfaces/<int:pk>.geojson", SurfaceGeoJson.as_view(), name="api-surface-geojson"),
    path("surfaces/<int:pk>.csv", SurfaceCsv.as_view(), name="api-surface-csv"),
    re_path(
        r"^surfaces/(?P<pk>[0-9]{1,18})/cells/(?P<column>-?[0-9]{1,9})/(?P<row>-?[0-9]{1,9})$",
        SurfaceCell.as_view(),
        name="api-surface-cell",
    ),
    path("near-repeat-tests", NearRepeatList.as_view(), name="api-near-repeat-tests"),
    path("duplicates", DuplicateList.as_view(), name="api-duplicates"),
    path("duplicates/<int:pk>", DuplicateDetail.as_view(), name="api-duplicate"),
    re_path(r"^duplicates/(?P<pk>[0-9]{1,18})/(?P<verb>merge|link|dismiss|undo)$", DuplicateVerb.as_view(), name="api-duplicate-verb"),
    path("messages", LetterList.as_view(), name="api-messages"),
    path("messages/replay", LetterReplay.as_view(), name="api-messages-replay"),
    path("messages/<int:pk>", LetterDetail.as_view(), name="api-message"),
    path("messages/<int:pk>/correct", LetterCorrect.as_view(), name="api-message-correct"),
    path("feeds", FeedList.as_view(), name="api-feeds"),
    path("feeds/<slug:slug>", FeedDetail.as_view(), name="api-feed"),
    path("jobs", JobList.as_view(), name="api-jobs"),
    path("jobs/<int:pk>", JobDetail.as_view(), name="api-job"),
    path("jobs/<int:pk>/cancel", JobCancel.as_view(), name="api-job-cancel"),
    path("jobs/<int:pk>/results", JobResults.as_view(), name="api-job-results"),
    path("jobs/<int:pk>/results.csv", JobResultsCsv.as_view(), name="api-job-results-csv"),
    path("incidents/<str:ref>", IncidentDetail.as_view(), name="api-incident"),
]
urlpatterns.append(path("", include("interop.api.standards.urls")))
urlpatterns.append(path("auth/", include("interop.api.urls_auth")))
urlpatterns.append(path("admin/", include("interop.api.urls_admin")))
urlpatterns.append(path("patrol/", include("interop.api.patrol.urls")))
urlpatterns.append(path("iot/", include("interop.api.iot.urls")))
urlpatterns.append(path("", include("interop.api.alerts.urls")))
urlpatterns.append(path("", include("interop.api.urls_webhooks")))
urlpatterns.append(path("", include("interop.api.urls_sharing")))
