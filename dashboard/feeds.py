"""What the pages say of feeds: one line of each, and one with its parts, its refusals and its silences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from alerts.models import Alert
from dashboard.command_centre import SILENT_AFTER, waiting_rows
from dashboard.feed_chart import Spark, spark
from incidents.analytics.feed_quality import Part, Quality
from incidents.models import RejectedRow, Source
from incidents.services.feed_quality import FeedQuality, feed_quality
from incidents.services.feed_silences import Silence, silences

LAST_REFUSED = 20
MOST_READ = 500  # refusals looked at for their reasons
SHOWN_SILENCES = 12

PARTS: dict[str, tuple[Promise, Promise]] = {
    "validity": (_("Validity"), _("could be read and understood")),
    "completeness": (
        _("Completeness"),
        _("of the places and texts are there: one of each is asked, a text being a description or an address"),
    ),
    "freshness": (_("Freshness"), _("came within 15 minutes of being reported")),
    "known_types": (_("Known types"), _("are of a type somebody has looked at")),
    "in_area": (_("In our area"), _("lie in a region we serve")),
    "uniqueness": (_("No repeats"), _("are said once and look like no other of this feed")),
}
REASONS: dict[str, Promise] = {
    "required": _("A field is missing"),
    "missing": _("A field is missing"),
    "invalid": _("A value is not right"),
    "no_offset": _("A time without its offset"),
    "in_the_future": _("A time in the future"),
    "future": _("A time in the future"),
    "out_of_area": _("Out of area"),
    "outside_jurisdiction": _("Outside the key's jurisdiction"),
    "not_allowed": _("Not allowed"),
    "failed": _("Failed on our side"),
    "unreadable": _("A row that cannot be read"),
    "unreadable_time": _("A time that cannot be read"),
}


@dataclass(frozen=True)
class ShownPart:
    part: Part
    name: Promise
    told: Promise

    @property
    def percent(self) -> int | None:
        return None if self.part.share is None else int(100 * self.part.share)  # never rounded up to a whole that is not there

    @property
    def level(self) -> str:
        return level_of(None if self.part.share is None else 100 * self.part.share)


@dataclass(frozen=True)
class Line:
    """One feed in the list."""

    told: FeedQuality
    last_heard_at: datetime | None
    is_silent: bool
    chart: Spark

    @property
    def source(self) -> Source:
        return self.told.source

    @property
    def level(self) -> str:
        return level_of(self.told.week.score)

    @property
    def worst(self) -> ShownPart | None:
        worst = self.told.week.worst
        return None if worst is None or self.told.week.score is None else shown(worst)


@dataclass(frozen=True)
class Refusal:
    at: datetime
    name: str
    state: str
    errors: list[tuple[str, str]]  # field, what is wrong with it
    address: str


@dataclass(frozen=True)
class FeedPage:
    line: Line
    parts: list[ShownPart]
    month: Quality
    refusals: list[Refusal]
    reasons: list[tuple[str, int]]
    reasons_of: int
    silences: list[Silence]
    alerts: list[Alert]
    is_partners: bool


def level_of(score: float | None) -> str:
    if score is None:
        return "unknown"
    return "good" if score >= 90 else "fair" if score >= 70 else "poor"


def shown(part: Part) -> ShownPart:
    return ShownPart(part, *PARTS[part.name])


def sources_of(viewer: User) -> QuerySet[Source]:
    return Source.objects.visible_to(viewer).in_use().select_related("agency", "feed").order_by("slug")


def lines_of(viewer: User, now: datetime) -> list[Line]:
    """Silent ones first, then the poorest; those there is too little to say of come last."""
    lines = [_line(told, now) for told in feed_quality(sources_of(viewer), viewer=viewer, now=now)]
    return sorted(lines, key=lambda line: (not line.is_silent, line.told.week.score is None, line.told.week.score or 0, line.source.slug))


def page_of(viewer: User, slug: str, now: datetime) -> FeedPage | None:
    found = feed_quality(sources_of(viewer).filter(slug=slug), viewer=viewer, now=now)
    if not found:
        return None
    told = found[0]
    feed = getattr(told.source, "feed", None)
    refusals, reasons, of = _refusals(viewer, told.source)
    alerts = Alert.objects.shown_to(viewer).filter(subject_type="feed", subject_id=feed.pk).order_by("-pk")[:5] if feed is not None else []
    return FeedPage(
        line=_line(told, now, width=640, height=150),
        parts=[shown(part) for part in told.week.parts],
        month=told.month,
        refusals=refusals,
        reasons=reasons,
        reasons_of=of,
        silences=silences(feed.pk)[:SHOWN_SILENCES] if feed is not None else [],
        alerts=list(alerts),
        is_partners=feed is not None,
    )


def _line(told: FeedQuality, now: datetime, *, width: float = 120, height: float = 28) -> Line:
    feed: Any = getattr(told.source, "feed", None)
    heard = max((at for at in (feed and feed.last_heard_at, told.source.last_received_at) if at), default=None)
    silent = bool(feed.silent_told_min) if feed is not None else bool(heard and now - heard > SILENT_AFTER)
    points = [(day.day, day.quality.score) for day in told.days]
    return Line(told, heard, silent, spark(points, width=width, height=height))


def _refusals(viewer: User, source: Source) -> tuple[list[Refusal], list[tuple[str, int]], int]:
    """The newest that wait for somebody, through whichever door they came, and how often each reason is among them."""
    rows: list[tuple[datetime, str, str, list[dict[str, str]], str]] = []
    messages: Any = apps.get_model("interop", "InboxMessage").objects
    if viewer.has_perm("interop.view_inboxmessage"):
        for row in messages.visible_to(viewer).refused().filter(source=source).defer("body").order_by("-id")[:MOST_READ]:
            address = reverse("admin:interop_inboxmessage_change", args=[row.pk])
            rows.append((row.received_at, row.message_id, row.get_status_display(), row.errors, address))
    held: QuerySet[RejectedRow] = waiting_rows(viewer).filter(source=source).defer("raw").order_by("-id")
    for bad in held[:MOST_READ]:
        address = reverse("admin:incidents_rejectedrow_change", args=[bad.pk])
        rows.append((bad.created_at, bad.external_id, bad.get_status_display(), bad.errors, address))
    rows.sort(key=lambda row: row[0], reverse=True)
    rows = rows[:MOST_READ]
    counted = Counter(said for row in rows for said in {_reason(error) for error in row[3]})
    newest = [Refusal(at, name, state, [(error.get("field", ""), _reason(error)) for error in errors], address)
              for at, name, state, errors, address in rows[:LAST_REFUSED]]  # fmt: skip
    return newest, counted.most_common(8), len(rows)


def _reason(error: dict[str, str]) -> str:
    code = error.get("code", "")
    return str(REASONS[code]) if code in REASONS else (error.get("detail") or error.get("message") or code)
