"""From firings to alerts: what joins, what a cooldown holds back, what is a storm. Nothing that fired is dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.gis.geos import Point
from django.db.models import Count as Tally

from alerts.models import Alert, HeldFiring, Occurrence
from alerts.services.alerts import Seen, open_alert
from alerts.services.alerts.joining import Joining, join_all
from alerts.services.alerts.opening import is_over
from alerts.services.alerts.opening_many import Draft, open_new
from alerts.services.alerts.quiets import Quiets
from alerts.services.engine.compiled import Rules, active_rules
from alerts.services.engine.counting import count
from alerts.services.engine.evaluation import Fact, Firing, is_worse
from alerts.services.engine.storms import storm
from alerts.services.engine.words import titles

HOUR = timedelta(hours=1)
MOST_SEEN = 500
MOST_ASKS = 50  # counts of one group that wait for one cooldown
WAIT = "wait"  # held until it has lasted long enough, and by no cooldown


@dataclass
class Applied:
    """What became of a batch's firings."""

    opened: int = 0
    joined: int = 0
    held: int = 0
    stormed: int = 0
    known: int = 0
    alerts: list[Alert] = field(default_factory=list)


@dataclass
class _Recent:
    """A rule's alerts of the last while, to tell whether it is to be quiet."""

    opened_at: datetime
    zone_id: int | None
    type_code: str
    level: str


@dataclass
class Gates:
    """Everything that decides over a batch's firings, read in four statements."""

    open: dict[str, int]
    recent: dict[int, list[_Recent]]
    in_hour: dict[int, int]
    told: set[tuple[str, int | None, int | None]] = field(default_factory=set)

    @classmethod
    def read(cls, firings: Sequence[Firing], now: datetime) -> Gates:
        rules = {firing.rule.pk: firing.rule.rule for firing in firings}
        prints = {firing.fingerprint for firing in firings}
        cooling = {pk: longest for pk, rule in rules.items() if (longest := max(rule.cooldown_zone_min, rule.cooldown_type_min))}
        recent: dict[int, list[_Recent]] = defaultdict(list)
        if cooling:
            since = now - timedelta(minutes=max(cooling.values()))
            rows = Alert.objects.filter(rule_id__in=cooling, kind=Alert.Kind.RULE, opened_at__gt=since)
            for rule_id, *row in rows.values_list("rule_id", "opened_at", "zone_id", "type_code", "level"):
                recent[rule_id].append(_Recent(*row))
        in_hour = Alert.objects.filter(rule_id__in=rules, kind=Alert.Kind.RULE, opened_at__gt=now - HOUR)
        return cls(
            open=dict(Alert.objects.open().filter(fingerprint__in=prints).values_list("fingerprint", "pk")),
            recent=recent,
            in_hour={row["rule_id"]: row["n"] for row in in_hour.order_by().values("rule_id").annotate(n=Tally("pk"))},
        )

    def read_told(self, firings: Sequence[Firing]) -> None:
        rules = {firing.rule.pk for firing in firings}
        seen = [one for firing in firings for one in firing.fact.seen]
        events = {one.event_id for one in seen if one.event_id is not None}
        incidents = {one.incident_id for one in seen if one.event_id is None and one.incident_id is not None}
        for wanted in ({"event_id__in": events} if events else None, {"incident_id__in": incidents} if incidents else None):
            if wanted is not None:
                rows_told = Occurrence.objects.filter(alert__rule_id__in=rules, **wanted)
                self.told |= set(rows_told.values_list("alert__fingerprint", "event_id", "incident_id"))

    def lock(self, firings: Sequence[Firing]) -> dict[str, Alert]:
        """The open alerts these belong to, held until the transaction ends."""
        wanted = {self.open[firing.fingerprint] for firing in firings if firing.fingerprint in self.open and not self.is_told(firing)}
        rows = Alert.objects.open().select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk") if wanted else ()
        return {alert.fingerprint: alert for alert in rows}

    def is_told(self, firing: Firing) -> bool:
        """Whether an alert of this group stands for all of it already: the log read twice, a count in which nothing is new."""
        return bool(firing.fact.seen) and all((firing.fingerprint, one.event_id, one.incident_id) in self.told for one in firing.fact.seen)

    def cooldown(self, firing: Firing, now: datetime) -> tuple[str, datetime] | None:
        """Until when the rule is to be quiet for this zone or type, and which. What is worse than that alert gets through."""
        rule, fact = firing.rule.rule, firing.fact
        if not (rule.cooldown_zone_min or rule.cooldown_type_min):
            return None
        found: list[tuple[datetime, str]] = []
        for one in self.recent.get(rule.pk, ()):
            if is_worse(firing.level, one.level):
                continue
            if fact.zone_id is not None and one.zone_id == fact.zone_id:
                found.append((one.opened_at + timedelta(minutes=rule.cooldown_zone_min), "zone"))
            if fact.type_code and one.type_code == fact.type_code:
                found.append((one.opened_at + timedelta(minutes=rule.cooldown_type_min), "type"))
        until, why = max(found, default=(now, ""))
        return (why, until) if until > now else None

    def is_storm(self, firing: Firing) -> bool:
        return self.in_hour.get(firing.rule.pk, 0) >= firing.rule.rule.most_per_hour

    def note(self, firing: Firing, now: datetime) -> None:
        """What is being opened counts for the firings after it."""
        self.recent.setdefault(firing.rule.pk, []).append(_Recent(now, firing.fact.zone_id, firing.fact.type_code, firing.level))
        self.in_hour[firing.rule.pk] = self.in_hour.get(firing.rule.pk, 0) + 1


