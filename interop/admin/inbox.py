"""What partners sent. A message that was refused can be tried again."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework.exceptions import ParseError

from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, ReadOnlyInline, ReasonForm, age, as_json, pill
from core.api.parsers import parse_json
from core.errors import Conflict
from interop.models import CapMessage, Correction, InboxMessage
from interop.services import correct_message, replay_messages

MESSAGE_KIND = {"received": "busy", "processed": "ok", "rejected": "warn", "dead": "bad"}


# The words our intake gives most; others are found through the API.
CODES = {
    "required": gettext_lazy("A field is missing"),
    "invalid": gettext_lazy("A value is not right"),
    "no_offset": gettext_lazy("A time without its offset"),
    "in_the_future": gettext_lazy("A time in the future"),
    "out_of_area": gettext_lazy("Out of area"),
    "outside_jurisdiction": gettext_lazy("Outside the key's jurisdiction"),
    "not_allowed": gettext_lazy("Not allowed"),
    "unknown_sender": gettext_lazy("Unknown sender of a warning"),
    "failed": gettext_lazy("Failed on our side"),
}


class WrongFilter(admin.SimpleListFilter):
    title = gettext_lazy("what is wrong")
    parameter_name = "wrong"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return list(CODES.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.wrong_with(self.value()) if self.value() in CODES else queryset


def correction_form(message: InboxMessage) -> type[forms.Form]:
    """The message's body as text, and why it is changed."""
    shown = json.dumps(message.body, ensure_ascii=False, indent=2)

    class CorrectionForm(ReasonForm):
        body = forms.CharField(
            label=gettext_lazy("The message (JSON)"),
            initial=shown,
            widget=forms.Textarea(attrs={"rows": 18, "dir": "ltr", "spellcheck": "false"}),
        )
        field_order = ["body", "reason"]

        def clean_body(self) -> Any:
            try:
                return parse_json(self.cleaned_data["body"].encode())[0]
            except ParseError as error:
                raise forms.ValidationError(str(error.detail)) from error

    return CorrectionForm


class CorrectionInline(ReadOnlyInline):
    model = Correction
    fields = ["at", "author_name", "reason", "before_shown"]
    ordering = ["-id"]

    @admin.display(description=gettext_lazy("before"))
    def before_shown(self, correction: Correction) -> Any:
        return as_json(correction.before)


@admin.register(Correction)
class CorrectionAdmin(ReadOnlyAdmin):
    list_display = ["message", "at", "author_name", "reason"]
    list_select_related = ["message"]
    search_fields = ["=message__message_id", "author_name"]
    ordering = ["-id"]
    fields = ["message", "at", "author_name", "reason", "before_shown", "after_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(message__in=InboxMessage.objects.visible_to(viewer).order_by())

    @admin.display(description=gettext_lazy("before"))
    def before_shown(self, correction: Correction) -> Any:
        return as_json(correction.before)

    @admin.display(description=gettext_lazy("after"))
    def after_shown(self, correction: Correction) -> Any:
        return as_json(correction.after)


@admin.register(InboxMessage)
class InboxMessageAdmin(ActsOnRows, CentreAdmin):
    list_display = ["message_id", "standing", "why", "kind", "source", "incident", "attempts", "received"]
    list_filter = ["status", WrongFilter, "kind", "source"]
    list_select_related = ["source", "incident__region"]
    search_fields = ["=message_id", "=idempotency_key", "=request_id", "=incident__id"]
    search_help_text = gettext_lazy("The source's id, idempotency key, request id or the incident's number.")
    ordering = ["-id"]
    actions = ["replay", "correct"]
    object_actions = ["replay", "correct"]
    inlines = [CorrectionInline]
    fields = [
        "source",
        "kind",
        "message_id",
        "idempotency_key",
        "standing",
        "attempts",
        "errors_shown",
        "key",
        "incident",
        "effect",
        "request_id",
        "received_at",
        "processed_at",
        "body_shown",
    ]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("effect of a warning"))
    def effect(self, message: InboxMessage) -> str:
        row = CapMessage.objects.filter(message=message).first()
        return row.get_effect_display() if row is not None else ""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("incident__search", "incident__description")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_open_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("open")

    def has_mend_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("mend_messages")

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def standing(self, message: InboxMessage) -> Any:
        return pill(MESSAGE_KIND[message.status], message.get_status_display())

    @admin.display(description=gettext_lazy("what is wrong"))
    def why(self, message: InboxMessage) -> str:
        found = [error for error in message.problems() if isinstance(error, dict)]
        return "; ".join(f"{error.get('field', '')}: {error.get('detail', '')}".strip(": ") for error in found)[:200] or "–"

    @admin.display(description=gettext_lazy("age"), ordering="id")
    def received(self, message: InboxMessage) -> Any:
        return age(message.received_at)

    @admin.display(description=gettext_lazy("errors"))
    def errors_shown(self, message: InboxMessage) -> Any:
        return as_json(message.errors)

    @admin.display(description=gettext_lazy("as it came"))
    def body_shown(self, message: InboxMessage) -> Any:
        return as_json(message.body)

    @admin.action(description=gettext_lazy("Try again…"), permissions=["open"])
    def replay(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        def again(message: InboxMessage, answers: dict[str, Any]) -> None:
            went = replay_messages(ids=[message.pk], by=request.user)  # type: ignore[arg-type]
            if not went.opened and not went.repeated:
                raise Conflict(_("It is still refused; its errors say why."))

        return self.act(
            request,
            queryset,
            form=Ask,
            title=_("Try messages again"),
            button=_("Try again"),
            perform=again,
            done=lambda count: ngettext("%(n)d message went in.", "%(n)d messages went in.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Correct…"), permissions=["mend"])
    def correct(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            messages.error(request, _("Correct one message at a time."))
            return None

        def again(message: InboxMessage, answers: dict[str, Any]) -> None:
            receipt = correct_message(message=message, body=answers["body"], by=request.user, reason=answers["reason"])  # type: ignore[arg-type]
            if receipt.incident is None:
                raise Conflict(_("The correction is kept, and the message is still refused; its errors say why."))

        return self.act(
            request,
            queryset,
            form=correction_form(chosen[0]),
            title=_("Correct a message"),
            button=_("Correct and try again"),
            note=_("What the partner sent is kept beside it, and the audit trail says who changed it."),
            perform=again,
            done=lambda count: ngettext("%(n)d message went in.", "%(n)d messages went in.", count) % {"n": count},
        )
