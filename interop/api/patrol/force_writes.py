"""What people change of the force by their session: shifts, the roster, duty, zones of teams. Each is one verb of a service."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.validators import MinValueValidator
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Day, Moment
from geography.models import Zone
from interop.api.patrol.force_kit import MAX_PK, ForceView, in_window, of_place
from interop.api.patrol.force_lists import (
    DutySerializer,
    Roster,
    RosterAskedSerializer,
    RosterEntrySerializer,
    ShiftSerializer,
    ZoneOfTeamSerializer,
)
from patrol.models import Duty, Member, RosterEntry, Shift, Team, Unit, ZoneAssignment
from patrol.services.acting import MAX_REASON
from patrol.services.duty import go_off_duty, go_on_duty
from patrol.services.roster import move_on_roster, put_on_roster, take_off_roster
from patrol.services.shifts import MOST_DAYS, make_shifts
from patrol.services.zones import assign_zone, withdraw_zone


class Key(serializers.IntegerField):
    def __init__(self, **more: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_PK, **more)


class ReasonRequestSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=MAX_REASON)


# --- shifts ------------------------------------------------------------------------------------------------------------------------------


class MakeShiftsRequestSerializer(serializers.Serializer[Any]):
    agency = serializers.SlugField(max_length=32)
    governorate = serializers.CharField(max_length=32, help_text="Its code.")
    first_day = Day(validators=[MinValueValidator(date(2000, 1, 1))])
    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS)


class ShiftMake(ForceView):
    serializer_class = ShiftSerializer

    @extend_schema(
        operation_id="make_shifts", tags=["patrol"], summary="Make shifts from the agency's patterns; those that exist stay (people only)",
        request=MakeShiftsRequestSerializer, responses=ShiftSerializer(many=True),
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(MakeShiftsRequestSerializer)
        agency, governorate = self.owner(told["agency"], told["governorate"])
        assert governorate is not None
        made = make_shifts(
            governorate=governorate, agency=agency, first_day=told["first_day"], days=told["days"], by=self.viewer
        )  # fmt: skip
        rows = Shift.objects.filter(pk__in=[shift.pk for shift in made]).select_related("agency", "governorate", "pattern")
        return Response(ShiftSerializer(rows.defer("governorate__boundary").order_by("starts_at"), many=True).data)


# --- roster ------------------------------------------------------------------------------------------------------------------------------


class RosterRequestSerializer(serializers.Serializer[Any]):
    shift = Key()
    member = Key()
    unit = Key(required=False, allow_null=True, default=None)
    part = serializers.ChoiceField(choices=RosterEntry.Part.values, required=False, default=RosterEntry.Part.CREW)
    starts_at = Moment(required=False, allow_null=True, default=None, help_text="The shift's without it.")
    ends_at = Moment(required=False, allow_null=True, default=None)
    rest_override_reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=MAX_REASON, help_text="Needed where the rest before or after is too short."
    )


class RosterList(Roster):
    @extend_schema(
        operation_id="list_roster", tags=["patrol"], summary="List who works which shift on which unit", parameters=[RosterAskedSerializer],
        responses=RosterEntrySerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(RosterAskedSerializer)
        rows = in_window(of_place(self.rows().standing(), asked, prefix="shift__"), asked)
        rows = rows.filter(**{f"{name}_id": asked[name] for name in ("shift", "unit", "member") if name in asked})
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(RosterEntrySerializer(page, many=True).data)

    @extend_schema(
        operation_id="put_on_roster", tags=["patrol"], summary="Put a person on a shift; asking twice changes nothing (people only)",
        request=RosterRequestSerializer, responses={201: RosterEntrySerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(RosterRequestSerializer)
        shifts = Shift.objects.visible_to(self.viewer).select_related("governorate__region", "pattern")
        unit = told.pop("unit")
        entry = put_on_roster(
            shift=self.found(shifts, told.pop("shift")),
            member=self.found(Member.objects.visible_to(self.viewer), told.pop("member")),
            unit=self.found(Unit.objects.visible_to(self.viewer), unit) if unit is not None else None,
            by=self.viewer,
            **told,
        )
        return Response(RosterEntrySerializer(entry).data, status=201)


class MoveRequestSerializer(ReasonRequestSerializer):
    unit = Key(allow_null=True, help_text="Null: to the reserve.")
    part = serializers.ChoiceField(choices=RosterEntry.Part.values)


class RosterMove(Roster):
    @extend_schema(
        operation_id="move_on_roster", tags=["patrol"], summary="Put somebody of a shift on another unit or in another part (people only)",
        request=MoveRequestSerializer, responses=RosterEntrySerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        entry = self.found(self.rows().select_related("shift"), pk)
        told = self.told(MoveRequestSerializer)
        unit = self.found(Unit.objects.visible_to(self.viewer), told["unit"]) if told["unit"] is not None else None
        done = move_on_roster(entry=entry, unit=unit, part=told["part"], by=self.viewer, reason=told["reason"])
        return Response(RosterEntrySerializer(done).data)


class RosterTakeOff(Roster):
    @extend_schema(
        operation_id="take_off_roster", tags=["patrol"], summary="Take somebody off a shift (people only)",
        request=ReasonRequestSerializer, responses=RosterEntrySerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        entry = self.found(self.rows().select_related("shift", "member"), pk)
        reason = self.told(ReasonRequestSerializer)["reason"]
        return Response(RosterEntrySerializer(take_off_roster(entry=entry, by=self.viewer, reason=reason)).data)


# --- duty --------------------------------------------------------------------------------------------------------------------------------


class DutyRequestSerializer(serializers.Serializer[Any]):
    member = Key(required=False, allow_null=True, default=None, help_text="Without it and without `unit`: the caller.")
    unit = Key(required=False, allow_null=True, default=None)
    at = Moment(required=False, allow_null=True, default=None, help_text="When it happened; at most a day ago.")


class OnDutyRequestSerializer(DutyRequestSerializer):
    rest_override_reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)


class OffDutyRequestSerializer(DutyRequestSerializer):
    hand_over_to = Key(required=False, allow_null=True, default=None, help_text="The unit that takes what is still open.")
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)


class DutyView(ForceView):
    serializer_class = DutySerializer

    def who(self, told: dict[str, Any]) -> dict[str, Any]:
        units, members = Unit.objects.visible_to(self.viewer), Member.objects.visible_to(self.viewer)
        unit_id, member_id = told.pop("unit"), told.pop("member")
        unit = self.found(units, unit_id) if unit_id is not None else None
        if member_id is not None:
            return {"member": self.found(members, member_id), "unit": unit}
        if unit is not None and self.viewer.can("dispatch"):
            return {"unit": unit}
        own = members.filter(user_id=self.viewer.pk).first()
        if own is None:
            raise Http404
        return {"member": own, "unit": unit}

    def shown(self, duty: Duty, status: int = 200) -> Response:
        row = Duty.objects.select_related("agency", "governorate").defer("governorate__boundary").get(pk=duty.pk)
        return Response(DutySerializer(row).data, status=status)


class DutyOn(DutyView):
    @extend_schema(
        operation_id="go_on_duty", tags=["patrol"], summary="Go on duty, or put somebody or a unit on duty (people only)",
        request=OnDutyRequestSerializer, responses={201: DutySerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(OnDutyRequestSerializer)
        return self.shown(go_on_duty(**self.who(told), by=self.viewer, **told), 201)


class DutyOff(DutyView):
    @extend_schema(
        operation_id="go_off_duty", tags=["patrol"], summary="Go off duty; refused while the unit has open assignments (people only)",
        request=OffDutyRequestSerializer, responses=DutySerializer,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(OffDutyRequestSerializer)
        to_id = told.pop("hand_over_to")
        to_unit = self.found(Unit.objects.visible_to(self.viewer), to_id) if to_id is not None else None
        return self.shown(go_off_duty(**self.who(told), by=self.viewer, hand_over_to=to_unit, **told))


# --- zones of teams ----------------------------------------------------------------------------------------------------------------------


class AssignRequestSerializer(serializers.Serializer[Any]):
    team = Key()
    zone = Key(help_text="The id of a zone in the team's governorate.")
    starts_at = Moment()
    ends_at = Moment()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)


class TeamAssign(ForceView):
    serializer_class = ZoneOfTeamSerializer

    @extend_schema(
        operation_id="assign_team", tags=["patrol"], summary="Give a team a zone to answer for (people only)",
        request=AssignRequestSerializer, responses={201: ZoneOfTeamSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(AssignRequestSerializer)
        zones = Zone.objects.in_use().among(self.viewer.jurisdiction.governorate_ids).select_related("parent")
        made = assign_zone(
            team=self.found(Team.objects.visible_to(self.viewer), told.pop("team")),
            zone=self.found(zones.defer("boundary", "parent__boundary"), told.pop("zone")),
            by=self.viewer,
            **told,
        )
        return Response(ZoneOfTeamSerializer(made).data, status=201)


class TeamZoneWithdraw(ForceView):
    serializer_class = ZoneOfTeamSerializer

    @extend_schema(
        operation_id="withdraw_team_zone", tags=["patrol"], summary="End it before its time (people only)",
        request=ReasonRequestSerializer, responses=ZoneOfTeamSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        rows = ZoneAssignment.objects.visible_to(self.viewer).select_related("team", "zone").defer("zone__boundary")
        reason = self.told(ReasonRequestSerializer)["reason"]
        return Response(ZoneOfTeamSerializer(withdraw_zone(assignment=self.found(rows, pk), by=self.viewer, reason=reason)).data)
