"""What each source of a rule needs to know: one typed form a source, read strictly. The engine evaluates these, the pages fill them in.

What all rules have (filters, thresholds by level, grouping, modifiers) are columns of the rule and not of its condition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.utils.translation import gettext as _

from alerts.models import AlertRule
from alerts.services.rules.fields import Fields
from incidents.models import HotSpot

Source = AlertRule.Source
# No rule hears what the alerts themselves announce: an alert about alerts would not end.
OWN_EVENTS = ("alert.", "alert_rule.", "alerting.", "escalation_policy.", "oncall.", "silence.", "channel.")
PER = ("area", "block", "governorate", "country")
HOT_SPOT_MEASURES = ("incident_count", "rate_ratio", "severity_score", "density_per_km2")
HOT_SPOT_CHANGES = tuple(HotSpot.Change.values)
FORECAST_MEASURES = ("expected", "over_usual_percent")
FORECAST_PER = ("area", "governorate", "country")
CAMERA_EVENTS = ("offline", "tampered", "degraded")
MOST_WINDOW_H = 24 * 31
GROUP_BY = ("zone", "governorate", "agency", "type", "category", "subject")  # "subject": the feed, camera, unit, hot spot it is about


@dataclass(frozen=True)
class EventCondition:
    """One of ``types`` is announced. ``measure`` names a number in the event's data, which the rule's levels (or ``at_least``) are held
    against; ``where`` holds words its data must have; one of ``recovers_on`` about the same subject ends it."""

    types: tuple[str, ...]
    measure: str = ""
    at_least: float | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    recovers_on: tuple[str, ...] = ()

    def admits(self, data: Mapping[str, Any]) -> bool:
        """Whether an event with this data is meant, ``at_least`` left aside."""
        return all(str(data.get(key, "")) in words for key, words in self.where)


@dataclass(frozen=True)
class CountCondition:
    """Incidents that occurred within the ``window_h`` hours before now, counted for each zone of this kind, and where the rule's
    ``group_by`` names type, category or agency, for each of those apart. It has recovered when the count is beneath ``recovers_below``;
    ``None``: beneath its lowest threshold."""

    window_h: float = 24.0
    per: str = "area"
    recovers_below: float | None = None


@dataclass(frozen=True)
class HotSpotCondition:
    """A hot spot that a run of the analytics found anew or changed in one of these ways. It has recovered when it is gone."""

    changes: tuple[str, ...] = ("born", "grown", "returned")
    measure: str = "incident_count"
    min_incidents: int = 0
    min_rate_ratio: float | None = None
    significant_only: bool = False


@dataclass(frozen=True)
class ForecastCondition:
    """A published forecast for one of the next ``horizon_days`` days. ``over_usual_percent``: above what counting the same weekdays says.
    It has recovered when a newer run no longer says so."""

    horizon_days: int = 1
    measure: str = "expected"
    per: str = "area"
    min_expected: float = 0.0


@dataclass(frozen=True)
class ReadingCondition:
    """A sensor's reading that was called anomalous. ``properties``: what is measured (pressure, level); empty: anything."""

    properties: tuple[str, ...] = ()
    measure: str = "score"
    at_least: float | None = None


@dataclass(frozen=True)
class FeedSilenceCondition:
    """A partner's feed has sent nothing for ``after_min`` minutes. ``feeds``: their sources' short names; empty: every one."""

    after_min: int = 30
    feeds: tuple[str, ...] = ()


@dataclass(frozen=True)
class CameraCondition:
    """A camera that has been so for ``after_min`` minutes; back again is recovery."""

    states: tuple[str, ...] = ("offline",)
    after_min: int = 0


Condition = (
    EventCondition | CountCondition | HotSpotCondition | ForecastCondition | ReadingCondition | FeedSilenceCondition | CameraCondition
)


def parse(source: str, data: object) -> Condition:
    """The condition of a rule of this source. Raise ``Invalid`` naming the key for anything that is not exactly one."""
    if source not in _READERS:
        raise Fields({}, field="source").wrong(_("There is no source “%(source)s”.") % {"source": str(source)[:60]})
    given = Fields(data if data is not None else {}, field="condition", where="condition")
    condition = _READERS[source](given)
    given.done()
    return condition