def apply(
    firings: Sequence[Firing], *, now: datetime, quiets: Quiets | None = None, is_due: bool = False, rules: Rules | None = None
) -> Applied:
    """Open, join, hold back. ``is_due``: they were held back before, and their time has come.

    What opens is written for the whole batch at once; several firings of one group in a batch are one alert.
    """
    done = Applied()
    if not firings:
        return done
    gates = Gates.read(firings, now)
    quiets = quiets or Quiets.at(now)
    opening: dict[str, Firing] = {}
    holding: list[tuple[Firing, str, datetime]] = []
    going: list[Firing] = []
    storming: dict[int, list[Firing]] = defaultdict(list)
    for firing in firings:
        # A count is counted again when its cooldown ends: what it stands for now need not be known.
        wait = gates.cooldown(firing, now) if firing.ask is not None and not is_due and firing.fingerprint not in gates.open else None
        if wait is None:
            going.append(firing)
        else:
            holding.append((firing, *wait))
            done.held += 1
    going = named(going, rules)
    gates.read_told(going)
    locked = gates.lock(going)
    joining: dict[str, Firing] = {}
    for firing in going:
        is_open = firing.fingerprint in gates.open
        if gates.is_told(firing):
            done.known += 1
            continue
        if firing.fingerprint in opening:
            opening[firing.fingerprint] = merged(opening[firing.fingerprint], firing)
            done.joined += 1
            continue
        wait = None if is_open or is_due else gates.cooldown(firing, now)
        if wait is not None:
            holding.append((firing, wait[0], wait[1]))
            done.held += 1
        elif (
            is_open
            and (known := locked.get(firing.fingerprint))
            and not is_over(known, firing.fact.seen, firing.rule.rule.group_window_min, now)
        ):
            joining[firing.fingerprint] = merged(joining[firing.fingerprint], firing) if firing.fingerprint in joining else firing
            done.joined += 1
        elif is_open:
            locked.pop(firing.fingerprint, None)
            alert = open_for(firing, quiets=quiets, now=now)
            done.alerts.append(alert)
            if alert.pk == gates.open[firing.fingerprint]:
                done.joined += 1
            else:  # the one that was open is over: see ``open_alert``
                done.opened += 1
                gates.note(firing, now)
                gates.open[firing.fingerprint] = alert.pk
        elif gates.is_storm(firing):
            storming[firing.rule.pk].append(firing)
            done.stormed += 1
        else:
            opening[firing.fingerprint] = firing
            gates.note(firing, now)
    done.alerts += [locked[fingerprint] for fingerprint in joining]
    join_all(joining=[joining_of(locked[fingerprint], firing) for fingerprint, firing in joining.items()], now=now)
    made = open_new(drafts=[draft_alert(firing, now) for firing in opening.values()], quiets=quiets, now=now) if opening else {}
    for fingerprint, firing in opening.items():
        # Another process opened one of the same group a moment ago: it joins.
        done.alerts.append(made.get(fingerprint) or open_for(firing, quiets=quiets, now=now))
    done.opened += len(opening)
    for of_rule in storming.values():
        storm(of_rule, quiets=quiets, now=now)
    hold_all(holding)
    return done


