"""Risk scores and crowds, as programs read them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from iot.analytics.risk import PARTS
from iot.models import CrowdResult


class RiskEvidenceSerializer(serializers.Serializer[Any]):
    """One thing that gives points: a device, or what it measured."""

    device = serializers.CharField(allow_blank=True, help_text="A device's code.")
    metric = serializers.CharField(allow_blank=True)
    anomaly = serializers.IntegerField(allow_null=True)
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Null while it goes on; from its end on it fades.")
    amount = serializers.FloatField(help_text="What it counted at first.")
    points = serializers.FloatField()


class RiskPartSerializer(serializers.Serializer[Any]):
    """A part of a score: `most` × (1 - exp(-`value` / (`scale` × spread)))."""

    name = serializers.ChoiceField(choices=PARTS)
    points = serializers.FloatField()
    most = serializers.FloatField(help_text="The points it can give.")
    value = serializers.FloatField(help_text="What is left of all its amounts.")
    scale = serializers.FloatField()
    half_life_s = serializers.FloatField()
    is_watched = serializers.BooleanField(help_text="False: no device here could tell of it.")
    evidence = RiskEvidenceSerializer(many=True)
    more = serializers.IntegerField(help_text="Things beyond those named.")


class RiskNoteSerializer(serializers.Serializer[Any]):
    """What is missing: `silent`, `too_little_crowd`, `too_little_motion`, with its figures."""

    code = serializers.CharField()
    sensors = serializers.IntegerField(required=False)
    devices = serializers.IntegerField(required=False)
    known = serializers.IntegerField(required=False)
    needs = serializers.IntegerField(required=False)


class RiskShortSerializer(serializers.Serializer[Any]):
    """The score of a zone from the sensors of one agency. A zone without sensors is in no list."""

    zone = serializers.CharField(source="zone.code")
    level = serializers.CharField(source="zone.level")
    name = serializers.CharField(source="zone.name", help_text="In the language of Accept-Language.")
    governorate = serializers.CharField(source="governorate.code")
    agency = serializers.CharField(source="agency.slug")
    at = serializers.DateTimeField()
    checked_at = serializers.DateTimeField(help_text="Looked at again then, and the same.")
    score = serializers.FloatField(allow_null=True, help_text="0 to 100; null where no sensor has said anything for a day.")
    points = serializers.DictField(child=serializers.FloatField(), help_text="By part.")
    devices = serializers.DictField(child=serializers.IntegerField(), help_text="In use, by kind.")
    heard = serializers.IntegerField(help_text="Of them, heard within a day.")
    notes = RiskNoteSerializer(many=True)
    is_synthetic = serializers.BooleanField()


class RiskMomentSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    score = serializers.FloatField(allow_null=True)
    points = serializers.DictField(child=serializers.FloatField())


class OtherRiskSerializer(serializers.Serializer[Any]):
    agency = serializers.CharField(source="agency.slug")
    score = serializers.FloatField(allow_null=True)


class RiskSerializer(RiskShortSerializer):
    parts = RiskPartSerializer(many=True)
    spread = serializers.FloatField(help_text="Times the scales: the root of the number of areas with sensors.")
    making = serializers.CharField(source="making.digest", help_text="Of the points, scales and half-lives it is made by.")
    digest = serializers.CharField(help_text="Of what it is made from.")
    others = OtherRiskSerializer(many=True, help_text="Scores of the same zone from other agencies' sensors you may see.")
    history = RiskMomentSerializer(many=True, help_text="Oldest first.")


class CrowdResultSerializer(serializers.Serializer[Any]):
    """Whether incidents follow unusual crowds. A ratio is no cause: a match brings both."""

    zone = serializers.CharField(source="zone.code")
    agency = serializers.CharField(source="agency.slug")
    type = serializers.CharField(source="type.code", allow_null=True, default=None, help_text="Null: incidents of all types together.")
    verdict = serializers.ChoiceField(choices=CrowdResult.Verdict.choices)
    why = serializers.ChoiceField(choices=CrowdResult.Why.choices, allow_blank=True)
    ratio = serializers.FloatField(allow_null=True, help_text="The rate in the hours after unusual crowds over that in other hours.")
    low = serializers.FloatField(allow_null=True, help_text="Of its 95 % interval.")
    high = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True)
    q = serializers.FloatField(allow_null=True, help_text="The false-discovery rate of calling it evidence, among all pairs judged.")
    after_crowds = serializers.IntegerField()
    other = serializers.IntegerField()
    hours_after = serializers.IntegerField()
    hours_other = serializers.IntegerField()
    expected = serializers.FloatField(help_text="Incidents after crowds at the rate of other hours.")
    weeks = serializers.IntegerField()
    lag_h = serializers.IntegerField()
    sensors = serializers.IntegerField()
    is_synthetic = serializers.BooleanField()


class CrowdRunSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    looked_at = serializers.IntegerField(help_text="Pairs of zone and type, of all agencies.")
    judged = serializers.IntegerField(help_text="Of them, with enough to judge.")
    found = serializers.IntegerField(help_text="Of these, with evidence.")
    settings = serializers.DictField()
    code_version = serializers.CharField()


class CrowdCorrelationSerializer(serializers.Serializer[Any]):
    zone = serializers.CharField()
    name = serializers.CharField()
    run = CrowdRunSerializer(allow_null=True, help_text="Null: no crowd sensor here has been looked at yet.")
    results = CrowdResultSerializer(many=True)
