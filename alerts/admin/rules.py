"""The command centre's screens of rules, their versions, changes and replays, and of special periods."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alerts.models import AlertRule, RuleProposal, RuleReplay, RuleVersion, SpecialPeriod
from alerts.services.rules import (
    activate_rule,
    change_rule,
    create_rule,
    newest,
    newest_number,
    send_back_rule,
    submit_rule,
    switch_off_rule,
)
from alerts.services.rules.checking import look_over
from alerts.services.rules.content import KEYS
from alerts.services.rules.files import export_rules
from alerts.services.rules.replay import DAYS, replay
from alerts.services.rules.replay_words import in_words, warnings
from alerts.services.rules.words import preview
from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, ReadOnlyInline, ReasonForm, age, as_json, bdi, pill
from core.errors import DomainError

_PILLS = {"active": "ok", "waiting": "warn", "draft": "quiet", "off": "bad"}


class RuleAdminForm(forms.ModelForm):
    """The words of a rule as its columns. What they come to is judged by the services when it is saved."""

    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = AlertRule
        fields = list(KEYS)
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2}),
            **{name: forms.Textarea(attrs={"rows": 4, "dir": "ltr"}) for name in ("condition", "levels", "modifiers")},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.fields["seen_version"].initial = self.instance.version
            if "code" in self.fields:
                self.fields["code"].disabled = True

    @property
    def said(self) -> dict[str, Any]:
        """In the words of the rules' file."""
        given = {key: self.cleaned_data.get(key) for key in KEYS}
        given["agency"] = given["agency"].slug if given["agency"] is not None else None
        given["policy"] = given["policy"].code if given["policy"] is not None else None
        return {key: value for key, value in given.items() if value not in (None, "")}


class ReplayForm(Ask):
    days = forms.TypedChoiceField(coerce=int, choices=[(days, days) for days in DAYS], initial=30, label=gettext_lazy("Days back"))


class VersionInline(ReadOnlyInline):
    model = RuleVersion
    fields = ["number", "made_at", "made_by", "reason"]
    verbose_name_plural = gettext_lazy("versions")


class ReplayInline(ReadOnlyInline):
    model = RuleReplay
    fields = ["version", "days", "until", "alert_count", "asked_by", "seconds"]
    verbose_name_plural = gettext_lazy("replays")


