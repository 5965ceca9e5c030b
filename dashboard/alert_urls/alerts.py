from __future__ import annotations

from django.urls import URLPattern, path, re_path

from dashboard.views import alert_acts, alert_alarm, alert_manual, alert_page, alert_queue, alert_silences, alert_stats

PK = r"(?P<pk>[0-9]{1,18})"

urlpatterns: list[URLPattern] = [
    path("alerts/", alert_queue.page, name="alerts"),
    path("alerts/new/", alert_manual.page, name="alerts-new"),
    path("alerts/new/preview/", alert_manual.preview, name="alerts-preview"),
    path("alerts/silences/", alert_silences.page, name="silences"),
    re_path(rf"^alerts/silences/{PK}/end/$", alert_silences.end, name="silences-end"),
    path("alerts/statistics/", alert_stats.page, name="alertstats"),
    path("alerts/statistics.csv", alert_stats.file, name="alertstats-csv"),
    path("alerts/rows/", alert_queue.rows, name="alerts-rows"),
    path("alerts/mine.json", alert_alarm.mine, name="alerts-mine"),
    path("alerts/seen/", alert_alarm.seen, name="alerts-seen"),
    path("alerts/sound/", alert_alarm.sound, name="alerts-sound"),
    path("alerts/acknowledge/", alert_acts.acknowledge_many, name="alerts-acknowledge"),
    re_path(rf"^alerts/{PK}/$", alert_page.page, name="alerts-one"),
    re_path(rf"^alerts/{PK}/part/$", alert_page.part, name="alerts-part"),
    re_path(
        rf"^alerts/{PK}/(?P<verb>acknowledge|snooze|mute|escalate|reassign|note|resolve)/$",
        alert_acts.act,
        name="alerts-act",
    ),
]  # fmt: skip
