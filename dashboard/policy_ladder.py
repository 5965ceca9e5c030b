"""The ladder in the policy editor: a line a channel, with what is waited after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from alerts.choices import Channel
from alerts.services.escalation.ladder import MOST_RUNGS, USUAL_WAIT_S

UNITS = {"s": 1, "min": 60}
WAIT_UNITS = [("s", gettext_lazy("seconds")), ("min", gettext_lazy("minutes"))]
NEW_RUNG = {"channel": [""], "wait": ["60"], "unit": ["s"]}
ACTS = "rung-"  # what the buttons of this part of the form say: rung-add, rung-up-1, …


class RungForm(forms.Form):
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=[("", "–"), *Channel.choices], required=False)
    wait = forms.IntegerField(label=gettext_lazy("Then wait"), min_value=0, max_value=3600)
    unit = forms.ChoiceField(
        label=gettext_lazy("unit"), choices=WAIT_UNITS, widget=forms.Select(attrs={"aria-label": gettext_lazy("Unit of time")})
    )

    def rung(self) -> dict[str, Any]:
        told = self.cleaned_data
        return {"channel": told["channel"], "wait_s": told["wait"] * UNITS[told["unit"]]}


def rung_data(rung: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the form would have sent of a saved rung."""
    wait_s = int(rung.get("wait_s", USUAL_WAIT_S))
    unit = "min" if wait_s and wait_s % 60 == 0 else "s"
    return {"channel": [str(rung.get("channel") or "")], "wait": [str(wait_s // UNITS[unit])], "unit": [unit]}


def rungs_sent(post: QueryDict) -> list[dict[str, list[str]]]:
    numbers = [number for number in post.getlist("rung")[:MOST_RUNGS] if number.isdecimal()]
    return [
        {name: post.getlist(f"l-{number}-{name}") for name in RungForm.base_fields if f"l-{number}-{name}" in post} for number in numbers
    ]


def rung_forms(rungs: Sequence[Mapping[str, list[str]]]) -> list[RungForm]:
    data = QueryDict(mutable=True)
    for number, rung in enumerate(rungs):
        for name, values in rung.items():
            data.setlist(f"l-{number}-{name}", list(values))
    return [RungForm(data, prefix=f"l-{number}") for number in range(len(rungs))]
