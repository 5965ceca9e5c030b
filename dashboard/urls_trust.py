from django.urls import path

from dashboard.views import handover, models, scoreboard

urlpatterns = [
    path("scoreboard/", scoreboard.page, name="scoreboard"),
    path("scoreboard.csv", scoreboard.as_csv, name="scoreboard-csv"),
    path("models/", models.page, name="models"),
    path("models/<str:model>/", models.one, name="models-one"),
    path("models/<str:model>/card.json", models.as_json, name="models-json"),
    path("models/<str:model>/switch/", models.switch, name="models-switch"),
    path("handover/", handover.page, name="handover"),
    path("handover/<int:pk>/", handover.one, name="handover-one"),
    path("handover/<int:pk>.csv", handover.as_csv, name="handover-csv"),
    path("handover/<int:pk>.geojson", handover.as_geojson, name="handover-geojson"),
    path("handover/suppressions/", handover.suppressions, name="handover-suppressions"),
    path("handover/suppressions/<int:pk>/lift/", handover.lift, name="handover-lift"),
]
