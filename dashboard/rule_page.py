"""What the pages of alert rules show: the list, one rule with what waits beside it, a replay as a chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import get_language

from accounts.models import User
from alerts.models import Alert, AlertRule, RuleProposal, RuleReplay
from alerts.services.rules import newest, newest_number
from alerts.services.rules.access import may_write
from alerts.services.rules.activation import replay_of
from alerts.services.rules.checking import BLOCKER, Finding, look_over
from alerts.services.rules.content import content_of
from alerts.services.rules.replay_words import in_words, name_of
from alerts.services.rules.words import preview
from core.errors import Invalid

MOST_RULES = 500
STATES = ("active", "waiting", "draft", "off")


def rules_for(user: User, *, state: str = "", source: str = "", words: str = "") -> QuerySet[AlertRule]:
    rows: QuerySet[AlertRule] = AlertRule.objects.visible_to(user)
    if state == "waiting":
        rows = rows.filter(Q(state="waiting") | Q(proposal__submitted_at__isnull=False))
    elif state:
        rows = rows.filter(state=state)
    if source:
        rows = rows.filter(source=source)
    if words:
        rows = rows.filter(Q(name_en__icontains=words) | Q(name_ar__icontains=words) | Q(code__icontains=words))
    since = timezone.now() - timedelta(days=7)
    return (
        rows.select_related("agency", "policy", "proposal", "submitted_by", "proposal__submitted_by")
        .annotate(
            week=Count("alerts", filter=Q(alerts__opened_at__gt=since, alerts__kind=Alert.Kind.RULE)), last_at=Max("alerts__opened_at")
        )
        .order_by("priority", "code")
    )


@dataclass
class Bar:
    """A column of the chart, in a box 100 high."""

    x: float
    width: float
    y: float
    height: float
    label: str
    count: int


@dataclass
class ReplayShown:
    """A replay in words and as a chart of its days."""

    kept: RuleReplay

    @cached_property
    def words(self) -> list[str]:
        return in_words(self.kept)

    @cached_property
    def days(self) -> list[Bar]:
        counts = {date.fromisoformat(day): n for day, n in (self.kept.result.get("by_day") or {}).items()}
        last = timezone.localtime(self.kept.until).date()
        return _bars([(day, counts.get(day, 0)) for day in (last - timedelta(days=back) for back in range(self.kept.days, -1, -1))])

    @cached_property
    def hours(self) -> list[Bar]:
        counts = self.kept.result.get("by_hour") or [0] * 24
        return _bars(list(enumerate(counts)))

    @property
    def most_a_day(self) -> int:
        return max((bar.count for bar in self.days), default=0)

    @property
    def zones(self) -> list[tuple[str, int]]:
        return [(name_of(row), row["alerts"]) for row in self.kept.result.get("by_zone") or ()]

    @property
    def people(self) -> list[dict[str, Any]]:
        return list(self.kept.result.get("people") or ())

    @property
    def is_synthetic(self) -> bool:
        return bool(self.kept.result.get("is_synthetic"))


def _bars(values: list[tuple[Any, int]]) -> list[Bar]:
    most = max((count for _key, count in values), default=0) or 1
    width = 100 / max(len(values), 1)
    bars = []
    for number, (key, count) in enumerate(values):
        height = round(96 * count / most, 2)
        label = f"{key:%d/%m}" if isinstance(key, date) else f"{key:02d}:00"
        bars.append(Bar(round(number * width + width * 0.1, 2), round(width * 0.8, 2), round(100 - height, 2), height, label, count))
    return bars


@dataclass
class RulePage:
    """One rule for one person: what runs, what waits, what it says, what they may do."""

    rule: AlertRule
    viewer: User
    problem: str = ""
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.findings = look_over(self.newest)

    @cached_property
    def proposal(self) -> RuleProposal | None:
        return RuleProposal.objects.filter(rule=self.rule).select_related("submitted_by", "changed_by").first()

    @cached_property
    def newest(self) -> AlertRule:
        return newest(self.rule)

    @cached_property
    def number(self) -> int:
        return newest_number(self.rule)

    @cached_property
    def said(self) -> list[str]:
        return preview(self.newest)["ar" if (get_language() or "").startswith("ar") else "en"]

    @cached_property
    def said_otherwise(self) -> list[str]:
        return preview(self.newest)["en" if (get_language() or "").startswith("ar") else "ar"]

    @cached_property
    def runs(self) -> list[str]:
        """What runs now, where something else waits beside it."""
        if self.proposal is None:
            return []
        return preview(self.rule)["ar" if (get_language() or "").startswith("ar") else "en"]

    @property
    def differences(self) -> list[str]:
        if self.proposal is None:
            return []
        try:
            before, after = content_of(self.rule), content_of(self.newest)
        except Invalid:
            return []
        return [
            str(AlertRule._meta.get_field(key).verbose_name)  # type: ignore[union-attr]
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        ]

    @cached_property
    def replay(self) -> ReplayShown | None:
        kept = replay_of(self.rule, self.number)
        return ReplayShown(kept) if kept is not None else None

    @property
    def is_waiting(self) -> bool:
        return self.proposal.submitted_at is not None if self.proposal is not None else self.rule.state == AlertRule.State.WAITING

    @property
    def holder(self) -> Any:
        return self.proposal or self.rule

    @property
    def is_blocked(self) -> bool:
        return any(each.kind in (BLOCKER, "error") for each in self.findings)

    @property
    def may_draft(self) -> bool:
        return may_write(self.viewer, "draft_rule", self.rule)

    @property
    def may_activate(self) -> bool:
        return may_write(self.viewer, "activate_rule", self.rule)

    @property
    def is_own(self) -> bool:
        """Whether this person submitted it or changed it last, so that another has to switch it on."""
        return self.viewer.pk in (self.holder.submitted_by_id, self.holder.changed_by_id)

    @property
    def may_submit(self) -> bool:
        in_place = self.proposal is not None or self.rule.state in ("draft", "off")
        return self.may_draft and not self.is_waiting and in_place and not self.is_blocked

    @cached_property
    def versions(self) -> Any:
        return self.rule.versions.select_related("made_by").order_by("-number")[:20]