def to_data(condition: Condition) -> dict[str, Any]:
    """The condition as it is kept and as files write it; what is as by default is left out. ``parse`` of it gives it back."""
    data: dict[str, Any] = {}
    for field in fields(condition):
        value = getattr(condition, field.name)
        if value == field.default and field.name not in _ALWAYS.get(type(condition), ()):
            continue
        if field.name == "where":
            data[field.name] = {key: list(words) for key, words in value}
        else:
            data[field.name] = list(value) if isinstance(value, tuple) else _tidy(value)
    return data


def measure_of(condition: Condition) -> str:
    """What the rule's levels are held against, by name; empty where nothing is measured."""
    match condition:
        case CountCondition():
            return "count"
        case FeedSilenceCondition() | CameraCondition():
            return "minutes"
        case _:
            return condition.measure


def _event(given: Fields) -> EventCondition:
    types = given.words("types")
    if not types:
        raise given.wrong(_("name at least one event"), "types")
    recovers_on = given.words("recovers_on")
    for key, names in (("types", types), ("recovers_on", recovers_on)):
        for name in names:
            if name.startswith(OWN_EVENTS):
                raise given.wrong(_("no rule hears “%(event)s”: an alert about alerts would not end") % {"event": name}, key)
    measure = given.word("measure")
    at_least = given.number("at_least", least=-1e12, most=1e12)
    if at_least is not None and not measure:
        raise given.wrong(_("say which number of the event is meant (measure)"), "at_least")
    conditions = Fields(given.raw("where") or {}, field="condition", where="condition → where")
    where = tuple((key, conditions.words(key)) for key in (given.raw("where") or {}))
    for key, words in where:
        if not words:
            raise conditions.wrong(_("name at least one word"), key)
    return EventCondition(types, measure, at_least, where, recovers_on)


def _count(given: Fields) -> CountCondition:
    window_h = given.number("window_h", 24.0, least=0.25, most=MOST_WINDOW_H)
    return CountCondition(
        window_h=24.0 if window_h is None else window_h,
        per=given.word("per", "area", among=PER),
        recovers_below=given.number("recovers_below", least=0, most=1e9),
    )


def _hot_spot(given: Fields) -> HotSpotCondition:
    return HotSpotCondition(
        changes=given.words("changes", HotSpotCondition.changes, among=HOT_SPOT_CHANGES) or HotSpotCondition.changes,
        measure=given.word("measure", "incident_count", among=HOT_SPOT_MEASURES),
        min_incidents=given.whole("min_incidents", 0, least=0, most=1_000_000),
        min_rate_ratio=given.number("min_rate_ratio", least=0, most=10_000),
        significant_only=given.flag("significant_only"),
    )


def _forecast(given: Fields) -> ForecastCondition:
    min_expected = given.number("min_expected", 0.0, least=0, most=1e9)
    return ForecastCondition(
        horizon_days=given.whole("horizon_days", 1, least=1, most=14),
        measure=given.word("measure", "expected", among=FORECAST_MEASURES),
        per=given.word("per", "area", among=FORECAST_PER),
        min_expected=min_expected or 0.0,
    )


def _reading(given: Fields) -> ReadingCondition:
    return ReadingCondition(
        properties=given.words("properties"),
        measure=given.word("measure", "score"),
        at_least=given.number("at_least", least=-1e12, most=1e12),
    )


def _feed(given: Fields) -> FeedSilenceCondition:
    return FeedSilenceCondition(after_min=given.whole("after_min", 30, least=1, most=7 * 24 * 60), feeds=given.words("feeds"))


def _camera(given: Fields) -> CameraCondition:
    return CameraCondition(
        states=given.words("states", CameraCondition.states, among=CAMERA_EVENTS) or CameraCondition.states,
        after_min=given.whole("after_min", 0, least=0, most=7 * 24 * 60),
    )


def _tidy(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value == int(value) else value


_READERS: dict[str, Callable[[Fields], Condition]] = {
    Source.EVENT: _event,
    Source.COUNT: _count,
    Source.HOT_SPOT: _hot_spot,
    Source.FORECAST: _forecast,
    Source.READING: _reading,
    Source.FEED_SILENCE: _feed,
    Source.CAMERA: _camera,
}
# Written out even where they are as by default: a file that leaves them out would say too little to its reader.
_ALWAYS: dict[type, tuple[str, ...]] = {
    EventCondition: ("types",),
    CountCondition: ("window_h", "per"),
    HotSpotCondition: ("changes",),
    ForecastCondition: ("horizon_days", "measure", "per"),
    FeedSilenceCondition: ("after_min",),
    CameraCondition: ("states",),
}
