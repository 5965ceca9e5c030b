"""What is over: the thing came back, the count fell, a newer run no longer finds it. And whether something quiet is still wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import events as announced
from alerts.analytics.modifiers import in_force
from alerts.models import Alert, AlertRule, AlertState, Occurrence
from alerts.services.alerts.recording import announce
from alerts.services.alerts.resolving import close
from alerts.services.engine.compiled import CompiledRule, Rules, active_rules
from alerts.services.engine.counting import Ask, Count, count
from alerts.services.engine.findings import standing
from alerts.services.engine.gathering import ask_again, may_lower
from alerts.services.engine.storms import STORM_LASTS
from alerts.services.rules.conditions import CountCondition, EventCondition
from core.models import Event
from incidents.lifecycle import FINAL
from incidents.models import Incident

Source = AlertRule.Source
BACK: dict[str, frozenset[str]] = {
    Source.FEED_SILENCE: frozenset({"feed.back"}),
    Source.CAMERA: frozenset({"camera.back", "device.online"}),
    Source.READING: frozenset({"anomaly.resolved"}),
}
MOST_SUBJECTS = 500
AT_ONCE = 500


def recovers_on(rule: CompiledRule) -> frozenset[str]:
    """The events that end the rule's alerts about their subject."""
    if isinstance(rule.condition, EventCondition):
        return frozenset(rule.condition.recovers_on)
    return BACK.get(rule.source, frozenset())


def by_events(events: Sequence[Event], rules: Rules, *, now: datetime) -> int:
    """End the alerts whose subjects these events say are well again."""
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        told[event.type].append(event)
    count_of = 0
    gone = any(event.data.get("change") == "gone" for event in told.get("hot_spot.changed", ()))
    for rule in rules.rules:
        if gone and rule.source == Source.HOT_SPOT and rule.rule.resolves_by_recovery:
            count_of += of_findings(rule, rules, now=now)
        back = [event for type in recovers_on(rule) for event in told.get(type, ())]
        if not back:
            continue
        # Waiting firings (a cooldown, a camera's patience) about these subjects ask for themselves when they are due.
        subjects = {(event.subject_type, event.subject_id) for event in back}
        about = Alert.objects.open().filter(rule_id=rule.pk, subject_id__in=[pk for _kind, pk in subjects])
        joined = Alert.objects.open().filter(
            rule_id=rule.pk, occurrences__event_id__in=Event.objects.filter(
                subject_type__in={kind for kind, _pk in subjects}, subject_id__in=[pk for _kind, pk in subjects]
            ).values("pk"),
        )  # fmt: skip
        for alert in list(about.union(joined)):
            if rule.rule.resolves_by_recovery and not still_holds(alert, now=now, rules=rules):
                count_of += recover(alert.pk, now=now)
    return count_of


def recover(alert_id: int, *, now: datetime, outcome: str = "") -> bool:
    with transaction.atomic():
        alert = Alert.objects.select_for_update(no_key=True).filter(pk=alert_id).exclude(state=AlertState.RESOLVED).first()
        if alert is None:
            return False
        close(alert, because=Alert.Because.RECOVERY, outcome=outcome, now=now)
        return True


def still_holds(alert: Alert, *, now: datetime | None = None, rules: Rules | None = None) -> bool:
    """Whether what fired the alert is still so, asked of its rule's source. A rule that is switched off says nothing any more; what
    merely happened, and has no way to be over, holds until a person ends it."""
    now = now or timezone.now()
    rules = rules or active_rules()
    rule = rules.by_id.get(alert.rule_id or 0)
    if alert.rule_id is not None and rule is None:
        return False
    if rule is None:
        return True
    if alert.kind == Alert.Kind.STORM:
        return alert.last_seen_at > now - STORM_LASTS
    match rule.source:
        case Source.COUNT:
            return _counts_hold([alert], rules, now).get(alert.pk, (False, None))[0]
        case Source.HOT_SPOT | Source.FORECAST:
            return alert.fingerprint in standing(rule, rules, now=now)
    if alert.incident_id is not None and Incident.objects.filter(pk=alert.incident_id, state__in=sorted(FINAL)).exists():
        others = Occurrence.objects.filter(alert=alert, incident__isnull=False).exclude(incident__state__in=sorted(FINAL))
        if not others.exists():
            return False
    back = recovers_on(rule)
    return not back or _some_subject_is_wrong(alert, back)


