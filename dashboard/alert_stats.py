"""The statistics of alerts for their page and their file: which span, which figures, and "too few" where there are too few."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from alerts.analytics.response import LEAST, TARGET_SHARES, TARGETS_S, Response
from alerts.services.statistics import Group, Statistics, statistics_of
from dashboard.alert_queue import alerts_for

SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90)}
SPAN_NAMES = [("24h", _("Last 24 hours")), ("7d", _("Last 7 days")), ("30d", _("Last 30 days")), ("90d", _("Last 90 days"))]
USUAL = "30d"


@dataclass(frozen=True)
class Share:
    """How many were acknowledged within a target, in hundredths; ``None``: too few to say."""

    seconds: int
    target: int
    percent: float | None
    is_met: bool | None


def shares_of(response: Response) -> list[Share]:
    return [
        Share(int(seconds), round(100 * target), None if share is None else 100 * share, met)
        for seconds, target, share, met in zip(TARGETS_S, TARGET_SHARES, response.within, response.meets, strict=True)
    ]


@dataclass(frozen=True)
class Line:
    group: Group
    shares: list[Share]


def lines_of(groups: list[Group]) -> list[Line]:
    return [Line(group, shares_of(group.response)) for group in groups]


def span_of(given: QueryDict) -> str:
    asked = given.get("span", USUAL)
    return asked if asked in SPANS else USUAL


def told(user: User, span: str, *, now: datetime | None = None) -> Statistics:
    end = now or timezone.now()
    return statistics_of(alerts_for(user), start=end - SPANS[span], end=end)


def context_of(user: User, span: str) -> dict[str, Any]:
    found = told(user, span)
    return {
        "told": found,
        "span": span,
        "spans": SPAN_NAMES,
        "shares": shares_of(found.overall),
        "tables": [
            (_("By policy"), lines_of(found.by_policy), _("Without a policy")),
            (_("By level"), lines_of(found.by_level), ""),
            (_("By shift"), lines_of(found.by_shift if found.has_shifts else []), ""),
            (_("By hour of the day"), lines_of(found.by_hour), ""),
            (_("By what they acknowledged through"), lines_of(found.by_channel), ""),
        ],
        "least": LEAST,
    }


HEAD = ("table", "key", "name", "acknowledged", "unanswered", "p50_s", "p90_s", "within_15_s_percent", "within_20_s_percent", "needed",
        "not_needed", "failed")  # fmt: skip


def csv_rows(found: Statistics) -> list[tuple[Any, ...]]:
    """One table after the other; a figure that too few rows stand behind is empty."""
    groups = [("overall", [Group("", "", found.overall)]), ("policy", found.by_policy), ("level", found.by_level)]
    groups += [("shift", found.by_shift), ("hour", found.by_hour)]
    groups.append(("through", found.by_channel))
    rows: list[tuple[Any, ...]] = []
    for table, of_it in groups:
        for one in of_it:
            answer = one.response
            shares = [None if share is None else round(100 * share, 1) for share in answer.within]
            figures = (answer.count, answer.unanswered, _round(answer.p50_s), _round(answer.p90_s), *shares)
            rows.append((table, one.key, one.name, *figures, None, None, None))
    for reach in found.reach:
        named = ("channel", reach.channel.value, str(reach.channel.label))
        rows.append((*named, reach.delivered, None, None, None, None, None, None, None, reach.failed))
    for rule in found.rules:
        noise = rule.noise
        rows.append(("rule", rule.key, rule.name, noise.count, None, None, None, None, None, noise.needed, noise.not_needed, None))
    return [tuple("" if value is None else value for value in row) for row in rows]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
