"""What partners sent. A message that was refused can be tried again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, Ask, CentreAdmin, age, as_json, pill
from core.errors import Conflict
from interop.models import InboxMessage
from interop.services import replay_messages

MESSAGE_KIND = {"received": "busy", "processed": "ok", "rejected": "warn", "dead": "bad"}


@admin.register(InboxMessage)
class InboxMessageAdmin(ActsOnRows, CentreAdmin):
    list_display = ["message_id", "kind", "source", "standing", "why", "incident", "attempts", "received"]
    list_filter = ["status", "kind", "source"]
    list_select_related = ["source", "incident__region"]
    search_fields = ["=message_id", "=idempotency_key", "=request_id", "=incident__id"]
    search_help_text = gettext_lazy("The source's id, idempotency key, request id or the incident's number.")
    ordering = ["-id"]
    actions = ["replay"]
    object_actions = ["replay"]
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
        "request_id",
        "received_at",
        "processed_at",
        "body_shown",
    ]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

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
