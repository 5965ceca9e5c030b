"""One alert as its page shows it: its timeline of everything that was done, who was told by what, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from alerts.models import Alert, AlertLog, AlertState, Delivery, DeliveryState, EscalationRun, Level, Page, StepRun
from alerts.services import whys
from alerts.services.escalation import wording
from alerts.services.escalation.targets import TO_PEOPLE, resolve

# What is shown from the rows themselves, with their own times, and not a second time from the log.
TOLD_BY_ROWS = frozenset({AlertLog.Kind.STEP, AlertLog.Kind.PAGED, AlertLog.Kind.DELIVERY})
CALM = frozenset({AlertLog.Kind.ACKNOWLEDGED, AlertLog.Kind.RESOLVED})
LOUD = frozenset({AlertLog.Kind.OPENED, AlertLog.Kind.REFIRED, AlertLog.Kind.RAISED, AlertLog.Kind.NOBODY, AlertLog.Kind.UNACKNOWLEDGED})
SHOWN_LINES = 300
MOST_NAMED = 6


@dataclass(frozen=True)
class Line:
    """One line of the timeline."""

    at: datetime
    kind: str
    title: str
    details: list[str] = field(default_factory=list)
    text: str = ""
    by: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Told:
    """A person who is or was paged, why, and each message on its way to them."""

    page: Page  # the latest: a person whom several steps mean is told of the same alert
    who: str
    whys: list[str]
    deliveries: list[Delivery]


@dataclass(frozen=True)
class Next:
    """What happens if nobody acknowledges."""

    at: datetime | None
    number: int
    total: int
    words: str
    is_paused: bool
    who: list[str]
    more: int


def timeline_of(alert: Alert) -> list[Line]:
    """The newest first."""
    rows = alert.log.select_related("by").order_by("-id")[:SHOWN_LINES]
    lines = [_of_log(row) for row in rows if row.kind not in TOLD_BY_ROWS and "step_run" not in row.facts]
    steps = StepRun.objects.filter(run__alert=alert).select_related("run").prefetch_related("pages__user", "pages__contact").order_by("-id")
    lines += [_of_step(step) for step in steps[:SHOWN_LINES]]
    deliveries = Delivery.objects.filter(alert=alert).select_related("page__user", "page__contact").order_by("-id")
    lines += [_of_delivery(delivery) for delivery in deliveries[:SHOWN_LINES]]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _of_log(row: AlertLog) -> Line:
    details = []
    until = row.facts.get("until") if isinstance(row.facts, dict) else None
    if isinstance(until, str):
        details.append(_("until %(t)s") % {"t": _clock(until)})
    if row.kind == AlertLog.Kind.NOBODY and row.facts.get("is_end"):
        details.append(_("every step was run, and nobody has acknowledged"))
    if row.kind == AlertLog.Kind.REASSIGNED and isinstance(row.facts.get("name"), str):
        details.append(_("to %(who)s") % {"who": row.facts["name"]})
    title = str(row.get_kind_display())
    if row.through and row.kind != AlertLog.Kind.OPENED:
        title = _("%(what)s through %(channel)s") % {"what": title, "channel": row.get_through_display()}
    tone = "good" if row.kind in CALM else "bad" if row.kind in LOUD else ""
    return Line(row.at, row.kind, title, details, row.note, str(row.by) if row.by else _("the system"), tone)


def _clock(text: str) -> str:
    try:
        return timezone.localtime(datetime.fromisoformat(text)).strftime("%H:%M")
    except ValueError:
        return text


def _of_step(step: StepRun) -> Line:
    title = _("Step %(n)d: %(what)s") % {"n": step.step_no + 1, "what": step.get_kind_display()}
    details = []
    if step.loop:
        details.append(_("round %(n)d of the policy") % {"n": step.loop + 1})
    if step.repeat_no:
        details.append(_("repeated %(n)d") % {"n": step.repeat_no})
    late_s = (step.ran_at - step.due_at).total_seconds()
    if late_s >= 10:
        details.append(_("%(n)d s after it was due") % {"n": late_s})
    if step.outcome != StepRun.Outcome.DONE:
        details.append(str(step.get_outcome_display()))
    people = [_who(page) for page in step.pages.all()]
    text = ngettext("Pages %(who)s", "Page %(who)s", len(people)) % {"who": _(", ").join(people)} if people else ""
    return Line(step.ran_at, "step", title, details, text, _("the system"), "bad" if step.outcome in {"nobody", "failed"} else "")


def _of_delivery(delivery: Delivery) -> Line:
    stamps = [
        (delivery.sent_at, _("sent")),
        (delivery.delivered_at, pgettext("message", "delivered")),
        (delivery.read_at, pgettext("message", "read")),
        (delivery.ended_at, str(delivery.get_state_display()) if delivery.state in {"failed", "cancelled"} else ""),
    ]
    details = [f"{word} {timezone.localtime(at):%H:%M:%S}" for at, word in stamps if at is not None and word]
    if delivery.attempts > 1:
        details.append(ngettext("%(n)d attempt", "%(n)d attempts", delivery.attempts) % {"n": delivery.attempts})
    who = _who(delivery.page) if delivery.page else delivery.address
    title = _("%(channel)s to %(who)s") % {"channel": delivery.get_channel_display(), "who": who}
    tone = {DeliveryState.FAILED: "bad", DeliveryState.DELIVERED: "good", DeliveryState.READ: "good"}.get(DeliveryState(delivery.state), "")
    return Line(delivery.handed_at or delivery.created_at, "delivery", title, [*details, *_error(delivery)], "", "", tone)


def _error(delivery: Delivery) -> list[str]:
    return [delivery.error[:160]] if delivery.state == DeliveryState.FAILED and delivery.error else []


def _who(page: Page) -> str:
    return str(page.user or page.contact)


def told_of(alert: Alert) -> list[Told]:
    """Who was paged, each person once, the latest first."""
    deliveries = Prefetch("deliveries", queryset=Delivery.objects.order_by("rung_no", "id"))
    pages = alert.pages.select_related("user", "contact", "step_run").prefetch_related(deliveries).order_by("-id")
    found: dict[tuple[int | None, int | None], Told] = {}
    for page in pages[:SHOWN_LINES]:
        one = found.setdefault((page.user_id, page.contact_id), Told(page, _who(page), [], []))
        why = whys.of(page)
        if why and why not in one.whys:
            one.whys.append(why)
        one.deliveries.extend(page.deliveries.all())
    return list(found.values())


def next_of(alert: Alert) -> Next | None:
    """``None`` where nothing is under way: acknowledged, resolved, or no policy."""
    run = alert.runs.filter(state__in=["running", "paused"]).first()
    if run is None or alert.state != AlertState.FIRING:
        return None
    steps = _steps(run)
    number = min(run.step_no, max(len(steps) - 1, 0))
    is_over = run.step_no >= len(steps)
    step = steps[number] if steps and not is_over else {}
    words = wording.what(step) if step else _("every step is done; the fallback is told")
    who = [target.name for target in resolve(step, alert, run.next_at or timezone.now())] if step.get("kind") in TO_PEOPLE else []
    is_paused = run.state == EscalationRun.State.PAUSED
    return Next(
        None if is_paused else run.next_at, number + 1, len(steps), words, is_paused, who[:MOST_NAMED], max(0, len(who) - MOST_NAMED)
    )


def _steps(run: EscalationRun) -> list[dict[str, Any]]:
    steps = run.snapshot.get("steps", []) if isinstance(run.snapshot, dict) else []
    return [step for step in steps if isinstance(step, dict)]


def severity_of(alert: Alert) -> int:
    return Level(alert.level).rank + 1
