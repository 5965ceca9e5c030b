from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.patrol import force_figures as figures
from interop.api.patrol import force_lists as lists
from interop.api.patrol import force_writes as writes

urlpatterns: list[URLPattern] = [
    path("stations", lists.StationList.as_view(), name="api-patrol-stations"),
    path("stations/<int:pk>", lists.StationDetail.as_view(), name="api-patrol-station"),
    path("units", lists.UnitList.as_view(), name="api-patrol-units"),
    path("units/<int:pk>", lists.UnitDetail.as_view(), name="api-patrol-unit"),
    path("teams", lists.TeamList.as_view(), name="api-patrol-teams"),
    path("teams/<int:pk>", lists.TeamDetail.as_view(), name="api-patrol-team"),
    path("teams/assign", writes.TeamAssign.as_view(), name="api-patrol-team-assign"),
    path("teams/zones/<int:pk>/withdraw", writes.TeamZoneWithdraw.as_view(), name="api-patrol-team-zone-withdraw"),
    path("teams/workload", figures.TeamsWorkload.as_view(), name="api-patrol-workload"),
    path("resources/distribution", figures.ResourcesDistribution.as_view(), name="api-patrol-distribution"),
    path("members", lists.MemberList.as_view(), name="api-patrol-members"),
    path("members/<int:pk>", lists.MemberDetail.as_view(), name="api-patrol-member"),
    path("shifts", lists.ShiftList.as_view(), name="api-patrol-shifts"),
    path("shifts/make", writes.ShiftMake.as_view(), name="api-patrol-shifts-make"),
    path("shifts/<int:pk>", lists.ShiftDetail.as_view(), name="api-patrol-shift"),
    path("roster", writes.RosterList.as_view(), name="api-patrol-roster"),
    path("roster/<int:pk>/move", writes.RosterMove.as_view(), name="api-patrol-roster-move"),
    path("roster/<int:pk>/take-off", writes.RosterTakeOff.as_view(), name="api-patrol-roster-take-off"),
    path("duties", lists.DutyList.as_view(), name="api-patrol-duties"),
    path("duties/on", writes.DutyOn.as_view(), name="api-patrol-duty-on"),
    path("duties/off", writes.DutyOff.as_view(), name="api-patrol-duty-off"),
]
