"""ALR-1: a supervisor reads a rule in plain words, in Arabic and English, and a preview never fails."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.models import AlertRule
from alerts.services.rules.content import read_content, rule_saying
from alerts.services.rules.words import preview
from alerts.tests.authoring import burglaries

NIGHT = {"when": {"from": "22:00", "to": "05:00"}, "escalate_percent": 50}
WEEKEND = {"when": {"weekdays": ["friday", "saturday"]}, "threshold_percent": -34}


def words(data: dict[str, Any]) -> dict[str, str]:
    return {language: " ".join(said) for language, said in preview(rule_saying(read_content(data))).items()}


def test_the_burglaries_are_told_as_a_supervisor_would_say_it(cast: Any, alerting: Any, burglary: Any) -> None:
    said = words(burglaries(modifiers=[NIGHT, WEEKEND]))["en"]
    assert "When 3 or more reports of burglary come in within 24 hours in one area of Hawalli." in said
    assert "The alert's level is medium from 3 and high from 5." in said
    assert "Between 22:00 and 05:00: the steps come faster: waits are 50 % shorter." in said
    assert "On Friday and Saturday: thresholds −34 %: medium from 2 and high from 4." in said
    assert "There is one alert for each zone and incident type; what comes within 1 hour joins it." in said
    assert "After an alert it is quiet for 30 minutes in the same zone and 15 minutes for the same type." in said
    assert "who is on call in “Hawalli duty officer”; after 1 minute every dispatcher" in said
    assert "after 3 minutes the governorate's operations room" in said
    assert "It is resolved when the count is beneath 3 again, by hand, else after 24 hours." in said


def test_the_same_in_arabic(cast: Any, alerting: Any, burglary: Any) -> None:
    said = words(burglaries())["ar"]
    assert "حولي" in said
    assert "سرقة منزل" in said
    assert not any(latin in said for latin in ("When", "report", "alert", "zone", "quiet"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "event", "condition": {"types": ["sos.raised", "sos.duress"]}}, "When an officer calls for help (SOS) or"),
        ({"source": "hot_spot", "condition": {"min_incidents": 5}, "levels": {"low": 10, "critical": 60}}, "hot spot in Hawalli"),
        ({"source": "forecast", "condition": {"horizon_days": 2}, "levels": {"high": 12}}, "within the next 2 days"),
        ({"source": "forecast", "condition": {"measure": "over_usual_percent"}, "levels": {"high": 50}}, "50 % above the usual"),
        ({"source": "reading", "condition": {"properties": ["pressure"]}}, "reading of pressure"),
        ({"source": "feed_silence", "condition": {"after_min": 20}, "governorates": []}, "nothing for 20 minutes"),
        ({"source": "camera", "condition": {"after_min": 5}}, "When a camera in Hawalli has been offline for 5 minutes."),
    ],
)  # fmt: skip
def test_every_source_is_told(cast: Any, alerting: Any, burglary: Any, given: dict[str, Any], said: str) -> None:
    data = {**burglaries(levels=None, types=None), **given}
    assert said in words(data)["en"]


keys = st.sampled_from(["types", "when", "from", "window_h", "per", "x"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5_000) | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    source=st.sampled_from([*AlertRule.Source.values, "stars"]),
    condition=anything,
    modifiers=anything,
    levels=st.dictionaries(st.sampled_from(["low", "medium", "high", "critical", "x"]), st.integers(-3, 99) | st.floats(0, 9), max_size=4),
    names=st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6), max_size=2),
    number=st.integers(0, 100_000),
)
def test_a_preview_never_raises(source: str, condition: Any, modifiers: Any, levels: Any, names: list[str], number: int) -> None:
    rule = AlertRule(
        source=source, condition=condition, modifiers=modifiers, levels=levels, types=names, governorates=names, zones=names,
        group_by=names, agencies=names, categories=names, least_severity=number % 9, resolve_after_min=number, group_window_min=number,
    )  # fmt: skip
    for said in preview(rule).values():
        assert said
        assert all(isinstance(each, str) and each for each in said)