@admin.register(AlertRule)
class AlertRuleAdmin(ActsOnRows, CentreAdmin):
    form = RuleAdminForm
    audits_itself = True
    list_display = ["code", "name_shown", "source", "state_shown", "version", "priority", "agency", "policy", "changed_shown"]
    list_filter = ["state", "source", "agency"]
    list_select_related = ["agency", "policy", "proposal"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["code"]
    readonly_fields = ["told", "found", "looked_back", "state", "version", "submitted_by", "submitted_at", "activated_by", "activated_at"]
    inlines = [VersionInline, ReplayInline]
    actions: Any = ["submit", "activate", "send_back", "switch_off", "look_back", "as_file"]
    object_actions = ["submit", "activate", "send_back", "switch_off", "look_back", "as_file"]
    fieldsets = [
        (None, {"fields": ["told", "found", "looked_back"]}),
        (gettext_lazy("Name"), {"fields": ["seen_version", "code", "name_en", "name_ar", "description", "agency"]}),
        (
            gettext_lazy("When"),
            {"fields": ["source", "condition", "agencies", "governorates", "zones", "types", "categories", "least_severity"]},
        ),
        (gettext_lazy("How bad it is"), {"fields": ["levels", "level", "trend_at_least", "modifiers"]}),
        (
            gettext_lazy("How often"),
            {"fields": ["group_by", "group_window_min", "cooldown_zone_min", "cooldown_type_min", "most_per_hour"]},
        ),
        (gettext_lazy("Who is told, and until when"), {"fields": ["policy", "priority", "resolves_by_recovery", "resolve_after_min"]}),
        (
            gettext_lazy("Switching on"),
            {"fields": ["state", "version", "submitted_by", "submitted_at", "activated_by", "activated_at"]},
        ),
    ]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> AlertRule | None:
        """As its newest version says it: what the form shows is what the next change starts from."""
        found: AlertRule | None = super().get_object(request, object_id, from_field)
        return newest(found) if found is not None else None

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fieldsets(request, obj) if obj is not None else self.fieldsets[1:-1]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else []

    def save_model(self, request: Any, obj: AlertRule, form: Any, change: bool) -> None:
        if change:
            rule = AlertRule.objects.get(pk=obj.pk)
            change_rule(rule=rule, data=form.said, version=form.cleaned_data.get("seen_version") or 0, by=request.user)
        else:
            obj.pk = create_rule(data=form.said, by=request.user).pk
            obj._state.adding = False
        self._look_back(request, AlertRule.objects.get(pk=obj.pk), 7)

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """Versions and replays are written by the services."""

    def _look_back(self, request: HttpRequest, rule: AlertRule, days: int) -> None:
        try:
            made = replay(rule=rule, days=days, by=request.user)  # type: ignore[arg-type]
        except DomainError as error:
            messages.warning(request, error.message)
            return
        messages.info(request, " ".join(in_words(made)))
        for text in (*warnings(made), *(each.text for each in look_over(newest(rule)))):
            messages.warning(request, text)

    # -- how it looks -----------------------------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("name"), ordering="name_en")
    def name_shown(self, rule: AlertRule) -> Any:
        return bdi(rule.name)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, rule: AlertRule) -> Any:
        shown = pill(_PILLS.get(rule.state, "plain"), rule.get_state_display())
        if getattr(rule, "proposal", None) is None:
            return shown
        return format_html("{} {}", shown, pill("warn", _("a change waits")))

    @admin.display(description=gettext_lazy("changed"), ordering="changed_at")
    def changed_shown(self, rule: AlertRule) -> Any:
        return age(rule.changed_at)

    @admin.display(description=gettext_lazy("in plain words"))
    def told(self, rule: AlertRule) -> Any:
        said = preview(rule)
        page = format_html('<p><a href="{}">{}</a></p>', reverse("rules-one", args=[rule.pk]), _("Its page, with the chart of its replay"))
        return format_html(
            '<div dir="ltr" lang="en">{}</div><div dir="rtl" lang="ar">{}</div>{}', _paragraphs(said["en"]), _paragraphs(said["ar"]), page
        )

    @admin.display(description=gettext_lazy("to be looked at"))
    def found(self, rule: AlertRule) -> Any:
        return _paragraphs([each.text for each in look_over(rule)]) or "–"

    @admin.display(description=gettext_lazy("newest replay of this version"))
    def looked_back(self, rule: AlertRule) -> Any:
        kept = RuleReplay.objects.filter(rule_id=rule.pk, version=rule.version).first()
        return _paragraphs(in_words(kept)) if kept is not None else _("None yet: without one nobody can switch it on.")

    # -- verbs --------------------------------------------------------------------------------------------------------------------

    def has_draft_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("draft_rule")

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("activate_rule")

    @admin.action(description=gettext_lazy("Submit to a second person…"), permissions=["draft"])
    def submit(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset,
            title=_("Submit rules"), button=_("Submit"), note=_("A second person switches them on."),
            perform=lambda rule, answers: submit_rule(rule=rule, version=newest_number(rule), by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d was submitted.", "%(n)d were submitted.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Switch on…"), permissions=["activate"])
    def activate(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset,
            title=_("Switch rules on"), button=_("Switch on"), is_grave=True,
            note=_("Only what somebody else submitted and whose newest version has been replayed."),
            perform=lambda rule, answers: activate_rule(rule=rule, version=newest_number(rule), by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d was switched on.", "%(n)d were switched on.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Send back…"), permissions=["draft"])
    def send_back(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, form=ReasonForm,
            title=_("Send rules back"), button=_("Send back"), note=_("They become drafts again."),
            perform=lambda rule, answers: send_back_rule(
                rule=rule, version=newest_number(rule), by=request.user, reason=answers["reason"][:400]  # type: ignore[arg-type]
            ),
            done=lambda count: ngettext("%(n)d was sent back.", "%(n)d were sent back.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Switch off…"), permissions=["activate"])
    def switch_off(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, form=ReasonForm,
            title=_("Switch rules off"), button=_("Switch off"), is_grave=True,
            note=_("From now on they make no alert. Open ones stay open."),
            perform=lambda rule, answers: switch_off_rule(rule=rule, by=request.user, reason=answers["reason"][:400]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d was switched off.", "%(n)d were switched off.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Replay…"), permissions=["draft"])
    def look_back(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, form=ReplayForm,
            title=_("Replay rules"), button=_("Look back"), note=_("What the newest version would have done. Nobody is paged."),
            perform=lambda rule, answers: messages.info(
                request, f"{rule}: {' '.join(in_words(replay(rule=rule, days=answers['days'], by=request.user)))}"  # type: ignore[arg-type]
            ),
            done=lambda count: ngettext("%(n)d was replayed.", "%(n)d were replayed.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Export as YAML"), permissions=["view"])
    def as_file(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse:
        response = HttpResponse(export_rules(queryset.select_related("agency", "policy")), content_type="application/yaml; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="alert-rules.yaml"'
        return response


@admin.register(RuleProposal)
class RuleProposalAdmin(ReadOnlyAdmin):
    list_display = ["rule", "number", "changed_by", "changed_at", "submitted_by", "submitted_at"]
    list_select_related = ["rule", "changed_by", "submitted_by"]
    search_fields = ["rule__code"]
    ordering = ["-changed_at"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.filter(rule__in=AlertRule.objects.visible_to(viewer))
        return found


@admin.register(RuleVersion)
class RuleVersionAdmin(ReadOnlyAdmin):
    list_display = ["rule", "number", "made_at", "made_by", "reason"]
    list_select_related = ["rule", "made_by"]
    search_fields = ["rule__code"]
    ordering = ["-id"]
    exclude = ["content"]
    readonly_fields = ["content_shown"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.filter(rule__in=AlertRule.objects.visible_to(viewer))
        return found

    @admin.display(description=gettext_lazy("content"))
    def content_shown(self, row: RuleVersion) -> Any:
        return as_json(row.content)


@admin.register(RuleReplay)
class RuleReplayAdmin(ReadOnlyAdmin):
    list_display = ["rule", "version", "days", "until", "alert_count", "asked_by", "seconds"]
    list_select_related = ["rule", "asked_by"]
    search_fields = ["rule__code"]
    ordering = ["-id"]
    exclude = ["result"]
    readonly_fields = ["told", "result_shown"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.filter(rule__in=AlertRule.objects.visible_to(viewer))
        return found

    @admin.display(description=gettext_lazy("in plain words"))
    def told(self, row: RuleReplay) -> Any:
        return _paragraphs(in_words(row))

    @admin.display(description=gettext_lazy("result"))
    def result_shown(self, row: RuleReplay) -> Any:
        return as_json(row.result)


@admin.register(SpecialPeriod)
class SpecialPeriodAdmin(CentreAdmin):
    list_display = ["code", "name_shown", "kind", "starts_on", "ends_on"]
    list_filter = ["kind"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["starts_on"]

    @admin.display(description=gettext_lazy("name"), ordering="name_en")
    def name_shown(self, period: SpecialPeriod) -> Any:
        return bdi(period.name)


def _paragraphs(sentences: list[str]) -> Any:
    return format_html_join("", "<p>{}</p>", ((each,) for each in sentences))
