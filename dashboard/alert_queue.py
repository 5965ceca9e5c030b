"""The queue of alerts: whose alerts a person is shown, in what order, what narrows them, and what a row says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.db.models import Case, Count, Exists, IntegerField, OuterRef, Prefetch, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from alerts.models import Alert, AlertRule, AlertState, EscalationRun, Level, Occurrence
from alerts.permissions import may
from alerts.querysets import AlertQuerySet, is_quiet, paging
from dashboard.filters import Key, ViewersNarrowing
from incidents.models import Incident

PAGE_SIZE = 100
STATES = [
    ("open", gettext_lazy("Open")),
    ("firing", gettext_lazy("Firing")),
    ("acknowledged", gettext_lazy("Acknowledged")),
    ("quiet", gettext_lazy("Quiet for now")),
    ("resolved", gettext_lazy("Resolved")),
    ("all", gettext_lazy("All")),
]
# What is offered where something is put off, in minutes.
WAITS = (15, 30, 60, 120, 240, 480)


def alerts_for(user: User) -> AlertQuerySet:
    rows: AlertQuerySet = Alert.objects.shown_to(user)
    return rows


def alerts_about(user: User, incident: Incident) -> list[Alert]:
    """Alerts this incident caused or is part of, the newest first."""
    mine = alerts_for(user).filter(Q(incident=incident) | Q(Exists(Occurrence.objects.filter(alert=OuterRef("pk"), incident=incident))))
    return list(mine.for_card().order_by("-pk")[:20])


def for_rows(alerts: AlertQuerySet, user: User) -> QuerySet[Alert]:
    """Ready to be drawn: what fires first, the worst and the newest of it on top; then what is quiet, acknowledged, resolved."""
    running = EscalationRun.objects.filter(state__in=["running", "paused"]).only("id", "alert_id", "state", "step_no", "next_at")
    group = Case(
        When(state=AlertState.RESOLVED, then=Value(3)),
        When(is_quiet(), then=Value(2)),
        When(state=AlertState.ACKNOWLEDGED, then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    rank = Case(*(When(level=level, then=Value(len(Level) - level.rank)) for level in Level), default=Value(9), output_field=IntegerField())
    ready = alerts.for_card().annotate(group=group, rank=rank, pages_me=paging(user.pk))
    return ready.prefetch_related(Prefetch("runs", queryset=running, to_attr="open_runs")).order_by("group", "rank", "-id")


class QueueFilter(ViewersNarrowing):
    """``?state=&level=&governorate=&rule=&mine=``. What is not understood is as if it had not been said."""

    state = forms.ChoiceField(required=False, choices=STATES, label=gettext_lazy("State"))
    level = forms.MultipleChoiceField(
        required=False, choices=list(reversed(Level.choices)), label=gettext_lazy("Level"), widget=forms.CheckboxSelectMultiple
    )
    governorate = Key(label=gettext_lazy("Governorate"))
    rule = Key(label=gettext_lazy("Rule"))
    mine = forms.BooleanField(required=False, label=gettext_lazy("Only those that page me"))

    @property
    def standing(self) -> str:
        return str(self.values.get("state", "open"))

    def apply(self, alerts: AlertQuerySet) -> AlertQuerySet:
        values = self.values
        if self.standing == "open":
            alerts = alerts.open()
        elif self.standing == "quiet":
            alerts = alerts.quiet()
        elif self.standing == "firing":
            alerts = alerts.loud()
        elif self.standing != "all":
            alerts = alerts.filter(state=self.standing)
        if "level" in values:
            alerts = alerts.filter(level__in=values["level"])
        if "governorate" in values:
            alerts = alerts.filter(governorate_id=values["governorate"])
        if "rule" in values:
            alerts = alerts.filter(rule_id=values["rule"])
        if "mine" in values:
            alerts = alerts.filter(paging(self.viewer.pk) | Q(acknowledged_by=self.viewer))
        return alerts

    @property
    def is_set(self) -> bool:
        return any(not (name == "state" and value == "open") for name, value in self.values.items())

    def standings(self) -> list[dict[str, Any]]:
        return [
            {"text": text, "query": self.query_string(state=None if value == "open" else value), "is_here": value == self.standing}
            for value, text in STATES
        ]

    def rules(self) -> list[AlertRule]:
        """Those this person may see, and that ever fired here."""
        if not self.viewer.can("see_alerts"):
            return []
        fired = Alert.objects.visible_to(self.viewer).filter(rule=OuterRef("pk"))
        return list(AlertRule.objects.visible_to(self.viewer).filter(Exists(fired)).only("id", "code", "name_en", "name_ar"))


@dataclass(frozen=True)
class Counts:
    """How many fire, by level; how many are acknowledged and not ended; how many are quiet."""

    levels: list[tuple[Level, int]]
    acknowledged: int
    quiet: int
    firing: int = field(default=0)


def counts_for(user: User) -> Counts:
    found = alerts_for(user).open().order_by().values("level", "state").annotate(
        loud=Count("pk", filter=~is_quiet()), quiet=Count("pk", filter=is_quiet())
    )  # fmt: skip
    levels: dict[str, int] = dict.fromkeys(Level.values, 0)
    acknowledged = quiet = 0
    for row in found:
        quiet += row["quiet"]
        if row["state"] == AlertState.FIRING:
            levels[row["level"]] += row["loud"]
        else:
            acknowledged += row["loud"]
    return Counts([(level, levels[level]) for level in reversed(Level)], acknowledged, quiet, sum(levels.values()))


def quiet_words(alert: Alert) -> str:
    """Why it pages nobody for now; empty where it does."""
    now, clock = timezone.now(), "%H:%M"
    if not alert.is_open:
        return ""
    if alert.muted_until and alert.muted_until > now:
        return _("muted until %(t)s") % {"t": timezone.localtime(alert.muted_until).strftime(clock)}
    if alert.snoozed_until and alert.snoozed_until > now:
        return _("snoozed until %(t)s") % {"t": timezone.localtime(alert.snoozed_until).strftime(clock)}
    if alert.silenced_by_id:
        return _("silenced: it is expected")
    if alert.inhibited_by_id:
        return _("quiet because of another alert")
    return ""


def next_step_at(alert: Alert) -> Any:
    """When somebody is told next; ``None`` where nobody will be."""
    runs = getattr(alert, "open_runs", ())
    return runs[0].next_at if alert.state == AlertState.FIRING and runs and runs[0].state == "running" else None


@dataclass(frozen=True)
class Row:
    alert: Alert
    severity: int
    quiet: str
    next_at: Any
    may_acknowledge: bool

    @property
    def group(self) -> int:
        return getattr(self.alert, "group", 0)


def rows_of(alerts: Any, user: User) -> list[Row]:
    hears = user.can("ack_alert")
    return [
        Row(
            alert, Level(alert.level).rank + 1, quiet_words(alert), next_step_at(alert),
            alert.state == AlertState.FIRING and (hears or bool(getattr(alert, "pages_me", False))),
        )
        for alert in alerts
    ]  # fmt: skip


def verbs_of(user: User, alert: Alert) -> frozenset[str]:
    """What this person may do with it now."""
    if not alert.is_open:
        return frozenset({"note"}) if may(user, "ack_alert", alert) else frozenset()
    verbs = set()
    if may(user, "ack_alert", alert):
        verbs |= {"note", "snooze"} | ({"acknowledge"} if alert.state == AlertState.FIRING else set())
    if may(user, "override_alert", alert):
        verbs |= {"mute", "resolve", "reassign"} | ({"escalate"} if alert.state == AlertState.FIRING else set())
    return frozenset(verbs)
