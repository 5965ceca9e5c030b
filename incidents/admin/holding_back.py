"""Hot spots held back from patrol's lists, from their own screens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.gis.geos import Point
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, ReasonForm
from incidents.services.trust.suppressions import LEAST_RADIUS_M, MAX_REASON, MOST_DAYS, MOST_RADIUS_M, suppress_place


class ShortReasonForm(ReasonForm):
    reason = forms.CharField(label=gettext_lazy("Reason"), widget=forms.Textarea(attrs={"rows": 3}), max_length=MAX_REASON)


class HoldBackForm(ShortReasonForm):
    radius_m = forms.FloatField(label=gettext_lazy("Radius in metres"), initial=300, min_value=LEAST_RADIUS_M, max_value=MOST_RADIUS_M)
    days = forms.IntegerField(label=gettext_lazy("For how many days"), initial=30, min_value=1, max_value=MOST_DAYS)
    field_order = ["radius_m", "days", "reason"]


def _person(request: HttpRequest) -> Any:
    return request.user


class HoldsBack(ActsOnRows):
    """For rows with a ``centre`` and a ``category``."""

    actions: Any = ["hold_back"]
    object_actions = ["hold_back"]

    def has_suppress_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("suppress_places")

    @admin.action(description=gettext_lazy("Hold back from patrol's lists…"), permissions=["suppress"])
    def hold_back(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=HoldBackForm,
            title=_("Hold places back from patrol's lists"),
            button=_("Hold back"),
            note=_("The map goes on showing them. They are left out of the lists for patrol until their end."),
            perform=lambda spot, answers: suppress_place(
                centre=Point(spot.centre.x, spot.centre.y, srid=4326), category=spot.category, by=_person(request), **answers
            ),
            done=lambda count: ngettext("%(n)d place is held back.", "%(n)d places are held back.", count) % {"n": count},
        )
