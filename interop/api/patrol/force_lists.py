"""The force for machines: stations, units, teams, people, shifts, rosters, duties. Keys read, and see no names of people."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from interop.api.patrol.force_kit import MAX_PK, ForceView, PlaceAskedSerializer, WindowAskedSerializer, in_window, of_place
from interop.api.serializers import PointSerializer
from patrol.models import Duty, Member, RosterEntry, Shift, Skill, Station, Team, Unit, ZoneAssignment
from patrol.services.units import UnitStatus, states_of
from patrol.services.zones import standing_zones

_PLACE = "governorate__boundary"


class OfPlaceSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)


# --- stations, teams ---------------------------------------------------------------------------------------------------------------------


class StationSerializer(OfPlaceSerializer):
    code = serializers.CharField()
    name_en = serializers.CharField()
    name_ar = serializers.CharField()
    location = PointSerializer()
    is_active = serializers.BooleanField()
    is_synthetic = serializers.BooleanField()


class Stations(ForceView):
    serializer_class = StationSerializer

    def rows(self) -> Any:
        return Station.objects.visible_to(self.viewer).select_related("agency", "governorate").defer(_PLACE)


class StationList(Stations):
    @extend_schema(
        operation_id="list_stations", tags=["patrol"], summary="List the stations units start from", parameters=[PlaceAskedSerializer],
        responses=StationSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(of_place(self.rows(), self.asked(PlaceAskedSerializer)))
        return self.get_paginated_response(StationSerializer(page, many=True).data)


class StationDetail(Stations):
    @extend_schema(operation_id="read_station", tags=["patrol"], summary="Read one station", responses=StationSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(StationSerializer(self.found(self.rows(), pk)).data)


class ZoneOfTeamSerializer(serializers.Serializer[ZoneAssignment]):
    id = serializers.IntegerField()
    team = serializers.IntegerField(source="team_id")
    zone = serializers.CharField(source="zone.code")
    zone_id = serializers.IntegerField()
    level = serializers.CharField(source="zone.level")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    reason = serializers.CharField()
    cancelled_at = serializers.DateTimeField(allow_null=True)


class TeamSerializer(OfPlaceSerializer):
    code = serializers.CharField()
    name_en = serializers.CharField()
    name_ar = serializers.CharField()
    is_active = serializers.BooleanField()
    is_synthetic = serializers.BooleanField()
    units = serializers.SerializerMethodField(help_text="Ids of its units in use.")
    zones = ZoneOfTeamSerializer(many=True, source="standing_zones", help_text="What it answers for, now and ahead.")

    def get_units(self, team: Any) -> list[int]:
        return [unit.pk for unit in team.units_in_use]


class Teams(ForceView):
    serializer_class = TeamSerializer

    def rows(self) -> Any:
        units = Prefetch("units", Unit.objects.active().order_by("call_sign"), to_attr="units_in_use")
        ahead = standing_zones().filter(ends_at__gt=timezone.now()).select_related("zone").defer("zone__boundary").order_by("starts_at")
        zones = Prefetch("zones", ahead, to_attr="standing_zones")
        rows = Team.objects.visible_to(self.viewer).select_related("agency", "governorate").defer(_PLACE)
        return rows.prefetch_related(units, zones)


class TeamList(Teams):
    @extend_schema(
        operation_id="list_teams", tags=["patrol"], summary="List teams, their units and their zones", parameters=[PlaceAskedSerializer],
        responses=TeamSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(of_place(self.rows(), self.asked(PlaceAskedSerializer)))
        return self.get_paginated_response(TeamSerializer(page, many=True).data)


class TeamDetail(Teams):
    @extend_schema(operation_id="read_team", tags=["patrol"], summary="Read one team", responses=TeamSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(TeamSerializer(self.found(self.rows(), pk)).data)


# --- units -------------------------------------------------------------------------------------------------------------------------------


class UnitsAskedSerializer(PlaceAskedSerializer):
    is_active = serializers.BooleanField(required=False, allow_null=True, default=None)
    team = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)
    station = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)


class UnitSerializer(OfPlaceSerializer):
    call_sign = serializers.CharField()
    kind = serializers.CharField()
    station = serializers.IntegerField(source="station_id")
    team = serializers.IntegerField(source="team_id", allow_null=True)
    vehicle = serializers.CharField(source="vehicle.fleet_number", allow_null=True, default=None, help_text="Its fleet number.")
    skills = serializers.SlugRelatedField(slug_field="code", many=True, queryset=Skill.objects.none())
    state = serializers.SerializerMethodField(help_text="Derived from duty and open assignments: " + ", ".join(UnitStatus.values) + ".")
    state_since = serializers.SerializerMethodField()
    out_of_service = serializers.SerializerMethodField(help_text="What is wrong with its vehicle. Empty: nothing.")
    open_assignments = serializers.SerializerMethodField(help_text="Their ids, those planned for later included.")
    is_active = serializers.BooleanField()
    is_synthetic = serializers.BooleanField()

    def _state(self, unit: Unit) -> Any:
        return self.context["states"][unit.pk]

    def get_state(self, unit: Unit) -> str:
        return str(self._state(unit).state)

    def get_state_since(self, unit: Unit) -> str | None:
        since = self._state(unit).since
        return since.isoformat() if since is not None else None

    def get_out_of_service(self, unit: Unit) -> str:
        return str(self._state(unit).out_of_service)

    def get_open_assignments(self, unit: Unit) -> list[int]:
        return list(self._state(unit).open_assignments)


class Units(ForceView):
    serializer_class = UnitSerializer

    def rows(self) -> Any:
        rows = Unit.objects.visible_to(self.viewer).select_related("agency", "governorate", "vehicle").defer(_PLACE)
        return rows.prefetch_related("skills")

    def shown(self, units: list[Unit]) -> Any:
        return UnitSerializer(units, many=True, context={"states": states_of(unit.pk for unit in units)}).data


class UnitList(Units):
    @extend_schema(
        operation_id="list_units", tags=["patrol"], summary="List units with what they are doing", parameters=[UnitsAskedSerializer],
        responses=UnitSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(UnitsAskedSerializer)
        rows = of_place(self.rows(), asked)
        rows = rows.filter(**{name: asked[name] for name in ("is_active", "team", "station") if name in asked})
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(self.shown(page))


class UnitDetail(Units):
    @extend_schema(operation_id="read_unit", tags=["patrol"], summary="Read one unit", responses=UnitSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(self.shown([self.found(self.rows(), pk)])[0])


# --- people ------------------------------------------------------------------------------------------------------------------------------


class MemberSerializer(OfPlaceSerializer):
    """A person of the force. A key sees what they can do and where, not who they are."""

    service_number = serializers.SerializerMethodField(help_text="Null for keys.")
    name_en = serializers.SerializerMethodField(help_text="Null for keys.")
    name_ar = serializers.SerializerMethodField(help_text="Null for keys.")
    station = serializers.IntegerField(source="station_id", allow_null=True)
    skills = serializers.SlugRelatedField(slug_field="code", many=True, queryset=Skill.objects.none())
    is_on_duty = serializers.SerializerMethodField()
    is_active = serializers.BooleanField()
    is_synthetic = serializers.BooleanField()

    def _named(self, text: str) -> str | None:
        return None if self.context["is_key"] else text

    def get_service_number(self, member: Member) -> str | None:
        return self._named(member.service_number)

    def get_name_en(self, member: Member) -> str | None:
        return self._named(member.name_en)

    def get_name_ar(self, member: Member) -> str | None:
        return self._named(member.name_ar)

    def get_is_on_duty(self, member: Any) -> bool:
        return bool(member.open_duties)


class Members(ForceView):
    serializer_class = MemberSerializer

    def rows(self) -> Any:
        rows = Member.objects.visible_to(self.viewer).select_related("agency", "governorate").defer(_PLACE)
        return rows.prefetch_related("skills", Prefetch("duties", Duty.objects.open(), to_attr="open_duties"))


class MemberList(Members):
    @extend_schema(
        operation_id="list_members", tags=["patrol"], summary="List the people of the force", parameters=[PlaceAskedSerializer],
        responses=MemberSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(of_place(self.rows(), self.asked(PlaceAskedSerializer)))
        return self.get_paginated_response(MemberSerializer(page, many=True, context={"is_key": self.is_key}).data)


class MemberDetail(Members):
    @extend_schema(operation_id="read_member", tags=["patrol"], summary="Read one person of the force", responses=MemberSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(MemberSerializer(self.found(self.rows(), pk), context={"is_key": self.is_key}).data)


# --- shifts, roster, duties --------------------------------------------------------------------------------------------------------------


class ShiftSerializer(OfPlaceSerializer):
    pattern = serializers.CharField(source="pattern.code")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    is_synthetic = serializers.BooleanField()


class Shifts(ForceView):
    serializer_class = ShiftSerializer

    def rows(self) -> Any:
        return Shift.objects.visible_to(self.viewer).select_related("agency", "governorate", "pattern").defer(_PLACE)


class ShiftList(Shifts):
    @extend_schema(
        operation_id="list_shifts", tags=["patrol"], summary="List shifts, those made last first", parameters=[WindowAskedSerializer],
        responses=ShiftSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(WindowAskedSerializer)
        page: Any = self.paginate_queryset(in_window(of_place(self.rows(), asked), asked))
        return self.get_paginated_response(ShiftSerializer(page, many=True).data)


class ShiftDetail(Shifts):
    @extend_schema(operation_id="read_shift", tags=["patrol"], summary="Read one shift", responses=ShiftSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(ShiftSerializer(self.found(self.rows(), pk)).data)


class RosterAskedSerializer(WindowAskedSerializer):
    shift = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)
    unit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)
    member = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)


class RosterEntrySerializer(serializers.Serializer[RosterEntry]):
    id = serializers.IntegerField()
    shift = serializers.IntegerField(source="shift_id")
    member = serializers.IntegerField(source="member_id")
    unit = serializers.IntegerField(source="unit_id", allow_null=True, help_text="Null: in reserve or at a desk.")
    part = serializers.ChoiceField(choices=RosterEntry.Part.values)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    is_cancelled = serializers.BooleanField()


class Roster(ForceView):
    serializer_class = RosterEntrySerializer

    def rows(self) -> Any:
        return RosterEntry.objects.visible_to(self.viewer)


class DutyAskedSerializer(WindowAskedSerializer):
    open = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="Only those on duty now.")
    unit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PK)


class DutySerializer(OfPlaceSerializer):
    member = serializers.IntegerField(source="member_id", allow_null=True, help_text="Null: a unit with its crew unnamed.")
    unit = serializers.IntegerField(source="unit_id", allow_null=True, help_text="Null: at a desk.")
    roster_entry = serializers.IntegerField(source="roster_entry_id", allow_null=True)
    started_at = serializers.DateTimeField()
    expected_until = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    is_closed_by_time = serializers.SerializerMethodField(help_text="Nobody said when it ended; a sweep closed it.")
    is_over_rest = serializers.SerializerMethodField(help_text="Begun with too little rest, for a reason that is kept.")
    is_synthetic = serializers.BooleanField()

    def get_is_closed_by_time(self, duty: Duty) -> bool:
        return duty.ended_because == "time"

    def get_is_over_rest(self, duty: Duty) -> bool:
        return bool(duty.rest_override_reason)


class DutyList(ForceView):
    serializer_class = DutySerializer

    @extend_schema(
        operation_id="list_duties", tags=["patrol"], summary="List who was on duty when, newest first", parameters=[DutyAskedSerializer],
        responses=DutySerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(DutyAskedSerializer)
        rows = Duty.objects.visible_to(self.viewer).select_related("agency", "governorate").defer(_PLACE)
        rows = of_place(rows, asked)
        if asked.get("open"):
            rows = rows.open()
        if "unit" in asked:
            rows = rows.filter(unit_id=asked["unit"])
        if "start" in asked:
            rows = rows.exclude(ended_at__lte=asked["start"])
        if "end" in asked:
            rows = rows.filter(started_at__lt=asked["end"])
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(DutySerializer(page, many=True).data)
