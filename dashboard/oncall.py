"""What the on-call calendar shows: who is on call now in each schedule, and the weeks of one, hour by hour on its own clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from accounts.models import User
from alerts.analytics.oncall import Schedule, Span, gaps, instant, layer_spans, spans
from alerts.models import OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.permissions import may
from alerts.services.oncall import candidates, next_on_call, on_call_now, problems
from alerts.services.oncall.reading import layer_of, plan_of, with_people
from alerts.services.oncall.swapping import may_take
from alerts.services.people import unreachable
from dashboard.roster import week_start

WEEKS = (2, 4)
HOURS = 168
PRESSED_HOURS = 7  # a shorter span is narrower than a finger on the narrowest week; the list of handovers has it too
TINTS = 8
MOST_NOW = 60
SHOWN_OVERRIDES = 40


@dataclass(frozen=True)
class Now:
    """One schedule in the line at the head: who is on call, until when, who is next."""

    schedule: OnCallSchedule
    people: tuple[str, ...]
    next_name: str
    next_at: datetime | None
    is_unreachable: bool


@dataclass(frozen=True)
class Bar:
    """A span inside one week, on the week's 168 hours. ``cut`` says that it came from before or goes on behind the week."""

    start: datetime
    end: datetime
    name: str
    column: int
    width: int
    tint: int
    is_gap: bool = False
    is_override: bool = False
    is_mine: bool = False
    is_past: bool = False

    @property
    def place(self) -> str:
        return f"s-{self.column} n-{self.width}"

    @property
    def is_pressed(self) -> bool:
        return not self.is_past and self.width >= PRESSED_HOURS


@dataclass
class Lane:
    name: str
    bars: list[Bar]
    is_final: bool = False


@dataclass
class Week:
    days: list[tuple[datetime, bool]]
    lanes: list[Lane] = field(default_factory=list)


@dataclass
class Calendar:
    schedule: OnCallSchedule
    zone: ZoneInfo
    first: datetime
    last: datetime
    weeks: list[Week]
    handovers: list[Bar]
    holes: int


def now_of(rows: Iterable[OnCallSchedule], *, at: datetime) -> list[Now]:
    found = []
    for schedule in list(rows)[:MOST_NOW]:
        ids = on_call_now(schedule_id=schedule.pk, at=at)
        coming = next_on_call(schedule=schedule, at=at)
        found.append((schedule, ids, coming))
    everybody = {user_id for _one, ids, _coming in found for user_id in ids}
    everybody |= {coming.user_id for _one, _ids, coming in found if coming is not None and coming.user_id is not None}
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=everybody)}
    away = unreachable({user_id for _one, ids, _coming in found for user_id in ids})
    return [
        Now(
            schedule, tuple(names.get(user_id, "") for user_id in ids), names.get(coming.user_id or 0, "") if coming else "",
            coming.start if coming else None, bool(away & set(ids)),
        )
        for schedule, ids, coming in found
    ]  # fmt: skip


def calendar_of(schedule: OnCallSchedule, *, weeks: int, around: datetime, at: datetime, viewer: User) -> Calendar:
    """``weeks`` whole weeks from the one ``around`` lies in, each with a lane for every layer, the lowest first, and the final one."""
    zone = ZoneInfo(schedule.time_zone)
    monday = week_start(around.astimezone(zone).date())
    walls = [datetime.combine(monday + timedelta(weeks=number), datetime.min.time()) for number in range(weeks + 1)]
    edges = [instant(wall, zone) for wall in walls]
    plan = plan_of(schedule, start=edges[0], end=edges[-1])
    layers = [(row.name or _("Layer %(n)d") % {"n": row.position}, layer_of(row)) for row in with_people(schedule)]
    final = spans(plan, edges[0], edges[-1])
    alone = [(name, layer_spans(plan, layer, edges[0], edges[-1])) for name, layer in layers]
    names = _names(plan, final)
    holes = gaps(final, edges[0], edges[-1])
    whole = sorted(
        [*(span for span in final if span.user_id is not None), *(Span(begins, ends, None) for begins, ends in holes)], key=_start
    )
    draw = _Drawing(zone, names, at, viewer.pk)
    found = []
    for number in range(weeks):
        wall, begins, ends = walls[number], edges[number], edges[number + 1]
        days = [wall + timedelta(days=day) for day in range(7)]
        today = at.astimezone(zone).date()
        week = Week([(day, day.date() == today) for day in days])
        week.lanes = [Lane(name, draw.bars(each, wall, begins, ends)) for name, each in alone]
        week.lanes.append(Lane(_("On call"), draw.bars(whole, wall, begins, ends), is_final=True))
        found.append(week)
    handovers = [draw.bar(span, edges[0], edges[-1], walls[0]) for span in whole if span.start > at]
    return Calendar(schedule, zone, edges[0], edges[-1], found, handovers, len(holes))


