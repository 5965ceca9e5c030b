"""Pairs of incidents that may be one event: decided here as on the officers' page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, OptionalReasonForm, ReadOnlyAdmin, age, as_json, bdi, pill
from incidents.models import DuplicateCandidate
from incidents.services import dismiss_duplicates, link_duplicates, merge_duplicates, undo_duplicates

STATE_KIND = {"waiting": "busy", "merged": "ok", "linked": "ok", "dismissed": "quiet"}


@admin.register(DuplicateCandidate)
class DuplicateCandidateAdmin(ActsOnRows, ReadOnlyAdmin):
    list_display = ["pair", "likeness", "first_type", "second_type", "distance_m", "minutes", "standing", "decided_by", "found"]
    list_filter = ["state"]
    search_fields = ["=first__id", "=second__id"]
    search_help_text = gettext_lazy("The number of one of the incidents.")
    ordering = ["-id"]
    actions = ["merge", "link", "dismiss", "undo"]
    object_actions = ["merge", "link", "dismiss", "undo"]
    fields = [
        "first", "second", "likeness", "distance_m", "minutes", "parts_shown", "standing", "kept", "reason", "found_at", "decided_at",
        "decided_by", "code_version",
    ]  # fmt: skip

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).with_incidents().select_related("kept__region").defer("kept__search")  # type: ignore[attr-defined]

    def has_close_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("close")

    @admin.display(description=gettext_lazy("pair"))
    def pair(self, row: DuplicateCandidate) -> Any:
        return bdi(f"{row.first.ref} · {row.second.ref}")

    @admin.display(description=gettext_lazy("likeness"), ordering="score")
    def likeness(self, row: DuplicateCandidate) -> str:
        return f"{row.score:.2f}"

    @admin.display(description=gettext_lazy("first incident"))
    def first_type(self, row: DuplicateCandidate) -> str:
        return f"{row.first.type} · {row.first.agency}"

    @admin.display(description=gettext_lazy("second incident"))
    def second_type(self, row: DuplicateCandidate) -> str:
        return f"{row.second.type} · {row.second.agency}"

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def standing(self, row: DuplicateCandidate) -> Any:
        return pill(STATE_KIND[row.state], row.get_state_display())

    @admin.display(description=gettext_lazy("age"), ordering="id")
    def found(self, row: DuplicateCandidate) -> Any:
        return age(row.found_at)

    @admin.display(description=gettext_lazy("parts"))
    def parts_shown(self, row: DuplicateCandidate) -> Any:
        return as_json(row.parts)

    @admin.action(description=gettext_lazy("Merge into the earlier…"), permissions=["close"])
    def merge(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._ask(
            request, queryset, title=_("Merge incidents"), button=_("Merge"),
            note=_("The later number of each pair is closed as a repeat of the earlier."),
            verb=lambda row, **given: merge_duplicates(candidate=row, keep=row.first, **given),
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Link…"), permissions=["close"])
    def link(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._ask(
            request, queryset, title=_("Link incidents"), button=_("Link"), note=_("One event; both cases go on."),
            verb=lambda row, **given: link_duplicates(candidate=row, **given),
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Not the same…"), permissions=["close"])
    def dismiss(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._ask(
            request, queryset, title=_("Not the same"), button=_("Not the same"), note=_("These pairs are not shown again."),
            verb=lambda row, **given: dismiss_duplicates(candidate=row, **given),
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Take the decision back…"), permissions=["close"])
    def undo(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._ask(
            request, queryset, title=_("Take decisions back"), button=_("Take back"), note=_("An incident that was merged is reopened."),
            verb=lambda row, **given: undo_duplicates(candidate=row, **given),
        )  # fmt: skip

    def _ask(self, request: HttpRequest, rows: models.QuerySet, *, title: str, button: str, note: str, verb: Any) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            form=OptionalReasonForm,
            title=title,
            button=button,
            note=note,
            perform=lambda row, answers: verb(row, by=request.user, reason=answers["reason"]),
            done=lambda count: ngettext("%(n)d pair was decided.", "%(n)d pairs were decided.", count) % {"n": count},
        )
