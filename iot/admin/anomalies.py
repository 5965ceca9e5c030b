"""Anomalies in the command centre, and how each metric is judged."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, Ask, CentreAdmin, age, as_json, pill, severity_mark
from iot.admin.devices import OfDeviceAdmin
from iot.models import Anomaly, DetectorSetting
from iot.models.anomalies import SELECTABLE
from iot.services.anomalies import acknowledge_anomaly, judge_anomaly, resolve_anomaly
from iot.services.anomalies.words import why

STATE = {"open": "bad", "acknowledged": "busy", "resolved": "quiet"}
FEEDBACK = {"useful": "ok", "noise": "warn"}


class NoteForm(Ask):
    note = forms.CharField(
        label=gettext_lazy("Note"), widget=forms.Textarea(attrs={"rows": 3}), max_length=500, required=False
    )  # fmt: skip


class VerdictForm(NoteForm):
    verdict = forms.ChoiceField(label=gettext_lazy("It was"), choices=Anomaly.Feedback.choices, widget=forms.RadioSelect)
    field_order = ["verdict", "note"]


@admin.register(Anomaly)
class AnomalyAdmin(ActsOnRows, OfDeviceAdmin):
    list_display = ["severity_shown", "device_code", "metric", "detector", "in_words", "stands", "since", "feedback_shown"]
    list_filter = ["state", "severity", "detector", "feedback", "device__profile"]
    list_select_related = ["device", "datastream__metric"]
    search_fields = ["device__code", "device__name", "datastream__metric__code"]
    date_hierarchy = "raised_at"
    ordering = ["-raised_at"]
    actions = ["acknowledge", "judge", "resolve"]
    object_actions = ["acknowledge", "judge", "resolve"]
    readonly_fields = [
        "device_code", "metric", "detector", "severity_shown", "in_words", "stands", "began_at", "raised_at", "last_at", "ended_at",
        "because", "score", "count", "acknowledged_at", "acknowledged_by", "resolved_by", "resolved_note", "feedback_shown", "feedback_by",
        "feedback_at", "feedback_note", "numbers",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("device__location")

    def has_answer_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("answer_anomaly")

    @admin.display(description=gettext_lazy("severity"), ordering="severity")
    def severity_shown(self, anomaly: Anomaly) -> Any:
        return severity_mark(anomaly.severity, anomaly.get_severity_display())

    @admin.display(description=gettext_lazy("metric"), ordering="datastream__metric__code")
    def metric(self, anomaly: Anomaly) -> str:
        return anomaly.datastream.metric.name if anomaly.datastream is not None else "–"

    @admin.display(description=gettext_lazy("why"))
    def in_words(self, anomaly: Anomaly) -> str:
        return why(anomaly)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def stands(self, anomaly: Anomaly) -> Any:
        return pill(STATE[anomaly.state], anomaly.get_state_display())

    @admin.display(description=gettext_lazy("since"), ordering="began_at")
    def since(self, anomaly: Anomaly) -> Any:
        return age(anomaly.began_at)

    @admin.display(description=gettext_lazy("feedback"), ordering="feedback")
    def feedback_shown(self, anomaly: Anomaly) -> Any:
        return pill(FEEDBACK[anomaly.feedback], anomaly.get_feedback_display()) if anomaly.feedback else "–"

    @admin.display(description=gettext_lazy("evidence"))
    def numbers(self, anomaly: Anomaly) -> Any:
        return as_json(anomaly.evidence)

    @admin.action(description=gettext_lazy("Acknowledge…"), permissions=["answer"])
    def acknowledge(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            title=_("Acknowledge anomalies"),
            button=_("Acknowledge"),
            perform=lambda anomaly, _answers: acknowledge_anomaly(anomaly=anomaly, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d anomaly was acknowledged.", "%(n)d anomalies were acknowledged.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Resolve…"), permissions=["answer"])
    def resolve(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=NoteForm,
            title=_("Resolve anomalies"),
            button=_("Resolve"),
            note=_("The same finding comes back only when the readings have been good again."),
            perform=lambda anomaly, answers: resolve_anomaly(anomaly=anomaly, by=request.user, note=answers["note"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d anomaly was resolved.", "%(n)d anomalies were resolved.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Useful or noise…"), permissions=["answer"])
    def judge(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=VerdictForm,
            title=_("Were these anomalies useful?"),
            button=_("Say so"),
            note=_("It is counted for the detector. No threshold moves by itself: change the detector's settings where it is noise."),
            perform=lambda anomaly, answers: judge_anomaly(
                anomaly=anomaly,
                verdict=answers["verdict"],
                by=request.user,  # type: ignore[arg-type]
                note=answers["note"],
            ),
            done=lambda count: ngettext("%(n)d anomaly was judged.", "%(n)d anomalies were judged.", count) % {"n": count},
        )


class DetectorSettingForm(forms.ModelForm):
    detectors = forms.MultipleChoiceField(
        choices=[(one.value, one.label) for one in SELECTABLE],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=gettext_lazy("Detectors that are on"),
        help_text=gettext_lazy("None: this metric is not judged at all."),
    )

    class Meta:
        model = DetectorSetting
        fields = [
            "metric", "detectors", "high", "high_clear", "low", "low_clear", "sensitivity", "resolves", "open_after", "clear_after",
            "clear_after_s", "weight",
        ]  # fmt: skip


@admin.register(DetectorSetting)
class DetectorSettingAdmin(CentreAdmin):
    """Read by the watcher within half a minute."""

    form = DetectorSettingForm
    list_display = ["metric", "profile", "which", "high", "low", "sensitivity", "weight", "changed_at"]
    list_filter = ["metric__profile"]
    list_select_related = ["metric__profile"]
    search_fields = ["metric__code", "metric__name_en", "metric__name_ar", "metric__profile__code"]
    autocomplete_fields = ["metric"]
    ordering = ["metric__profile__code", "metric__code"]

    @admin.display(description=gettext_lazy("profile"), ordering="metric__profile__code")
    def profile(self, setting: DetectorSetting) -> str:
        return setting.metric.profile.name

    @admin.display(description=gettext_lazy("detectors that are on"))
    def which(self, setting: DetectorSetting) -> str:
        labels = dict(DetectorSettingForm.base_fields["detectors"].choices)  # type: ignore[attr-defined]
        return ", ".join(str(labels.get(name, name)) for name in setting.detectors) or "–"