def _some_subject_is_wrong(alert: Alert, back: Iterable[str]) -> bool:
    """Whether of any subject the alert stands for the last that was said is not that it is back."""
    newest = Occurrence.objects.filter(alert=alert, event_id__isnull=False).order_by("-pk").values_list("event_id", flat=True)
    ids = [pk for pk in newest[:MOST_SUBJECTS] if pk is not None]
    said = list(Event.objects.filter(pk__in=ids).values_list("subject_type", "subject_id", "type"))
    if not said:
        return True
    wrong = {type for _kind, _pk, type in said}
    ends = set(back)
    for kind, pk in {(kind, pk) for kind, pk, _type in said}:
        last = (
            Event.objects.filter(subject_type=kind, subject_id=pk, type__in=wrong | ends)
            .order_by("-pk")
            .values_list("type", flat=True)
            .first()
        )
        if last not in ends:
            return True
    return False


def of_findings(rule: CompiledRule, rules: Rules, *, now: datetime) -> int:
    """End the alerts about hot spots or forecasts whose group has nothing left that stands and is enough."""
    mine = list(Alert.objects.open().filter(kind=Alert.Kind.RULE, rule_id=rule.pk).order_by("pk").values_list("pk", "fingerprint"))
    if not mine:
        return 0
    holding = standing(rule, rules, now=now)
    outcome = _("The hot spot is gone, or small again.") if rule.source == Source.HOT_SPOT else _("The forecast says so no more.")
    return sum(recover(pk, now=now, outcome=outcome) for pk, fingerprint in mine if fingerprint not in holding)


# --- counts --------------------------------------------------------------------------------------


def of_counts_that_fell(events: Sequence[Event], rules: Rules, *, now: datetime) -> int:
    """Incidents were cancelled, merged or reclassified: the alerts that counted them are counted again."""
    ids = {event.subject_id for event in events if event.subject_type == "incident" and may_lower(event) and event.subject_id is not None}
    if not ids or not rules.of(Source.COUNT):
        return 0
    mine = Alert.objects.open().filter(
        kind=Alert.Kind.RULE, rule_id__in=[rule.pk for rule in rules.of(Source.COUNT)],
        pk__in=Occurrence.objects.filter(incident_id__in=ids).values("alert_id"),
    )  # fmt: skip
    return recount(list(mine), rules, now=now)


def recount(alerts: Sequence[Alert], rules: Rules, *, now: datetime) -> int:
    """Count again, all in one; end what has fallen beneath its threshold, and let the others show what is counted now."""
    ended = 0
    for pk, (holds, found) in _counts_hold(alerts, rules, now).items():
        alert = next(one for one in alerts if one.pk == pk)
        rule = rules.by_id[alert.rule_id or 0]
        if not holds and rule.rule.resolves_by_recovery:
            ended += recover(pk, now=now, outcome=_("The count fell to %(count)d.") % {"count": found.now if found else 0})
        elif found is not None and alert.measure != float(found.now):
            facts = {**alert.facts, "count_at_last_look": found.now, "last_look": now.isoformat()}
            if (
                Alert.objects.filter(pk=pk, measure=alert.measure)
                .exclude(state=AlertState.RESOLVED)
                .update(measure=float(found.now), facts=facts)
            ):
                announce(announced.ALERT_GREW, alert, count=alert.occurrence_count, level=alert.level)
    return ended


def _counts_hold(alerts: Sequence[Alert], rules: Rules, now: datetime) -> dict[int, tuple[bool, Count | None]]:
    """Whether the count of each is still as much as it takes, by the thresholds in force now; with the highest of its groups' counts."""
    asks: dict[int, list[Ask]] = {}
    for alert in alerts:
        rule = rules.by_id.get(alert.rule_id or 0)
        if rule is not None and isinstance(rule.condition, CountCondition):
            again = [ask_again(rule, data, now) for data in alert.facts.get("asks", [])]
            asks[alert.pk] = [ask for ask in again if ask is not None]
    counts = count([ask for mine in asks.values() for ask in mine], rules)
    answer: dict[int, tuple[bool, Count | None]] = {}
    for alert in alerts:
        if alert.pk not in asks:
            continue
        rule = rules.by_id[alert.rule_id or 0]
        found = max((counts[ask] for ask in asks[alert.pk] if ask in counts), key=lambda one: one.now, default=None)
        answer[alert.pk] = (found is not None and found.now >= least_of(rule, rules, now) - 1e-9, found)
    return answer


def least_of(rule: CompiledRule, rules: Rules, now: datetime) -> float:
    """Beneath this a count has recovered."""
    condition = rule.condition
    if isinstance(condition, CountCondition) and condition.recovers_below is not None:
        return condition.recovers_below
    factor = in_force(rule.modifiers, now, rules.zone, rules.periods).threshold_factor
    return min(rule.levels.values(), default=1.0) * min(factor, 1.0)
