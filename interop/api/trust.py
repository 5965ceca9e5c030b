"""The running score, and the models with their cards and switches. Keys read; switching is for people, by their session."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.jurisdiction import jurisdiction_of
from accounts.models import User
from geography.models import Region, Zone
from incidents.models import ModelCard, ModelChoice, ModelSwitch, Predicts, Surface
from incidents.services.trust.scoreboard import scoreboard
from incidents.services.trust.switches import known_models, switch_model
from interop.api.authentication import CALLERS, HasScope, viewer_of
from interop.models import PartnerKey, Scope

MOST_DAYS = 3_660


class WritingIsForPeople(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return True
        self.message = _("This is for people, not for keys.")
        self.code = "person_needed"
        return isinstance(request.user, User) and not isinstance(request.auth, PartnerKey)


class Trust(GenericAPIView[Any]):
    authentication_classes = CALLERS
    permission_classes = [HasScope, WritingIsForPeople]
    scope = Scope.FORECASTS_READ
    people_may_read = True
    pagination_class: Any = None
    serializer_class: Any = serializers.Serializer
    queryset = ModelCard.objects.none()

    def region(self) -> Region:
        code = self.request.query_params.get("region", "")[:16]
        rows = Region.objects.order_by("-is_default", "code")
        found = rows.filter(code=code).first() if code else rows.first()
        if found is None:
            raise Http404
        return found

    def governorate(self, region: Region | None, code: str) -> Zone:
        """A governorate by its code, of those the caller may see."""
        zones = Zone.objects.level(Zone.Level.GOVERNORATE).filter(code=code[:32]).defer("boundary").select_related("region")
        places = jurisdiction_of(viewer_of(self.request)).governorate_ids
        if region is not None:
            zones = zones.filter(region=region)
        if places is not None:
            zones = zones.filter(pk__in=sorted(places))
        found = zones.first()
        if found is None:
            raise Http404
        return found


REGION = OpenApiParameter("region", str, description="A region's code; the default region without it.")


# --- the running score --------------------------------------------------------------------------------------------------------------


class EstimateSerializer(serializers.Serializer[Any]):
    measure = serializers.CharField(help_text="Risk: `pai_1`, `pai_3`, `pai_5`. Forecast: `crps`, `error`.")
    ratio = serializers.FloatField(allow_null=True, help_text="Above 1 the model was ahead of the baseline.")
    low = serializers.FloatField(allow_null=True, help_text="Lower end, 95 %, over whole weeks; null with too few weeks.")
    high = serializers.FloatField(allow_null=True)


class AgainstSerializer(serializers.Serializer[Any]):
    baseline = serializers.CharField()
    standing = serializers.ChoiceField(choices=["won", "lost", "even", "early"])
    weeks = serializers.IntegerField()
    estimates = EstimateSerializer(many=True)
    figures = serializers.DictField(help_text="The baseline's own pooled figures.")


class LineSerializer(serializers.Serializer[Any]):
    predicts = serializers.ChoiceField(choices=Predicts.choices)
    level = serializers.CharField(help_text="Risk: the horizon. Forecast: the zones' level.")
    category = serializers.CharField(help_text="Empty: all together.")
    model = serializers.CharField()
    role = serializers.ChoiceField(choices=Surface.Role.choices)
    standing = serializers.ChoiceField(choices=["won", "lost", "even", "early"], help_text="Against the strongest baseline.")
    is_baseline = serializers.BooleanField(help_text="What is published is a baseline that stands in.")
    predictions = serializers.IntegerField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    figures = serializers.DictField()
    against = AgainstSerializer(many=True)
    is_synthetic = serializers.BooleanField()


class ScoreboardSerializer(serializers.Serializer[Any]):
    region = serializers.CharField()
    governorate = serializers.CharField(allow_null=True)
    predictions = serializers.IntegerField(help_text="Scores taken.")
    since = serializers.DateTimeField(allow_null=True)
    newest = serializers.DateTimeField(allow_null=True)
    first_due = serializers.DateTimeField(allow_null=True, help_text="With no score yet: when the first is due.")
    late_after_scoring = serializers.IntegerField(help_text="Incidents that came in after their time was scored; they change no score.")
    tally = serializers.DictField(child=serializers.IntegerField())
    is_synthetic = serializers.BooleanField()
    lines = LineSerializer(many=True)


class ScoreboardView(Trust):
    serializer_class = ScoreboardSerializer

    @extend_schema(
        operation_id="read_scoreboard",
        tags=["analysis"],
        summary="Read the running score of every model beside every baseline",
        parameters=[
            REGION,
            OpenApiParameter("governorate", str, description="A governorate's code: its own figures."),
            OpenApiParameter("days", int, description="Only predictions of so many days."),
            OpenApiParameter("rehearsal", bool, description="Looks back in place of predictions; never both in one figure."),
        ],
        responses=ScoreboardSerializer,
    )
    def get(self, request: Request) -> Response:
        region = self.region()
        code = request.query_params.get("governorate", "")
        zone = self.governorate(region, code) if code else None
        days = request.query_params.get("days", "")
        if days and not (days.isascii() and days.isdecimal() and 1 <= int(days[:6]) <= MOST_DAYS):
            raise ValidationError({"days": [_("From 1 to %(most)d days.") % {"most": MOST_DAYS}]})
        board = scoreboard(
            region=region, zone=zone, days=int(days) if days else None, rehearsal=request.query_params.get("rehearsal") in {"1", "true"}
        )
        body = {
            "region": region.code,
            "governorate": zone.code if zone else None,
            "late_after_scoring": board.late,
            "tally": board.tally(),
            "lines": [_line(line) for line in board.lines],
            **{name: getattr(board, name) for name in ("predictions", "since", "newest", "first_due", "is_synthetic")},
        }
        return Response(ScoreboardSerializer(body).data)


def _line(line: Any) -> dict[str, Any]:
    names = ("predicts", "level", "category", "model", "role", "is_baseline", "predictions", "since", "until", "figures")
    against = [
        {
            "baseline": item.baseline,
            "standing": item.verdict,
            "weeks": len(item.weeks),
            "figures": item.figures,
            "estimates": [
                {
                    "measure": f"pai_{measure}" if line.predicts == Predicts.RISK else measure,
                    "ratio": _finite(estimate.value),
                    "low": None if item.verdict == "early" else _finite(estimate.low),
                    "high": None if item.verdict == "early" else _finite(estimate.high),
                }
                for measure, estimate in item.estimates.items()
            ],
        }
        for item in line.against
    ]
    return {
        **{name: getattr(line, name) for name in names},
        "standing": line.verdict,
        "against": against,
        "is_synthetic": line.is_synthetic,
    }


def _finite(value: float) -> float | None:
    return round(value, 6) if value == value and abs(value) != float("inf") else None


# --- models --------------------------------------------------------------------------------------------------------------------------


class ChoiceSerializer(serializers.Serializer[ModelChoice]):
    predicts = serializers.ChoiceField(choices=Predicts.choices)
    level = serializers.CharField()
    category = serializers.CharField()
    champion = serializers.CharField()
    best_baseline = serializers.CharField()
    published = serializers.CharField(help_text="What the run published; a model switched off since then is not shown.")
    beats_baseline = serializers.BooleanField()
    reasons = serializers.JSONField()
    scores = serializers.JSONField()
    origins = serializers.IntegerField()
    is_synthetic = serializers.BooleanField()


class SwitchSerializer(serializers.Serializer[ModelSwitch]):
    is_on = serializers.BooleanField()
    reason = serializers.CharField()
    changed_at = serializers.DateTimeField(allow_null=True)


class ModelSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    switch = SwitchSerializer()
    card = serializers.SerializerMethodField(help_text="The newest card's facts, as its run stored them; null without one.")

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_card(self, found: Any) -> Any:
        return found["card"]


class ModelsSerializer(serializers.Serializer[Any]):
    region = serializers.CharField()
    published = ChoiceSerializer(many=True)
    models = ModelSerializer(many=True)


class SwitchRequestSerializer(serializers.Serializer[Any]):
    is_on = serializers.BooleanField()
    reason = serializers.CharField(max_length=400)


def _models(region: Region, only: str | None = None) -> list[dict[str, Any]]:
    names = [name for name in known_models() if only in (None, name)]
    switches = {row.model: row for row in ModelSwitch.objects.filter(model__in=names)}
    cards = ModelCard.objects.filter(region=region, model__in=names).order_by("model", "-run__as_of", "-id").distinct("model")
    facts = dict(cards.values_list("model", "facts"))
    on = {"is_on": True, "reason": "", "changed_at": None}
    return [{"model": name, "switch": switches.get(name, on), "card": facts.get(name)} for name in names]


class ModelsView(Trust):
    serializer_class = ModelsSerializer

    @extend_schema(
        operation_id="list_models", tags=["analysis"], summary="What is published now, and every model with its card and switch",
        parameters=[REGION], responses=ModelsSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        region = self.region()
        published = ModelChoice.objects.filter(region=region, is_current=True).order_by("predicts", "category", "level")
        return Response(ModelsSerializer({"region": region.code, "published": published, "models": _models(region)}).data)


class ModelView(Trust):
    serializer_class = ModelSerializer

    @extend_schema(operation_id="read_model", tags=["analysis"], summary="Read one model's card and switch", parameters=[REGION])
    def get(self, request: Request, model: str) -> Response:
        found = _models(self.region(), only=model)
        if not found:
            raise Http404
        return Response(ModelSerializer(found[0]).data)


class ModelSwitchView(Trust):
    serializer_class = SwitchSerializer

    @extend_schema(
        operation_id="switch_model", tags=["analysis"], summary="Switch a model off or on for the whole nation (people only)",
        request=SwitchRequestSerializer, responses=SwitchSerializer,
    )  # fmt: skip
    def post(self, request: Request, model: str) -> Response:
        given = SwitchRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        told = given.validated_data
        made = switch_model(model=model, on=told["is_on"], by=request.user, reason=told["reason"])  # type: ignore[arg-type]
        return Response(SwitchSerializer(made).data)
