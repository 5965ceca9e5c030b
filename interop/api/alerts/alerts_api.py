"""Alerts: lists, one with its timeline, those that stand on a map, how quickly they were answered; people acknowledge and act.

Keys read without people's names. A person sees what the queue shows them: one without alerts in their role, what they were paged for.
"""

from __future__ import annotations

from typing import Any

from django.contrib.gis.geos import Point
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Agency, User
from alerts.models import Alert, Contact, EscalationPolicy, Through
from alerts.services import alerts as life
from core.errors import Invalid
from geography.models import Zone
from interop.api.alerts.alerts_shapes import (
    AlertDetailSerializer,
    AlertNoteRequestSerializer,
    AlertResolveRequestSerializer,
    AlertsAskedSerializer,
    AlertSerializer,
    EscalateRequestSerializer,
    ManualAlertRequestSerializer,
    QuietRequestSerializer,
)
from interop.api.authentication import HasScope
from interop.api.patrol.force_kit import ForceView, of_place
from interop.api.trust import WritingIsForPeople
from interop.models import Scope

TAGS = ["alerts"]


class AlertsView(ForceView):
    permission_classes = [HasScope, WritingIsForPeople]
    scope = Scope.ALERTS_READ
    tells_places_exactly = True
    serializer_class = AlertSerializer
    queryset: Any = Alert.objects.none()

    def rows(self) -> Any:
        return Alert.objects.shown_to(self.viewer).for_card().select_related("incident__region")

    @property
    def told_to(self) -> dict[str, Any]:
        return {"names": not self.is_key, "viewer": self.viewer}

    def shown(self, pk: int, status: int = 200) -> Response:
        return Response(AlertDetailSerializer(self.found(self.rows(), pk), context=self.told_to).data, status=status)

    @property
    def person(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user


class AlertList(AlertsView):
    @extend_schema(
        operation_id="list_alerts", tags=TAGS, summary="List alerts, newest first", parameters=[AlertsAskedSerializer],
        responses=AlertSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(AlertsAskedSerializer)
        rows = of_place(self.rows(), asked)
        state = asked.get("state")
        if state in ("open", "quiet"):
            rows = rows.open() if state == "open" else rows.quiet()
        elif state:
            rows = rows.filter(state=state)
        for name, column in (("level", "level"), ("rule", "rule__code"), ("since", "opened_at__gte")):
            if name in asked:
                rows = rows.filter(**{column: asked[name]})
        if asked.get("mine") and not self.is_key:
            rows = rows.filter(pages__user=self.person).distinct()
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(AlertSerializer(page, many=True, context=self.told_to).data)

    @extend_schema(
        operation_id="raise_alert", tags=TAGS, summary="Raise an alert by hand and page the people named (people only)",
        request=ManualAlertRequestSerializer, responses={201: AlertDetailSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told, person = self.told(ManualAlertRequestSerializer), self.person
        place = Point(told["longitude"], told["latitude"], srid=4326) if "longitude" in told else None
        agencies = person.jurisdiction.agency_ids
        people = User.objects.filter(is_active=True) if agencies is None else User.objects.filter(is_active=True, agency_id__in=agencies)
        alert = life.raise_manual(
            by=person, title=told["title"], text=told["text"], level=told["level"],
            agency=_one(Agency.objects.all(), "agency", slug=told["agency"]),
            governorate=_one(Zone.objects.level("governorate"), "governorate", code=told["governorate"]) if "governorate" in told else None,
            zone=_one(Zone.objects.all(), "zone", code=told["zone"]) if "zone" in told else None, location=place,
            users=_all(people, "users", told["users"]),
            contacts=_all(Contact.objects.visible_to(person).filter(is_active=True), "contacts", told["contacts"]),
            channels=told["channels"],
            policy=_one(EscalationPolicy.objects.visible_to(person).active(), "policy", code=told["policy"]) if "policy" in told else None,
        )  # fmt: skip
        return self.shown(alert.pk, 201)


def _one(rows: Any, name: str, **wanted: str) -> Any:
    found = rows.filter(**wanted).first()
    if found is None:
        raise Invalid(_("There is no such thing."), fields={name: _("There is no such thing.")})
    return found


def _all(rows: Any, name: str, ids: list[int]) -> list[Any]:
    found = list(rows.filter(pk__in=ids))
    if len(found) != len(set(ids)):
        raise Invalid(_("There is no such thing."), fields={name: _("There is no such thing.")})
    return found


class AlertDetail(AlertsView):
    @extend_schema(
        operation_id="read_alert", tags=TAGS, summary="Read one alert with its timeline, its pages and their deliveries",
        responses=AlertDetailSerializer,
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        return self.shown(pk)


class AlertAcknowledge(AlertsView):
    @extend_schema(
        operation_id="acknowledge_alert", tags=TAGS, request=None, responses=AlertDetailSerializer,
        summary="Acknowledge: nobody else is paged (people only); twice is a conflict that names who was quicker",
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        life.acknowledge(alert=self.found(self.rows(), pk), by=self.person, through=Through.API)
        return self.shown(pk)


class AlertSnooze(AlertsView):
    @extend_schema(
        operation_id="snooze_alert", tags=TAGS, request=QuietRequestSerializer, responses=AlertDetailSerializer,
        summary="Snooze until then, a day at most; what is still wrong then fires again (people only)",
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        told = self.told(QuietRequestSerializer)
        life.snooze(alert=self.found(self.rows(), pk), by=self.person, until=told["until"], reason=told["reason"])
        return self.shown(pk)


class AlertMute(AlertsView):
    @extend_schema(
        operation_id="mute_alert", tags=TAGS, request=QuietRequestSerializer, responses=AlertDetailSerializer,
        summary="Mute by order until then, a week at most, with a reason (people only)",
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        told = self.told(QuietRequestSerializer)
        life.mute(alert=self.found(self.rows(), pk), by=self.person, until=told["until"], reason=told["reason"])
        return self.shown(pk)


class AlertEscalate(AlertsView):
    @extend_schema(
        operation_id="escalate_alert", tags=TAGS, request=EscalateRequestSerializer, responses=AlertDetailSerializer,
        summary="Take the next step of the escalation now (people only)",
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        reason = self.told(EscalateRequestSerializer)["reason"]
        life.escalate_now(alert=self.found(self.rows(), pk), by=self.person, reason=reason)
        return self.shown(pk)


class AlertResolve(AlertsView):
    @extend_schema(
        operation_id="resolve_alert", tags=TAGS, request=AlertResolveRequestSerializer, responses=AlertDetailSerializer,
        summary="Resolve, and say whether anybody needed it (people only)",
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        told = self.told(AlertResolveRequestSerializer)
        life.resolve(alert=self.found(self.rows(), pk), by=self.person, outcome=told["outcome"], was_needed=told["was_needed"])
        return self.shown(pk)


class AlertNote(AlertsView):
    @extend_schema(
        operation_id="note_alert", tags=TAGS, request=AlertNoteRequestSerializer, responses=AlertDetailSerializer,
        summary="Add a note to its timeline (people only)",
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        life.note(alert=self.found(self.rows(), pk), by=self.person, text=self.told(AlertNoteRequestSerializer)["text"])
        return self.shown(pk)