def named(firings: Sequence[Firing], rules: Rules | None) -> list[Firing]:
    """The firings, with the incidents that a count has only counted so far."""
    asks = {firing.ask for firing in firings if firing.ask is not None}
    counts = count(list(asks), rules or active_rules()) if asks else {}
    return [
        firing
        if firing.ask is None
        else replace(firing, ask=None, fact=replace(firing.fact, seen=counts[firing.ask].seen if firing.ask in counts else ()))
        for firing in firings
    ]


def merged(first: Firing, second: Firing) -> Firing:
    """Two firings of one group in one batch: the worse level, the newer count, and all that either stands for."""
    seen = {(one.event_id, one.incident_id): one for one in (*first.fact.seen, *second.fact.seen)}
    newer = second if (second.measure or 0.0) >= (first.measure or 0.0) else first
    worse = second.level if is_worse(second.level, first.level) else first.level
    return replace(newer, level=worse, fact=replace(newer.fact, at=first.fact.at, seen=tuple(seen.values())))


def joining_of(alert: Alert, firing: Firing) -> Joining:
    return Joining(
        alert=alert,
        seen=firing.fact.seen[:MOST_SEEN],
        level=firing.level,
        measure=firing.measure,
        threshold=firing.threshold,
        facts=firing.facts,
        title=titles(firing),
        is_synthetic=firing.fact.is_synthetic,
        resolve_after_min=firing.rule.rule.resolve_after_min,
        hurry_percent=firing.in_force.hurry_percent,
    )


def draft_alert(firing: Firing, now: datetime) -> Draft:
    rule, fact = firing.rule.rule, firing.fact
    given = alert_fields(firing)
    given.pop("group_window_min")
    resolve_after_min, policy, seen = given.pop("resolve_after_min"), given.pop("policy"), given.pop("seen")
    kind, number = given.pop("subject")
    alert = Alert(
        **given, rule_version=rule.version, subject_type=kind, subject_id=number, opened_at=now, last_seen_at=now,
        occurrence_count=max(1, len(seen)), resolve_due_at=now + timedelta(minutes=resolve_after_min),
    )  # fmt: skip
    labels = {
        "rule": rule.code, "kind": str(Alert.Kind.RULE), "level": firing.level, "source": rule.source, "agency": fact.agency,
        "governorate": fact.governorate, "zone": fact.zone, "type": fact.type_code, "category": fact.category,
    }  # fmt: skip
    if not fact.agency and rule.agency is not None:
        labels["agency"] = rule.agency.slug
    return Draft(alert=alert, policy=policy, seen=seen, hurry_percent=firing.in_force.hurry_percent, labels=labels)


def open_for(firing: Firing, *, quiets: Quiets, now: datetime) -> Alert:
    return open_alert(**alert_fields(firing), hurry_percent=firing.in_force.hurry_percent, quiets=quiets, now=now)


def alert_fields(firing: Firing) -> dict[str, Any]:
    """What an alert of this firing says, as ``open_alert`` takes it."""
    rule, fact = firing.rule.rule, firing.fact
    english, arabic = titles(firing)
    return {
        "kind": Alert.Kind.RULE,
        "fingerprint": firing.fingerprint,
        "level": firing.level,
        "title_en": english,
        "title_ar": arabic,
        "caused_at": fact.at,
        "rule": rule,
        "policy": rule.policy,
        "agency_id": fact.agency_id or rule.agency_id,
        "governorate_id": fact.governorate_id,
        "zone_id": fact.zone_id,
        "location": Point(*fact.location, srid=4326) if fact.location else None,
        "incident_id": fact.incident_id,
        "subject": fact.subject,
        "measure": firing.measure,
        "threshold": firing.threshold,
        "facts": dict(firing.facts),
        "type_code": fact.type_code,
        "category": fact.category,
        "priority": rule.priority,
        "is_synthetic": fact.is_synthetic,
        "resolve_after_min": rule.resolve_after_min,
        "group_window_min": rule.group_window_min,
        "seen": fact.seen[:MOST_SEEN],
    }


