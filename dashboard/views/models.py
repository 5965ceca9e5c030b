"""What is published and why; each model's card; its off switch."""

from __future__ import annotations

from typing import Any

import orjson
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from core.errors import DomainError, NotFound
from core.models import AuditEntry
from dashboard.answers import fresh
from dashboard.filters import category_names
from dashboard.model_pages import Model, balance_in_sight, card_said, latest_cards, models_of, published_now
from dashboard.views.scoreboard import region_of
from incidents.models import ModelSwitch
from incidents.services.trust.switches import MAX_REASON, switch_model

MOST_SWITCHINGS = 20


class SwitchForm(forms.Form):
    on = forms.TypedChoiceField(choices=[("0", "off"), ("1", "on")], coerce=lambda value: value == "1", widget=forms.HiddenInput)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=MAX_REASON, widget=forms.Textarea(attrs={"rows": 2}))


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    region = region_of(request)
    published = published_now(region, category_names())
    context = {
        "region": region,
        "published": published,
        "together": [row for row in published if not row.is_of_one_category],
        "by_category": [row for row in published if row.is_of_one_category],
        "models": models_of(region, published),
        "balance": balance_in_sight(region, request.user),
        "is_synthetic": any(row.choice.is_synthetic for row in published),
        "run": published[0].choice.run if published else None,
    }
    return fresh(request, "dashboard/models.html", context)


@login_required
@require_safe
def one(request: HttpRequest, model: str) -> HttpResponse:
    return fresh(request, "dashboard/model.html", _facts(request, model))


@login_required
@require_safe
def as_json(request: HttpRequest, model: str) -> HttpResponse:
    """The card as it was stored."""
    card = latest_cards(region_of(request)).get(model)
    if card is None:
        raise Http404(_("This model has no card yet."))
    body = {
        "model": card.model,
        "region": card.region.code,
        "run": card.run.key,
        "as_of": card.run.as_of,
        "created_at": card.created_at,
        "facts": card.facts,
    }
    response = HttpResponse(orjson.dumps(body, option=orjson.OPT_INDENT_2), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def switch(request: HttpRequest, model: str) -> HttpResponse:
    form = SwitchForm(request.POST)
    status = 422
    if form.is_valid():
        on = form.cleaned_data["on"]
        try:
            switch_model(model=model, on=on, by=request.user, reason=form.cleaned_data["reason"])  # type: ignore[arg-type]
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            form.add_error("reason" if "reason" in error.fields else None, error.fields.get("reason", error.message))
            status = error.status
        else:
            messages.success(request, _("Switched on. It may be shown again at once.") if on else _("Switched off. It is shown no more."))
            return redirect("models-one", model=model)
    return fresh(request, "dashboard/model.html", {**_facts(request, model), "form": form}, status=status)


def _facts(request: HttpRequest, name: str) -> dict[str, Any]:
    region = region_of(request)
    published = published_now(region, category_names())
    found: Model | None = next((model for model in models_of(region, published) if model.name == name), None)
    if found is None:
        raise Http404(_("There is no such model."))
    can = getattr(request.user, "can", lambda _verb: False)
    nationwide = request.user.jurisdiction.governorate_ids is None  # type: ignore[union-attr]
    switchings = [str(pk) for pk in ModelSwitch.objects.filter(model=name).values_list("pk", flat=True)]
    history = AuditEntry.objects.filter(verb="model.switch", object_type="incidents.modelswitch", object_id__in=switchings)
    return {
        "region": region,
        "model": found,
        "card": found.card,
        "said": card_said(found.card) if found.card else None,
        "shown_in": [row for row in published if row.shown == name],
        "published": [row for row in published if name in {row.choice.published, row.choice.champion, row.choice.best_baseline}],
        "history": list(history.order_by("-id")[:MOST_SWITCHINGS]),
        "may_switch": can("switch_models") and nationwide,
        "form": SwitchForm(initial={"on": "1" if found.is_off else "0"}),
    }
