"""The shapes of alerts in the API: what is told, and what is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alerts.models import Alert, AlertLog, AlertState, Channel, Delivery, EscalationRun, Level, Page
from alerts.services import whys
from alerts.services.why import why_of
from core.api.fields import Moment
from interop.api.patrol.force_kit import PlaceAskedSerializer
from interop.api.patrol.force_writes import Key
from interop.api.serializers import PointSerializer


class AlertSerializer(serializers.Serializer[Alert]):
    id = serializers.IntegerField()
    key = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Alert.Kind.choices)
    state = serializers.ChoiceField(choices=AlertState.choices)
    is_quiet = serializers.SerializerMethodField(help_text="Open, but paging nobody for now: snoozed, muted, silenced or inhibited.")
    level = serializers.ChoiceField(choices=Level.choices)
    title_en = serializers.CharField()
    title_ar = serializers.CharField()
    text = serializers.CharField()
    rule = serializers.CharField(source="rule.code", allow_null=True, default=None)
    rule_version = serializers.IntegerField(allow_null=True)
    agency = serializers.CharField(source="agency.slug", allow_null=True, default=None)
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    zone = serializers.CharField(source="zone.code", allow_null=True, default=None)
    location = PointSerializer(allow_null=True)
    type_code = serializers.CharField()
    category = serializers.CharField()
    measure = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    occurrences = serializers.IntegerField(source="occurrence_count")
    caused_at = serializers.DateTimeField()
    opened_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_through = serializers.CharField()
    acknowledged_by = serializers.SerializerMethodField(help_text="Empty for a key.")
    snoozed_until = serializers.DateTimeField(allow_null=True)
    muted_until = serializers.DateTimeField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_because = serializers.CharField()
    outcome = serializers.CharField()
    was_needed = serializers.BooleanField(allow_null=True)
    resolve_due_at = serializers.DateTimeField()
    is_synthetic = serializers.BooleanField()

    @extend_schema_field(serializers.BooleanField())
    def get_is_quiet(self, alert: Alert) -> bool:
        now = timezone.now()
        timed = any(until is not None and until > now for until in (alert.snoozed_until, alert.muted_until))
        return alert.is_open and (timed or alert.silenced_by_id is not None or alert.inhibited_by_id is not None)

    @extend_schema_field(serializers.CharField())
    def get_acknowledged_by(self, alert: Alert) -> str:
        return str(alert.acknowledged_by or alert.acknowledged_by_contact or "") if self.context.get("names") else ""


class AlertLineSerializer(serializers.Serializer[AlertLog]):
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=AlertLog.Kind.choices)
    through = serializers.CharField()
    by = serializers.SerializerMethodField(help_text="Empty for a key, and for what the system did.")
    note = serializers.SerializerMethodField(help_text="Empty for a key.")

    @extend_schema_field(serializers.CharField())
    def get_by(self, row: AlertLog) -> str:
        return str(row.by or "") if self.context.get("names") else ""

    @extend_schema_field(serializers.CharField())
    def get_note(self, row: AlertLog) -> str:
        return row.note if self.context.get("names") else ""


class AlertWaySerializer(serializers.Serializer[Delivery]):
    channel = serializers.ChoiceField(choices=Channel.choices)
    state = serializers.CharField()
    handed_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)
    attempts = serializers.IntegerField()


class AlertPageSerializer(serializers.Serializer[Page]):
    who = serializers.SerializerMethodField(help_text="Empty for a key.")
    why = serializers.SerializerMethodField(help_text="Why this person, in the caller's language. Empty for a key.")
    why_code = serializers.SerializerMethodField(help_text="schedule, team, role, command, operations, fallback, policy, alert, …")
    state = serializers.ChoiceField(choices=Page.State.choices)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    deliveries = AlertWaySerializer(many=True)

    @extend_schema_field(serializers.CharField())
    def get_who(self, page: Page) -> str:
        return str(page.user or page.contact) if self.context.get("names") else ""

    @extend_schema_field(serializers.CharField())
    def get_why(self, page: Page) -> str:
        return whys.of(page) if self.context.get("names") else ""

    @extend_schema_field(serializers.CharField())
    def get_why_code(self, page: Page) -> str:
        return str(page.because.get("code", ""))


class AlertDetailSerializer(AlertSerializer):
    facts = serializers.SerializerMethodField(help_text="Why it fired: window, counts, trend, modifiers in force.")
    why_en = serializers.SerializerMethodField(help_text="Why it fired, in sentences.")
    why_ar = serializers.SerializerMethodField()
    incident = serializers.SerializerMethodField(help_text="Its reference, where the caller sees it.")
    next_step_at = serializers.SerializerMethodField(help_text="When somebody is told next, if nobody acknowledges.")
    log = serializers.SerializerMethodField()
    pages = serializers.SerializerMethodField()

    @extend_schema_field(serializers.JSONField())
    def get_facts(self, alert: Alert) -> Any:
        return alert.facts if self.context.get("names") or alert.kind != Alert.Kind.MANUAL else {}

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_why_en(self, alert: Alert) -> list[str]:
        with translation.override("en"):
            return why_of(alert)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_why_ar(self, alert: Alert) -> list[str]:
        with translation.override("ar"):
            return why_of(alert)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_incident(self, alert: Alert) -> str | None:
        viewer, incident = self.context["viewer"], alert.incident
        if incident is None or not type(incident).objects.visible_to(viewer).filter(pk=incident.pk).exists():
            return None
        return incident.ref

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_step_at(self, alert: Alert) -> datetime | None:
        if alert.state != AlertState.FIRING:
            return None
        return EscalationRun.objects.filter(alert=alert, state="running").values_list("next_at", flat=True).first()

    @extend_schema_field(AlertLineSerializer(many=True))
    def get_log(self, alert: Alert) -> Any:
        rows: Any = alert.log.select_related("by")
        return AlertLineSerializer(rows, many=True, context=self.context).data

    @extend_schema_field(AlertPageSerializer(many=True))
    def get_pages(self, alert: Alert) -> Any:
        pages: Any = alert.pages.select_related("user", "contact").prefetch_related("deliveries").order_by("id")
        return AlertPageSerializer(pages, many=True, context=self.context).data


class AlertsAskedSerializer(PlaceAskedSerializer):
    state = serializers.ChoiceField(choices=["open", "quiet", *AlertState.values], required=False)
    level = serializers.ChoiceField(choices=Level.choices, required=False)
    rule = serializers.SlugField(required=False, max_length=64, help_text="Its code.")
    mine = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Only those that page the caller (people only)."
    )
    since = Moment(required=False, help_text="Those that fired at or after it.")


class QuietRequestSerializer(serializers.Serializer[Any]):
    until = Moment()
    reason = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")


class EscalateRequestSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400)


class AlertNoteRequestSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=400)


class AlertResolveRequestSerializer(serializers.Serializer[Any]):
    outcome = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")
    was_needed = serializers.BooleanField(required=False, allow_null=True, default=None)


class ManualAlertRequestSerializer(serializers.Serializer[Any]):
    """Whoever is named is paged at once. A policy goes on from there."""

    title = serializers.CharField(max_length=200)
    text = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    level = serializers.ChoiceField(choices=Level.choices)
    agency = serializers.SlugField(max_length=32)
    governorate = serializers.CharField(max_length=32, required=False, help_text="Its code.")
    zone = serializers.CharField(max_length=64, required=False, help_text="Its code.")
    longitude = serializers.FloatField(required=False, min_value=-180, max_value=180)
    latitude = serializers.FloatField(required=False, min_value=-90, max_value=90)
    users = serializers.ListField(child=Key(), required=False, max_length=200, default=list)
    contacts = serializers.ListField(child=Key(), required=False, max_length=200, default=list)
    channels = serializers.ListField(child=serializers.ChoiceField(choices=Channel.choices), required=False, default=list)
    policy = serializers.SlugField(max_length=64, required=False, help_text="Its code.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("longitude" in given) != ("latitude" in given):
            raise serializers.ValidationError({"latitude": _("Give both, or neither.")})
        return given
