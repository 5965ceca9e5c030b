"""A profile's decoder, tried on a pasted payload. Nothing is stored and nothing logged: there may be a plate in it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Invalid
from iot.services.trying import LONGEST, Form, Tried, try_decoder


class PayloadForm(forms.Form):
    form = forms.ChoiceField(choices=Form.choices, label=gettext_lazy("Written as"))
    payload = forms.CharField(
        max_length=LONGEST, strip=False, label=gettext_lazy("Payload"),
        widget=forms.Textarea(attrs={"rows": 8, "dir": "ltr", "spellcheck": "false", "autocomplete": "off", "class": "vLargeTextField"}),
    )  # fmt: skip


class TriesDecoders:
    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_devices")

    @admin.action(description=gettext_lazy("Try the decoder…"), permissions=["manage"])
    def try_decoder(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        profiles = list(queryset.prefetch_related("metrics")[:2])
        if len(profiles) != 1:
            messages.error(request, _("Choose one profile."))
            return None
        asked = PayloadForm(request.POST) if "apply" in request.POST else PayloadForm()
        tried: Tried | None = None
        if "apply" in request.POST and asked.is_valid():
            try:
                tried = try_decoder(profile=profiles[0], payload=asked.cleaned_data["payload"], form=asked.cleaned_data["form"])
            except Invalid as refusal:
                asked.add_error("payload", refusal.message)
        known = {metric.code: metric for metric in profiles[0].metrics.all()}
        context = {
            **self.admin_site.each_context(request),
            "title": _("Try the decoder: %(profile)s") % {"profile": profiles[0]},
            "profile": profiles[0],
            "form": asked,
            "tried": tried,
            "readings": [(one, known.get(one.metric), against) for one, against in tried.readings] if tried is not None else [],
            "facts": dict(tried.facts) if tried is not None else {},
            "selected": profiles[0].pk,
            "opts": self.opts,
            "media": self.media,
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/iot/try_decoder.html", context, headers={"Cache-Control": "no-store"})
