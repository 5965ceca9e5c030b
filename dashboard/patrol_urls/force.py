from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.views import duty, patrol_teams, roster, workload

urlpatterns: list[URLPattern] = [
    path("patrol/roster/", roster.page, name="roster"),
    path("patrol/workload/", workload.page, name="workload"),
    path("patrol/duty/", duty.page, name="patrol-duty"),
    path("patrol/teams/", patrol_teams.page, name="roster-teams"),
    path("patrol/teams/zones/<int:pk>/withdraw/", patrol_teams.withdraw, name="roster-zone-withdraw"),
    path("patrol/roster/make/", roster.make, name="roster-make"),
    path("patrol/roster/copy/", roster.copy, name="roster-copy"),
    path("patrol/roster/import/", roster.bring_in, name="roster-import"),
    path("patrol/roster/shifts/<int:pk>/", roster.shift, name="roster-shift"),
    path("patrol/roster/entries/<int:pk>/change/", roster.change, name="roster-change"),
    path("patrol/roster/entries/<int:pk>/duty/", roster.roll_call, name="roster-duty"),
    path("patrol/roster/entries/<int:pk>/take-off/", roster.take_off, name="roster-take-off"),
]
