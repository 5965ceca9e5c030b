"""Webhooks, their health, and the log of what was sent. A secret is shown once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from accounts.jurisdiction import of_agencies
from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, ReadOnlyInline, age, as_json, bdi, pill, shown_once
from interop.models import ErrorClass, WebhookAttempt, WebhookDelivery, WebhookSecret, WebhookSubscription
from interop.services import webhooks
from interop.services.webhooks.secrets import MOST_OVERLAP_H, OVERLAP_H

State = WebhookSubscription.State
DELIVERY_KIND = {"pending": "busy", "delivered": "ok", "failed": "bad", "cancelled": "quiet"}


class TypesField(forms.CharField):
    """Event types, one a line or apart by commas."""

    def __init__(self, **given: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 4, "dir": "ltr"}), max_length=7_000, **given)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [one for one in str(super().clean(value)).replace(",", "\n").split() if one]


class WebhookForm(forms.ModelForm):
    types = TypesField(
        label=gettext_lazy("Event types"),
        help_text=gettext_lazy("One a line: incident.opened, incident.*, hot_spot.changed, or * for all."),
    )

    class Meta:
        model = WebhookSubscription
        fields = ["key", "name", "url", "types", "governorates", "contact_email", "concurrency"]


class RotateForm(Ask):
    overlap_hours = forms.FloatField(
        label=gettext_lazy("The former secret signs beside it for so many hours"), min_value=0, max_value=MOST_OVERLAP_H, initial=OVERLAP_H,
        help_text=gettext_lazy("0: it ends at once, for a secret that became known."),
    )  # fmt: skip


class SinceForm(Ask):
    from_sequence = forms.IntegerField(label=gettext_lazy("Behind this sequence"), min_value=0, max_value=2**63 - 1, required=False)
    from_time = forms.DateTimeField(
        label=gettext_lazy("or since this time"), required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    also_delivered = forms.BooleanField(label=gettext_lazy("Also what was delivered"), required=False)


class SecretInline(ReadOnlyInline):
    model = WebhookSecret
    fields = ["ends_with", "created_at", "expires_at", "stands"]
    verbose_name_plural = gettext_lazy("secrets")

    @admin.display(description=gettext_lazy("ends with"))
    def ends_with(self, secret: WebhookSecret) -> Any:
        return bdi(f"…{secret.hint}")

    @admin.display(description=gettext_lazy("standing"))
    def stands(self, secret: WebhookSecret) -> Any:
        if secret.expires_at is None:
            return pill("ok", _("signs"))
        return pill("busy", _("signs until then")) if secret.expires_at > timezone.now() else pill("quiet", _("ended"))


@admin.register(WebhookSubscription)
class WebhookAdmin(ActsOnRows, CentreAdmin):
    form = WebhookForm
    audits_itself = True
    list_display = ["title", "partner", "hears", "health", "waiting", "last_success", "last_error"]
    list_filter = ["state", "partner"]
    list_select_related = ["partner", "key__partner"]
    search_fields = ["name", "url", "partner__slug", "partner__name", "=uid"]
    ordering = ["-id"]
    autocomplete_fields = ["key"]
    actions = ["test", "pause", "resume", "rotate", "replay_failed", "replay_since", "remove"]
    object_actions = ["test", "rotate", "replay_failed", "replay_since", "pause", "resume", "remove"]
    inlines = [SecretInline]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return of_agencies(rows, viewer, "partner__agency_id")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        pending = WebhookDelivery.objects.filter(subscription=models.OuterRef("pk"), state="pending").order_by()
        count = pending.values("subscription").annotate(n=models.Count("pk")).values("n")
        return super().get_queryset(request).annotate(pending_count=models.Subquery(count))

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_keys")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self.has_manage_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self.has_manage_permission(request)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = WebhookForm.Meta.fields
        if obj is None:
            return fields
        shown = fields if self.has_change_permission(request, obj) else [name if name != "types" else "hears" for name in fields]
        return [
            *shown, "uid_shown", "health", "state_because", "state_since", "last_success_at", "first_failure_at", "last_failure_at",
            "failing_since", "last_error", "created_by", "created_at",
        ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else ["key", *(name for name in self.get_fields(request, obj) if name not in WebhookForm.Meta.fields)]

    # -- how it looks -----------------------------------------------------------------------------------------------------------

    @admin.display(description=pgettext_lazy("subscription", "webhook"), ordering="name")
    def title(self, webhook: WebhookSubscription) -> Any:
        return bdi(webhook.name or webhook.url[:60])

    @admin.display(description=gettext_lazy("id"))
    def uid_shown(self, webhook: WebhookSubscription) -> Any:
        return bdi(webhook.uid)

    @admin.display(description=gettext_lazy("hears"))
    def hears(self, webhook: WebhookSubscription) -> Any:
        return format_html_join(", ", "<bdi>{}</bdi>", ((one,) for one in webhook.types[:6])) + ("…" if len(webhook.types) > 6 else "")

    @admin.display(description=gettext_lazy("health"), ordering="state")
    def health(self, webhook: WebhookSubscription) -> Any:
        if webhook.state != State.ACTIVE:
            kind = "bad" if webhook.state in {State.DISABLED, State.ENDED} else "quiet"
            return pill(kind, webhook.get_state_display())
        if webhooks.standing_key(webhook.key) is None:
            return pill("bad", _("its key has stopped"))
        if webhook.failing_since is not None:
            return pill("bad", _("failing for long"))
        if webhook.first_failure_at is not None:
            return pill("warn", _("failing"))
        return pill("ok", _("takes what it is sent")) if webhook.last_success_at else pill("quiet", _("nothing sent yet"))

    @admin.display(description=gettext_lazy("under way"))
    def waiting(self, webhook: WebhookSubscription) -> int:
        return getattr(webhook, "pending_count", None) or 0

    @admin.display(description=gettext_lazy("last success"), ordering="last_success_at")
    def last_success(self, webhook: WebhookSubscription) -> Any:
        return age(webhook.last_success_at)

    # -- made and changed by services --------------------------------------------------------------------------------------------

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        if change:
            changes = {name: given[name] for name in form.changed_data if name in given}
            if changes:
                webhooks.change_webhook(webhook=obj, by=request.user, changes=changes)
            return
        key = given["key"]
        made, request.secret = webhooks.make_webhook(
            key=key, by=request.user, **{name: given[name] for name in WebhookForm.Meta.fields if name != "key"}
        )
        obj.pk, obj.partner = made.pk, made.partner

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """The service did it."""

    def response_add(self, request: Any, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        return self._secrets(request, [(str(obj), request.secret)])

    def _secrets(self, request: HttpRequest, made: list[tuple[str, str]]) -> HttpResponse:
        note = _("Hand it over by a safe way: whoever has it can sign in our name. It cannot be shown again.")
        return shown_once(self, request, title=_("The secret, shown once"), secrets=made, note=note)

    # -- verbs ----------------------------------------------------------------------------------------------------------------------

    @admin.action(description=gettext_lazy("Send a test…"), permissions=["manage"])
    def test(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, title=_("Send a test"), button=_("Send"), note=_("A webhook.test goes out; its outcome is in the log."),
            perform=lambda webhook, _answers: webhooks.send_test(webhook=webhook, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d test is on its way.", "%(n)d tests are on their way.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Pause…"), permissions=["manage"])
    def pause(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, title=_("Pause webhooks"), button=pgettext("webhook", "Pause"),
            note=_("Nothing is sent until it is resumed; what happens meanwhile can be replayed."),
            perform=lambda webhook, _answers: webhooks.pause_webhook(webhook=webhook, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d webhook was paused.", "%(n)d webhooks were paused.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Resume…"), permissions=["manage"])
    def resume(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, title=_("Resume webhooks"), button=pgettext("webhook", "Resume"),
            perform=lambda webhook, _answers: webhooks.resume_webhook(webhook=webhook, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d webhook was resumed.", "%(n)d webhooks were resumed.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("New secret…"), permissions=["manage"])
    def rotate(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        made: list[tuple[str, str]] = []

        def renew(webhook: WebhookSubscription, answers: dict[str, Any]) -> None:
            by: Any = request.user
            made.append((str(webhook), webhooks.rotate_secret(webhook=webhook, by=by, overlap_h=answers["overlap_hours"])))

        asked = self.act(
            request, queryset, form=RotateForm, title=_("Make new secrets"), button=_("Make"), perform=renew,
            done=lambda count: ngettext("%(n)d secret was made.", "%(n)d secrets were made.", count) % {"n": count},
        )  # fmt: skip
        return self._secrets(request, made) if made else asked

    @admin.action(description=gettext_lazy("Replay what failed…"), permissions=["manage"])
    def replay_failed(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._replays(
            request,
            queryset,
            Ask,
            lambda webhook, _answers: webhooks.replay_failed(webhook=webhook, by=request.user),  # type: ignore[arg-type]
        )

    @admin.action(description=gettext_lazy("Replay since…"), permissions=["manage"])
    def replay_since(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._replays(
            request, queryset, SinceForm,
            lambda webhook, answers: webhooks.replay_since(
                webhook=webhook, by=request.user, sequence=answers["from_sequence"], at=answers["from_time"],  # type: ignore[arg-type]
                also_delivered=answers["also_delivered"],
            ),
        )  # fmt: skip

    def _replays(self, request: HttpRequest, queryset: models.QuerySet, form: Any, perform: Any) -> HttpResponse | None:
        queued = 0

        def replay(webhook: WebhookSubscription, answers: dict[str, Any]) -> None:
            nonlocal queued
            queued += perform(webhook, answers).queued

        return self.act(
            request, queryset, form=form, title=_("Send again"), button=_("Send again"), perform=replay,
            note=_("Signed with today's secrets, spread over time. Failing again switches nothing off."),
            done=lambda _count: ngettext("%(n)d delivery is queued.", "%(n)d deliveries are queued.", queued) % {"n": queued},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Remove…"), permissions=["manage"])
    def remove(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, title=_("Remove webhooks"), button=_("Remove"), is_grave=True,
            note=_("For good. The log stays for a while."),
            perform=lambda webhook, _answers: webhooks.remove_webhook(webhook=webhook, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d webhook was removed.", "%(n)d webhooks were removed.", count) % {"n": count},
        )  # fmt: skip


class AttemptInline(ReadOnlyInline):
    model = WebhookAttempt
    fields = ["number", "trigger", "started_at", "ms", "code", "error", "detail", "excerpt"]
    ordering = ["-id"]
    max_num = 0


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ActsOnRows, ReadOnlyAdmin):
    list_display = ["sent_as", "type", "subscription", "standing", "answer", "why", "tries", "next_try", "trigger", "queued"]
    list_filter = ["state", "last_error", "trigger", "type", "subscription"]
    list_select_related = ["subscription__partner"]
    search_fields = ["=event_id", "=seq"]
    search_help_text = gettext_lazy("The number of an event (evt_…) or its sequence.")
    ordering = ["-id"]
    actions = ["replay"]
    object_actions = ["replay"]
    inlines = [AttemptInline]
    fields = [
        "subscription", "sent_as", "type", "seq", "occurred_at", "standing", "answer", "why", "tries", "trigger", "queued_at", "next_try",
        "done_at", "digest", "body_shown",
    ]  # fmt: skip

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return of_agencies(rows, viewer, "subscription__partner__agency_id")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request)
        return rows if "object_id" in (request.resolver_match.kwargs if request.resolver_match else {}) else rows.defer("body")

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_keys")

    @admin.display(description=gettext_lazy("sent as"))
    def sent_as(self, row: WebhookDelivery) -> Any:
        return bdi(row.webhook_id)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def standing(self, row: WebhookDelivery) -> Any:
        return pill(DELIVERY_KIND[row.state], row.get_state_display())

    @admin.display(description=gettext_lazy("answer"))
    def answer(self, row: WebhookDelivery) -> Any:
        if row.last_ms is None:
            return "–"
        return bdi(f"{row.last_code or '–'} · {row.last_ms} ms")

    @admin.display(description=gettext_lazy("error"), ordering="last_error")
    def why(self, row: WebhookDelivery) -> str:
        return str(ErrorClass(row.last_error).label) if row.last_error in ErrorClass.values else "–"

    @admin.display(description=gettext_lazy("next attempt"))
    def next_try(self, row: WebhookDelivery) -> Any:
        return timezone.localtime(row.next_at).strftime("%Y-%m-%d %H:%M:%S") if row.state == "pending" else "–"

    @admin.display(description=gettext_lazy("age"), ordering="id")
    def queued(self, row: WebhookDelivery) -> Any:
        return age(row.queued_at)

    @admin.display(description=gettext_lazy("body"))
    def body_shown(self, row: WebhookDelivery) -> Any:
        import json

        if not row.body:
            return _("No longer kept (after %(days)d days); its digest stays.") % {"days": settings.WEBHOOK_KEEP_DAYS}
        return as_json(json.loads(row.body))

    @admin.action(description=gettext_lazy("Send again…"), permissions=["manage"])
    def replay(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, title=_("Send again"), button=_("Send again"),
            note=_("Signed with today's secrets, spread over time. Failing again switches nothing off."),
            perform=lambda row, _answers: webhooks.replay_delivery(delivery=row, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d delivery is queued.", "%(n)d deliveries are queued.", count) % {"n": count},
        )  # fmt: skip