# --- held back -----------------------------------------------------------------------------------


def hold(firing: Firing, *, held_by: str, due_at: datetime) -> None:
    hold_all([(firing, held_by, due_at)])


def hold_all(holding: Sequence[tuple[Firing, str, datetime]]) -> None:
    """Keep them for when the cooldown ends. What comes later takes its place, keeps what it stood for, and waits no longer."""
    if not holding:
        return
    wanted: dict[tuple[int, str], list[tuple[Firing, str, datetime]]] = defaultdict(list)
    for one in holding:
        wanted[one[0].rule.pk, one[0].fingerprint].append(one)
    rows = HeldFiring.objects.select_for_update().filter(fingerprint__in={one for _rule, one in wanted}).order_by("pk")
    known = {(row.rule_id, row.fingerprint): row for row in rows}
    fresh: list[HeldFiring] = []
    changed: list[HeldFiring] = []
    for at, mine in wanted.items():
        row = known.get(at)
        draft = row.draft if row is not None else draft_of(mine[0][0])
        for firing, _held_by, _due_at in mine if row is not None else mine[1:]:
            draft = joined_drafts(draft, draft_of(firing))
        if row is None:
            firing, held_by, due_at = mine[0]
            fresh.append(HeldFiring(rule=firing.rule.rule, fingerprint=firing.fingerprint, held_by=held_by, due_at=due_at, draft=draft))
        elif draft != row.draft:
            row.draft = draft
            changed.append(row)
    HeldFiring.objects.bulk_create(fresh, ignore_conflicts=True)
    HeldFiring.objects.bulk_update(changed, ["draft"])


def joined_drafts(old: Mapping[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The worse of two, the newer where they are alike, with all that either stands for; of counts all that are to be counted again."""
    if new["fact"]["type"] == "count":
        why = old["fact"]["why"]
        asks = [*why["asks"], *(one for one in new["fact"]["why"]["asks"] if one not in why["asks"])][:MOST_ASKS]
        return {**old, "fact": {**old["fact"], "why": {**why, "asks": asks}}}
    seen = {(one["event_id"], one["incident_id"]): one for one in (*old.get("seen", []), *new["seen"])}
    kept = dict(old) if is_worse(old.get("level", "low"), new["level"]) else new
    return {**kept, "seen": list(seen.values())[-MOST_SEEN:]}


_OF_A_FACT = tuple(one.name for one in fields(Fact) if one.name != "seen")


def draft_of(firing: Firing) -> dict[str, Any]:
    """All that is needed to open it later, in plain values. Of a count: what to count again."""
    fact = {name: getattr(firing.fact, name) for name in _OF_A_FACT}
    fact["places"] = sorted(firing.fact.places)
    fact["at"] = firing.fact.at.isoformat()
    fact["subject"] = list(firing.fact.subject)
    if firing.fact.type == "count":
        fact["why"] = {"asks": firing.fact.why["asks"]}
        return {"fact": fact, "level": firing.level, "seen": []}
    return {
        "fact": fact,
        "level": firing.level,
        "seen": [
            {"at": one.at.isoformat(), "event_id": one.event_id, "incident_id": one.incident_id, "measure": one.measure}
            for one in firing.fact.seen
        ],
    }


def seen_of(draft: Mapping[str, Any]) -> tuple[Seen, ...]:
    found: Iterable[Mapping[str, Any]] = draft.get("seen", [])
    return tuple(Seen(datetime.fromisoformat(one["at"]), one["event_id"], one["incident_id"], one["measure"]) for one in found)
