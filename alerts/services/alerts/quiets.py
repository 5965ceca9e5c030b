"""What keeps an alert from paging: silences and inhibitions, looked up once for as many alerts as there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.analytics.matching import matches
from alerts.models import Alert, Inhibition, Silence
from alerts.services.alerts.labels import labels_of, with_labels

QUIETABLE = frozenset({Alert.Kind.RULE, Alert.Kind.STORM})  # what a rule fired; what a person or the auditor raised is heard


@dataclass(frozen=True)
class Quiets:
    """The silences in force and the inhibitions in use at one moment."""

    silences: tuple[Silence, ...]
    inhibitions: tuple[Inhibition, ...]

    @classmethod
    def at(cls, now: datetime) -> Quiets:
        return cls(tuple(Silence.objects.in_force(at=now).order_by("-ends_at", "-pk")), tuple(Inhibition.objects.filter(is_active=True)))

    def silence_of(self, alert: Alert, labels: Mapping[str, str] | None = None) -> Silence | None:
        """The one in force that ends last: where silences overlap the alert stays quiet until the last of them has ended."""
        if not self.silences:
            return None
        labels = labels or labels_of(alert)
        return next((silence for silence in self.silences if reaches(silence, alert) and matches(silence.matchers, labels)), None)

    def may_inhibit(self, labels: Mapping[str, str]) -> bool:
        return any(matches(one.source, labels) for one in self.inhibitions)

    def inhibitor_of(self, alert: Alert, labels: Mapping[str, str] | None = None) -> tuple[Inhibition, Alert] | None:
        """The inhibition and the open alert because of which this one pages nobody."""
        labels = labels or labels_of(alert)
        wanted = [one for one in self.inhibitions if matches(one.target, labels)]
        if not wanted:
            return None
        open_ones = sources()
        for inhibition in wanted:
            for source in open_ones:
                if inhibits(inhibition, source, alert):
                    return inhibition, source
        return None

    def inhibited_by(self, source: Alert, among: Sequence[Alert]) -> list[tuple[Inhibition, Alert]]:
        """Which of the others ``source`` quiets."""
        labels = labels_of(source)
        wanted = [one for one in self.inhibitions if matches(one.source, labels)]
        found: dict[int, tuple[Inhibition, Alert]] = {}
        for inhibition in wanted:
            for alert in among:
                if alert.pk not in found and inhibits(inhibition, source, alert):
                    found[alert.pk] = (inhibition, alert)
        return list(found.values())


def sources() -> list[Alert]:
    """Alerts that may inhibit others: open, and not themselves quiet for the same reason."""
    return list(with_labels(Alert.objects.open().filter(inhibited_by=None)).order_by("pk")[:2000])


def inhibits(inhibition: Inhibition, source: Alert, target: Alert) -> bool:
    """Whether ``source`` quiets ``target``. Never itself; and of two that are both of either kind neither quiets the other."""
    if source.pk == target.pk:
        return False
    of_source, of_target = labels_of(source), labels_of(target)
    if not matches(inhibition.source, of_source) or not matches(inhibition.target, of_target):
        return False
    if matches(inhibition.source, of_target) and matches(inhibition.target, of_source):
        return False
    if any(not of_source.get(field) or of_source[field] != of_target.get(field) for field in inhibition.equal):
        return False
    return not inhibition.is_within or lies_within(target, source)


def lies_within(inner: Alert, outer: Alert) -> bool:
    """Whether ``inner`` lies in the zone of ``outer``, or in its governorate where it has no narrower zone."""
    if outer.zone_id is None or outer.zone_id == outer.governorate_id:
        return outer.governorate_id is not None and inner.governorate_id == outer.governorate_id
    if inner.zone_id == outer.zone_id:
        return True
    if inner.location is not None and outer.zone is not None:
        return bool(outer.zone.boundary.covers(inner.location))
    zone, steps = inner.zone, 0
    while zone is not None and zone.parent_id is not None and steps < 4:
        if zone.parent_id == outer.zone_id:
            return True
        zone, steps = zone.parent, steps + 1
    return False


def reaches(silence: Silence, alert: Alert) -> bool:
    """A silence of an agency or a governorate quiets nothing outside it."""
    if silence.agency_id is not None and silence.agency_id != alert.agency_id:
        return False
    return silence.governorate_id is None or silence.governorate_id == alert.governorate_id