def asked_of_me(viewer: User, *, at: datetime) -> list[ShiftSwap]:
    """Swaps that wait for this person's own answer, whichever schedule is looked at."""
    rows = ShiftSwap.objects.filter(asked_of=viewer, state=ShiftSwap.State.OPEN, ends_at__gt=at, schedule__is_active=True)
    return list(rows.select_related("asked_by", "schedule").order_by("starts_at")[:SHOWN_OVERRIDES])


def side_of(schedule: OnCallSchedule, *, at: datetime, viewer: User) -> dict[str, object]:
    """Overrides and swaps ahead, what is wrong, and what this viewer may do."""
    overrides = OnCallOverride.objects.filter(schedule=schedule, is_cancelled=False, ends_at__gt=at).select_related("user", "swap")
    swaps = list(
        ShiftSwap.objects.filter(schedule=schedule, state=ShiftSwap.State.OPEN, ends_at__gt=at)
        .select_related("asked_by", "asked_of", "schedule")
        .order_by("starts_at")[:SHOWN_OVERRIDES]
    )
    may_manage = may(viewer, "manage_oncall", schedule)
    return {
        "overrides": overrides.order_by("starts_at", "pk")[:SHOWN_OVERRIDES],
        "swaps": [(swap, may_take(viewer, swap), may_manage or swap.asked_by_id == viewer.pk) for swap in swaps],
        "problems": problems(schedule=schedule, at=at),
        "may_manage": may_manage,
        "people": list(candidates(schedule)),
        "stands": any(member.user_id == viewer.pk for layer in with_people(schedule) for member in layer.members.all()),
    }


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


class _Drawing:
    def __init__(self, zone: ZoneInfo, names: dict[int, tuple[str, int]], at: datetime, viewer_id: int) -> None:
        self.zone, self.names, self.at, self.viewer_id = zone, names, at, viewer_id

    def bars(self, found: Sequence[Span], wall: datetime, begins: datetime, ends: datetime) -> list[Bar]:
        return [self.bar(span, begins, ends, wall) for span in found if span.start < ends and span.end > begins]

    def bar(self, span: Span, begins: datetime, ends: datetime, wall: datetime) -> Bar:
        start, end = max(span.start, begins), min(span.end, ends)
        left = min(self._hour(start, wall), HOURS - 1)
        right = HOURS if end == ends else max(self._hour(end, wall), left + 1)
        name, tint = self.names.get(span.user_id or 0, (_("Nobody"), 0))
        return Bar(
            start=span.start, end=span.end, name=name, column=left, width=min(right, HOURS) - left, tint=tint,
            is_gap=span.user_id is None, is_override=span.override_id is not None, is_mine=span.user_id == self.viewer_id,
            is_past=span.end <= self.at,
        )  # fmt: skip

    def _hour(self, moment: datetime, wall: datetime) -> int:
        return round((moment.astimezone(self.zone).replace(tzinfo=None) - wall) / timedelta(hours=1))


def _names(plan: Schedule, final: Sequence[Span]) -> dict[int, tuple[str, int]]:
    """Each person's name and tint: the tint follows the order in which people stand in the layers."""
    order = list(dict.fromkeys([user_id for layer in plan.layers for user_id in layer.people]))
    order += [span.user_id for span in final if span.user_id is not None and span.user_id not in order]
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=order)}
    return {user_id: (names.get(user_id, ""), number % TINTS) for number, user_id in enumerate(dict.fromkeys(order))}


def _start(span: Span) -> datetime:
    return span.start.astimezone(UTC)
