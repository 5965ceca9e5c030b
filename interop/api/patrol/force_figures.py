"""Workload and overwork of units and people, and how the force is shared out across governorates."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Agency
from core.errors import Invalid
from geography.models import Region, Zone
from interop.api.patrol.force_kit import ForceView, WindowAskedSerializer
from patrol.services.distribution import MEASURES, Distribution, Share, distribution
from patrol.services.workload import PersonLoad, Workload, workload

DAYS = 7
FLAGS = ["stretch", "week", "rest", "nights"]


def _minutes(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds() / 60, 2)


class Figures(ForceView):
    pagination_class = None

    def window(self, asked: dict[str, Any]) -> tuple[datetime, datetime]:
        end = asked.get("end") or timezone.now()
        return asked.get("start") or end - timedelta(days=DAYS), end

    def agency(self, asked: dict[str, Any]) -> Agency:
        """The one asked for, else the caller's only one."""
        rows = Agency.objects.all()
        mine = self.viewer.jurisdiction.agency_ids
        if mine is not None:
            rows = rows.filter(pk__in=sorted(mine))
        return self.only(rows, "slug", asked.get("agency"), "agency", _("Say which agency."))

    def governorate(self, asked: dict[str, Any]) -> Zone:
        rows = Zone.objects.level(Zone.Level.GOVERNORATE).among(self.viewer.jurisdiction.governorate_ids).select_related("region")
        rows = rows.filter(region=Region.objects.order_by("-is_default", "code").first()) if "governorate" not in asked else rows
        return self.only(rows.defer("boundary"), "code", asked.get("governorate"), "governorate", _("Say which governorate."))

    def only(self, rows: Any, column: str, value: str | None, field: str, text: str) -> Any:
        found = list((rows.filter(**{column: value}) if value else rows)[:2])
        if not found:
            raise Http404
        if len(found) > 1 and not value:
            raise Invalid(text, fields={field: text})
        return found[0]


class LoadSerializer(serializers.Serializer[Any]):
    on_duty_minutes = serializers.SerializerMethodField(help_text="On duty in the window; an open duty counts until now.")
    busy_minutes = serializers.SerializerMethodField(help_text="Of these, on incidents and tasks.")
    stop_minutes = serializers.SerializerMethodField(help_text="Of these, on the way to or at stops of the route.")
    busy_share = serializers.FloatField(allow_null=True, help_text="`busy_minutes` over `on_duty_minutes`. Null: never on duty.")
    tasks = serializers.IntegerField(help_text="Assignments whose time came in the window.")
    is_on_duty = serializers.BooleanField()

    def get_on_duty_minutes(self, row: Any) -> float | None:
        return _minutes(row.on_duty)

    def get_busy_minutes(self, row: Any) -> float | None:
        return _minutes(row.busy)

    def get_stop_minutes(self, row: Any) -> float | None:
        return _minutes(row.stops)


class UnitLoadSerializer(LoadSerializer):
    unit = serializers.IntegerField(source="unit.pk")
    call_sign = serializers.CharField(source="unit.call_sign")
    team = serializers.IntegerField(source="unit.team_id", allow_null=True)
    tasks_by_kind = serializers.DictField(source="by_kind", child=serializers.IntegerField())
    flags = serializers.ListField(child=serializers.ChoiceField(choices=["busy"]))


class PersonLoadSerializer(LoadSerializer):
    member = serializers.IntegerField(source="member.pk")
    name = serializers.SerializerMethodField(help_text="Null for keys.")
    stretches = serializers.IntegerField(source="shifts", help_text="Begun in the window; off and on again within 90 minutes is one.")
    longest_minutes = serializers.SerializerMethodField(help_text="The longest stretch.")
    most_in_seven_days_minutes = serializers.SerializerMethodField(help_text="The most in any seven days that end in the window.")
    shortest_rest_minutes = serializers.SerializerMethodField(help_text="Before a stretch of the window. Null: there was none before.")
    short_rests = serializers.IntegerField(help_text="How often the rest was under the limit.")
    rest_overrides = serializers.IntegerField(source="overrides", help_text="Duties begun with too little rest, for a reason that is kept.")
    nights_in_row = serializers.IntegerField(source="nights")
    unconfirmed_minutes = serializers.SerializerMethodField(help_text="Past the expected end of duties that only the clock closed.")
    flags = serializers.ListField(child=serializers.ChoiceField(choices=FLAGS), help_text="Which limits are passed.")

    def get_name(self, row: PersonLoad) -> str | None:
        return None if self.context["is_key"] else str(row.member)

    def get_longest_minutes(self, row: PersonLoad) -> float | None:
        return _minutes(row.longest)

    def get_most_in_seven_days_minutes(self, row: PersonLoad) -> float | None:
        return _minutes(row.week)

    def get_shortest_rest_minutes(self, row: PersonLoad) -> float | None:
        return _minutes(row.shortest_rest)

    def get_unconfirmed_minutes(self, row: PersonLoad) -> float | None:
        return _minutes(row.unconfirmed)


