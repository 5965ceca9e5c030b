"""A policy's ladder: by which channels, in which order, whoever has chosen none is told, and how long each is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from alerts.channels import registry
from alerts.choices import Channel
from alerts.services.escalation.lasting import lasting

MOST_RUNGS = 10
LONGEST_RUNG_S = 3600
USUAL_WAIT_S = 60


def kept(ladder: object) -> Any:
    """As it is stored: every rung with its wait. What is no ladder at all stays as it is, and is refused by ``problems_of``."""
    if not ladder:
        return []
    if not isinstance(ladder, list) or not all(isinstance(rung, dict) for rung in ladder):
        return ladder
    return [{"wait_s": USUAL_WAIT_S, **rung} for rung in ladder]


def problems_of(ladder: object) -> dict[str, str]:
    """By field: ``ladder.2.channel`` is the second rung's channel. An empty ladder is none: the usual order then."""
    if not ladder:
        return {}
    if not isinstance(ladder, list) or not all(isinstance(rung, dict) and set(rung) <= {"channel", "wait_s"} for rung in ladder):
        return {"ladder": _("Channels with the seconds waited after each are needed.")}
    if len(ladder) > MOST_RUNGS:
        return {"ladder": _("At most %(most)d channels.") % {"most": MOST_RUNGS}}
    problems: dict[str, str] = {}
    seen: set[str] = set()
    for number, rung in enumerate(ladder, start=1):
        channel, wait_s = rung.get("channel"), rung.get("wait_s", USUAL_WAIT_S)
        if not channel:
            problems[f"ladder.{number}.channel"] = _("Choose a channel, or remove this line.")
        elif channel not in Channel.values:
            problems[f"ladder.{number}.channel"] = _("There is no such channel.")
        elif channel in seen:
            problems[f"ladder.{number}.channel"] = _("%(channel)s stands above already.") % {"channel": Channel(channel).label}
        else:
            seen.add(channel)
        if not isinstance(wait_s, int) or isinstance(wait_s, bool) or not 0 <= wait_s <= LONGEST_RUNG_S:
            problems[f"ladder.{number}.wait_s"] = _("Between 0 seconds and 1 hour.")
    if not problems and seen == {Channel.IN_APP.value}:
        problems["ladder"] = _("The screen alone reaches nobody who is away from it: add another channel, or leave the list empty.")
    return problems


def warnings_of(ladder: Sequence[Mapping[str, Any]]) -> list[str]:
    """Channels that nothing leaves by here."""
    lacking = [rung["channel"] for rung in ladder if rung["channel"] != Channel.IN_APP and registry.missing(rung["channel"])]
    return [_("%(channel)s is not set up here: it is passed by.") % {"channel": Channel(channel).label} for channel in lacking]


def said(ladder: Sequence[Mapping[str, Any]]) -> str:
    """The whole ladder as a sentence; empty where there is none."""
    told: list[str] = []
    wait_s: int | None = None
    for rung in ladder:
        if rung.get("channel") not in Channel.values:
            continue
        label = str(Channel(rung["channel"]).label)
        if wait_s is None:
            told.append(label)
        elif wait_s == 0:
            told.append(_("at once also %(channel)s") % {"channel": label})
        else:
            told.append(_("after %(time)s %(channel)s") % {"time": lasting(wait_s), "channel": label})
        wait_s = int(rung.get("wait_s", USUAL_WAIT_S))
    if not told:
        return ""
    return _("Whoever has not chosen how to be told: %(ladder)s. Then the next step.") % {"ladder": _(", ").join(told)}
