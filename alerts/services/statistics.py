"""What the alerts of a span of time say about how people were reached: from the rows alone, never from a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils.timezone import get_default_timezone
from django.utils.translation import get_language

from alerts.analytics.response import Noise, Response, response_of
from alerts.models import Alert, Channel, Delivery, DeliveryState, EscalationRun, Level, Page, Through
from alerts.services.shifts import Shifts, name_of
from patrol.models import ShiftPattern

MOST = 50_000
BAND_H = 3


@dataclass(frozen=True)
class Group:
    """One line of a table. ``key`` is a code that stays, ``name`` what a person reads."""

    key: str
    name: str
    response: Response


@dataclass(frozen=True)
class Reach:
    """What became of the messages of one channel."""

    channel: Channel
    handed: int
    delivered: int
    failed: int
    cancelled: int
    mean_s: float | None  # from handing over to the receipt, of those with one


@dataclass(frozen=True)
class OfRule:
    key: str
    name: str
    noise: Noise


@dataclass(frozen=True)
class Statistics:
    start: datetime
    end: datetime
    total: int
    paged: int
    is_cut: bool
    overall: Response
    by_policy: list[Group]
    by_hour: list[Group]
    by_shift: list[Group]
    has_shifts: bool
    by_level: list[Group]
    by_channel: list[Group]
    reach: list[Reach]
    rules: list[OfRule]
    noise: Noise
    has_synthetic: bool


def statistics_of(alerts: QuerySet[Alert], *, start: datetime, end: datetime) -> Statistics:
    """Of those alerts (already what somebody may see) that fired in the span. Only what paged somebody counts as answered or not; an
    alert that still fires counts for neither."""
    in_span = alerts.filter(opened_at__gte=start, opened_at__lt=end).order_by()
    run = EscalationRun.objects.filter(alert=OuterRef("pk")).order_by("number")
    name = "policy__name_ar" if (get_language() or "").startswith("ar") else "policy__name_en"
    rows = in_span.annotate(
        paged=Exists(Page.objects.filter(alert=OuterRef("pk"))), policy=Subquery(run.values("policy__code")[:1]),
        policy_name=Subquery(run.values(name)[:1]),
    ).values(
        "state", "level", "agency_id", "governorate_id", "opened_at", "first_acknowledged_at", "acknowledged_through", "policy",
        "policy_name", "paged",
    )  # fmt: skip
    found: list[dict[str, Any]] = [dict(row) for row in rows[: MOST + 1]]
    is_cut, found = len(found) > MOST, found[:MOST]
    paged = [row for row in found if row["paged"]]
    names = {row["policy"] or "": row["policy_name"] or "" for row in paged}
    zone = get_default_timezone()

    def band(row: dict[str, Any]) -> str:
        hour = row["opened_at"].astimezone(zone).hour // BAND_H * BAND_H
        return f"{hour:02d}:00–{(hour + BAND_H) % 24:02d}:00"

    by_shift, has_shifts = _by_shift(paged, band, start=start, end=end)
    return Statistics(
        start=start,
        end=end,
        total=in_span.count() if is_cut else len(found),
        paged=len(paged),
        is_cut=is_cut,
        overall=_response(paged),
        by_policy=sorted(_groups(paged, lambda row: row["policy"] or "", lambda key: names.get(key, key)), key=lambda one: one.name),
        by_hour=sorted(_groups(paged, band, str), key=lambda one: one.key),
        by_shift=by_shift,
        has_shifts=has_shifts,
        by_level=sorted(
            _groups(paged, lambda row: row["level"], lambda key: str(Level(key).label)), key=lambda one: -Level(one.key).rank
        ),
        by_channel=_groups(
            [row for row in paged if row["first_acknowledged_at"] and row["acknowledged_through"]],
            lambda row: row["acknowledged_through"], lambda key: str(Through(key).label),
        ),
        reach=_reach(in_span),
        rules=_rules(in_span),
        noise=_noise(in_span.aggregate(**_COUNTS)),
        has_synthetic=in_span.filter(is_synthetic=True).exists(),
    )  # fmt: skip


def _by_shift(
    rows: list[dict[str, Any]], band: Callable[[dict[str, Any]], str], *, start: datetime, end: datetime
) -> tuple[list[Group], bool]:
    """The shifts of each agency in the order they begin; where an agency has none, bands of three hours stand in, after them."""
    agency_ids = {row["agency_id"] for row in rows if row["agency_id"] is not None}
    shifts = Shifts(start=start, end=end, agency_ids=agency_ids, clock=get_default_timezone())
    known: dict[str, ShiftPattern] = {}

    def key(row: dict[str, Any]) -> str:
        pattern = shifts.of(agency_id=row["agency_id"], governorate_id=row["governorate_id"], at=row["opened_at"])
        if pattern is None:
            return band(row)
        known[code := f"{pattern.agency.slug}/{pattern.code}"] = pattern
        return code

    def order(group: Group) -> tuple[bool, str, str]:
        pattern = known.get(group.key)
        return (True, "", group.key) if pattern is None else (False, pattern.agency.name, f"{pattern.begins_at:%H:%M} {pattern.code}")

    groups = _groups(rows, key, lambda code: name_of(known[code]) if code in known else code)
    return sorted(groups, key=order), bool(known)


def _response(rows: list[dict[str, Any]]) -> Response:
    seconds = [(row["first_acknowledged_at"] - row["opened_at"]).total_seconds() for row in rows if row["first_acknowledged_at"]]
    unanswered = sum(1 for row in rows if row["first_acknowledged_at"] is None and row["state"] == "resolved")
    return response_of([max(0.0, one) for one in seconds], unanswered)


def _groups(rows: list[dict[str, Any]], key: Callable[[dict[str, Any]], str], name: Callable[[str], str]) -> list[Group]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[key(row)].append(row)
    return [Group(one, name(one), _response(of_it)) for one, of_it in grouped.items()]


def _reach(alerts: QuerySet[Alert]) -> list[Reach]:
    sent = Delivery.objects.filter(alert__in=alerts.values("pk"), is_test=False).order_by()
    arrived = Q(state__in=[DeliveryState.DELIVERED, DeliveryState.READ])
    counted = sent.values("channel").annotate(
        handed=Count("pk", filter=Q(handed_at__isnull=False) | arrived), arrived=Count("pk", filter=arrived),
        failed=Count("pk", filter=Q(state=DeliveryState.FAILED)), cancelled=Count("pk", filter=Q(state=DeliveryState.CANCELLED)),
        took=Avg(F("delivered_at") - F("handed_at"), filter=Q(delivered_at__isnull=False, handed_at__isnull=False)),
    )  # fmt: skip
    by_channel = {row["channel"]: row for row in counted}
    return [
        Reach(
            channel, row["handed"], row["arrived"], row["failed"], row["cancelled"],
            row["took"].total_seconds() if row["took"] is not None else None,
        )
        for channel in Channel if (row := by_channel.get(channel)) is not None
    ]  # fmt: skip


_COUNTS = {
    "count": Count("pk"),
    "needed": Count("pk", filter=Q(was_needed=True)),
    "not_needed": Count("pk", filter=Q(was_needed=False)),
}


def _noise(row: dict[str, Any]) -> Noise:
    return Noise(row["count"], row["needed"], row["not_needed"])


def _rules(alerts: QuerySet[Alert]) -> list[OfRule]:
    """The noisiest first, then the most frequent."""
    name = "rule__name_ar" if (get_language() or "").startswith("ar") else "rule__name_en"
    rows = alerts.filter(rule__isnull=False).values("rule__code", name).annotate(**_COUNTS)
    found = [OfRule(row["rule__code"], row[name], _noise(row)) for row in rows]
    return sorted(found, key=lambda one: (-(one.noise.share or 0), -one.noise.count, one.key))
