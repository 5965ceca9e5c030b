"""What the partner API says. Output only, each field named: the API is a promise."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from core.api.errors import FieldErrorSerializer
from incidents.lifecycle import Disposition, State
from incidents.models import Incident
from interop.models import InboxMessage, Precision
from interop.precision import told


class PointSerializer(serializers.Serializer[Any]):
    longitude = serializers.FloatField(source="x")
    latitude = serializers.FloatField(source="y")


class NamedSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name_en = serializers.CharField()
    name_ar = serializers.CharField()


class TypeSerializer(NamedSerializer):
    category = serializers.CharField()
    is_reviewed = serializers.BooleanField(help_text="False: a word first met in a feed, not yet mapped by anybody.")


class AddressSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(source="address")
    block = serializers.CharField(source="address_block")
    street = serializers.CharField(source="address_street")
    jadda = serializers.CharField(source="address_jadda")
    building = serializers.CharField(source="address_building")
    paci_number = serializers.CharField()


class IncidentTimesSerializer(serializers.Serializer[Any]):
    """Each time is the first; a state not passed yet has none."""

    occurred_at = serializers.DateTimeField()
    reported_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    classified_at = serializers.DateTimeField(allow_null=True)
    queued_at = serializers.DateTimeField(allow_null=True)
    dispatched_at = serializers.DateTimeField(allow_null=True)
    en_route_at = serializers.DateTimeField(allow_null=True)
    on_scene_at = serializers.DateTimeField(allow_null=True)
    cleared_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    reopened_at = serializers.DateTimeField(allow_null=True)


class IncidentSerializer(serializers.Serializer[Incident]):
    ref = serializers.CharField(help_text="The reference people read out.")
    url = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=State.choices)
    disposition = serializers.ChoiceField(choices=Disposition.choices, allow_blank=True, help_text="How it ended; empty while it is open.")
    is_open = serializers.BooleanField()
    priority = serializers.IntegerField(min_value=1, max_value=5, help_text="How fast: 1 is the most urgent.")
    severity = serializers.IntegerField(min_value=1, max_value=4, help_text="How bad: 4 is the worst.")
    origin = serializers.ChoiceField(choices=Incident.Origin.choices, help_text="Reported by the public, or discovered by officers.")
    is_synthetic = serializers.BooleanField(help_text="Made up, for demonstration.")
    type = TypeSerializer()
    agency = serializers.CharField(source="agency.slug")
    source = serializers.CharField(source="source.slug")  # type: ignore[assignment]
    description = serializers.CharField()
    location = PointSerializer(allow_null=True)
    governorate = NamedSerializer(allow_null=True)
    area = NamedSerializer(allow_null=True)
    block = NamedSerializer(allow_null=True)
    sector = NamedSerializer(allow_null=True)
    address = AddressSerializer(source="*")
    times = IncidentTimesSerializer(source="*")
    changed_at = serializers.DateTimeField()

    def get_url(self, incident: Incident) -> str:
        return incident_url(incident, self.context.get("request"))

    def to_representation(self, incident: Incident) -> dict[str, Any]:
        """A key of less than exact precision is told the place so, and nothing that would say more."""
        shown = super().to_representation(incident)
        precision = self.context.get("precision", Precision.EXACT)
        if precision != Precision.EXACT:
            point, area = incident.location, incident.area
            label = (area.label_point.x, area.label_point.y) if precision == Precision.AREA and area else None
            (place,) = told([(point.x, point.y) if point else None], [incident.region.metric_srid], [label], precision)
            shown["location"] = {"longitude": place[0], "latitude": place[1]} if place else None
            shown |= {"address": dict.fromkeys(shown["address"], ""), "description": "", "block": None, "sector": None}
        return shown


def incident_url(incident: Incident, request: Any) -> str:
    return str(reverse("api-incident", kwargs={"ref": incident.ref}, request=request))


class MessageStateSerializer(serializers.Serializer[Any]):
    """The message in our inbox."""

    id = serializers.IntegerField(help_text="Our number of the message.")
    message_id = serializers.CharField(help_text="Your id of it, or the one it was given.")
    status = serializers.ChoiceField(choices=InboxMessage.Status.choices)


class ReceiptSerializer(serializers.Serializer[Any]):
    """What became of a message. ``ref``, ``url`` and ``state`` are empty only while it is kept and not yet processed (202)."""

    outcome = serializers.ChoiceField(choices=["opened", "repeated", "kept"])
    ref = serializers.CharField(allow_blank=True, help_text="The incident's reference.")
    url = serializers.CharField(allow_blank=True, help_text="The incident's address; also in the Location header.")
    state = serializers.CharField(allow_blank=True, help_text="The incident's state now.")
    message = MessageStateSerializer()


class BatchRowSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Which row, counted from 0.")
    status = serializers.IntegerField(help_text="What a single message would have been answered with: 201, 200, 202, 409 or 422.")
    outcome = serializers.ChoiceField(choices=["opened", "repeated", "kept", "rejected"])
    ref = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True)
    message_id = serializers.CharField(allow_blank=True)
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]


class BatchReceiptSerializer(serializers.Serializer[Any]):
    """Each row's outcome, in the order they were sent."""

    opened = serializers.IntegerField()
    repeated = serializers.IntegerField()
    kept = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = BatchRowSerializer(many=True)