class TeamLoadSerializer(serializers.Serializer[Any]):
    team = serializers.IntegerField(allow_null=True, help_text="Null: units of no team.")
    units = serializers.IntegerField()
    on_duty_minutes = serializers.FloatField()
    busy_minutes = serializers.FloatField()
    tasks = serializers.IntegerField()


class WorkloadSerializer(serializers.Serializer[Workload]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    limits = serializers.SerializerMethodField()
    teams = serializers.SerializerMethodField()
    units = UnitLoadSerializer(many=True)
    people = PersonLoadSerializer(many=True)

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
    def get_limits(self, found: Workload) -> dict[str, Any]:
        return found.rules()

    @extend_schema_field(TeamLoadSerializer(many=True))
    def get_teams(self, found: Workload) -> Any:
        rows: dict[int | None, dict[str, Any]] = {}
        for load in found.units:
            nothing = {"team": load.unit.team_id, "units": 0, "on": timedelta(0), "busy": timedelta(0), "n": 0}
            row = rows.setdefault(load.unit.team_id, nothing)
            row["units"] += 1
            row["on"] += load.on_duty
            row["busy"] += load.busy
            row["n"] += load.tasks
        return [
            {
                "team": row["team"],
                "units": row["units"],
                "on_duty_minutes": _minutes(row["on"]),
                "busy_minutes": _minutes(row["busy"]),
                "tasks": row["n"],
            }
            for row in rows.values()
        ]


class TeamsWorkload(Figures):
    serializer_class = WorkloadSerializer

    @extend_schema(
        operation_id="teams_workload", tags=["patrol"], parameters=[WindowAskedSerializer],
        summary="Hours, tasks, rest and overwork of teams, units and people; seven days until now unless said otherwise",
        responses=WorkloadSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(WindowAskedSerializer)
        start, end = self.window(asked)
        found = workload(viewer=self.viewer, agency=self.agency(asked), governorate=self.governorate(asked), start=start, end=end)
        return Response(WorkloadSerializer(found, context={"is_key": self.is_key}).data)


class ShareSerializer(serializers.Serializer[Share]):
    governorate = serializers.CharField(source="zone.code")
    units = serializers.IntegerField(help_text="In use.")
    unit_hours = serializers.FloatField(help_text="On duty; a unit counts once however many are on board.")
    person_hours = serializers.FloatField()
    incidents = serializers.IntegerField(help_text="Of the agency, that occurred in the window.")
    population = serializers.IntegerField(allow_null=True)
    risk = serializers.FloatField(allow_null=True, help_text="Expected incidents of the published risk surface that looks furthest ahead.")
    ratios = serializers.DictField(
        child=serializers.FloatField(allow_null=True),
        help_text="By measure: this governorate's share of unit-hours over its share of the demand. 1 is the mean of those shown.",
    )


class MeasureSerializer(serializers.Serializer[Any]):
    name = serializers.ChoiceField(choices=MEASURES)
    gini = serializers.FloatField(
        allow_null=True, help_text="Of unit-hours for one unit of demand: 0 even, towards 1 one has all. Null: nothing to compare."
    )
    hours_to_move = serializers.FloatField(source="to_move", allow_null=True, help_text="Unit-hours that would have to change places.")
    unknown = serializers.IntegerField(help_text="Governorates where this demand is not known; they are left out.")


class DistributionSerializer(serializers.Serializer[Distribution]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    governorates = ShareSerializer(many=True, source="shares")
    measures = MeasureSerializer(many=True)
    risk_surface = serializers.IntegerField(source="risk_of.pk", allow_null=True, default=None)
    is_synthetic = serializers.BooleanField()


class ResourcesDistribution(Figures):
    serializer_class = DistributionSerializer

    @extend_schema(
        operation_id="resources_distribution", tags=["patrol"], parameters=[WindowAskedSerializer],
        summary="Units and hours of each governorate beside incidents, population and risk, with plain indices of fairness",
        responses=DistributionSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(WindowAskedSerializer)
        start, end = self.window(asked)
        region = Region.objects.order_by("-is_default", "code").first()
        if region is None:
            raise Http404
        found = distribution(viewer=self.viewer, agency=self.agency(asked), region=region, start=start, end=end)
        return Response(DistributionSerializer(found).data)
