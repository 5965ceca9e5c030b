"""ALR-1: rules go out to a YAML file and come in again unchanged; whatever a file gets wrong is named with its line."""

from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.models import AlertRule, RuleVersion
from alerts.services.rules import activate_rule, create_rule, newest, submit_rule
from alerts.services.rules.content import content_of, read_content
from alerts.services.rules.files import export_rules, import_rules, read_file
from alerts.tests.authoring import burglaries, replayed
from core.errors import Invalid

FILE = """format: 1
rules:
  - code: burglaries-hawalli
    name_en: Burglaries in one area
    name_ar: سرقات منازل في منطقة
    source: count
    condition: {window_h: 24, per: area}
    types: [burglary]
    levels: {medium: 3, high: 5}
    modifiers:
      - when: {from: 22:00, to: 05:00}
        escalate_percent: 50
    group_by: [zone, type]
    policy: hawalli
"""


def test_a_file_is_read_and_reading_it_again_changes_nothing(cast: Any, alerting: Any, burglary: Any) -> None:
    assert import_rules(FILE, by=None).added == ["burglaries-hawalli"]
    rule = AlertRule.objects.get(code="burglaries-hawalli")
    assert (rule.state, rule.modifiers[0]["when"]) == ("draft", {"from": "22:00", "to": "05:00"})
    again = import_rules(FILE, by=None)
    assert (again.added, again.changed, again.unchanged) == ([], [], ["burglaries-hawalli"])
    assert RuleVersion.objects.filter(rule=rule).count() == 1


def test_what_goes_out_comes_in_unchanged(cast: Any, alerting: Any, burglary: Any) -> None:
    import_rules(FILE, by=None)
    text = export_rules(AlertRule.objects.all())
    done = import_rules(text, by=None)
    assert (done.added, done.changed, sorted(done.unchanged)) == ([], [], ["burglaries", "burglaries-hawalli"])
    assert export_rules(AlertRule.objects.all()) == text


def test_a_changed_line_is_a_proposal_beside_what_runs(cast: Any, alerting: Any, burglary: Any) -> None:
    import_rules(
        FILE.replace("source: count", "source: count\n    agency: police\n    agencies: [police]\n    governorates: [T-HA]"), by=None
    )
    rule = AlertRule.objects.get(code="burglaries-hawalli")
    submit_rule(rule=rule, version=1, by=cast.analyst)
    replayed(rule)
    activate_rule(rule=rule, version=1, by=cast.supervisor)
    assert import_rules(FILE.replace("medium: 3", "medium: 4"), by=None).changed == ["burglaries-hawalli"]
    rule.refresh_from_db()
    assert (rule.state, rule.version, rule.levels["medium"], newest(rule).levels["medium"]) == ("active", 1, 3, 4)


def test_a_dry_run_tells_and_does_nothing(cast: Any, alerting: Any, burglary: Any) -> None:
    done = import_rules(FILE, by=None, is_dry_run=True)
    assert done.added == ["burglaries-hawalli"]
    assert not AlertRule.objects.filter(code="burglaries-hawalli").exists()


def broken(old: str, new: str) -> str:
    assert old in FILE
    return FILE.replace(old, new)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (broken("group_by:", "groupby:"), "line 13, rule “burglaries-hawalli”: Unknown key “groupby”: did you mean “group_by”?"),
        (broken("window_h: 24", "windw_h: 24"), "line 7, rule “burglaries-hawalli”: condition: Unknown key “windw_h”"),
        (broken("high: 5", "high: 2"), "line 9, rule “burglaries-hawalli”"),
        (broken("escalate_percent", "escalat_percent"), "line 10"),
        (broken("burglary]", "burgllary]"), "Did you mean “burglary”?"),
        (broken("format: 1", "format: 9"), "format: 1"),
        (broken("format: 1", "formt: 1"), "formt"),
        (broken("    source: count\n", "    source: count\n    source: event\n"), "line 7"),
        (broken("- code", "- &a\n    code") + "  - *a\n", "references"),
        (FILE + "  - just words\n", "line 15"),
        (FILE + "  - code: burglaries-hawalli\n", "line 3 already"),
        (broken("policy: hawalli", "policy: !!python/object/apply:os.system [ls]"), "no YAML"),
        (broken("name_en: Burglaries in one area", "name_en: 2026-02-31"), "cannot be"),
        ("[" * 5_000, "nested"),
        ("rules: []\n" + "#" * 1_000_001, "larger"),
        ("just words", "format: 1"),
        ("", "format: 1"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("format: 1\nrules: {a: b}", "list"),
        ("format: 1\nrules: [", "line 2"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_imported(cast: Any, alerting: Any, burglary: Any, text: Any, named: str) -> None:
    with pytest.raises(Invalid) as caught:
        import_rules(text, by=None)
    assert named in caught.value.message
    assert not AlertRule.objects.filter(code="burglaries-hawalli").exists()


def test_one_wrong_rule_keeps_all_out_and_every_complaint_is_told(cast: Any, alerting: Any, burglary: Any) -> None:
    second = FILE.split("rules:\n")[1].replace("burglaries-hawalli", "second").replace("high: 5", "high: 1")
    third = second.replace("second", "third").replace("policy: hawalli", "policy: nobody").replace("high: 1", "high: 9")
    with pytest.raises(Invalid) as caught:
        import_rules(FILE + second + third, by=None)
    assert "second" in caught.value.message
    assert "nobody" in caught.value.message
    assert not AlertRule.objects.filter(code="burglaries-hawalli").exists()


def test_the_commands(cast: Any, alerting: Any, burglary: Any, tmp_path: Any) -> None:
    path, out, back = tmp_path / "rules.yaml", StringIO(), StringIO()
    path.write_text(FILE, encoding="utf-8")
    call_command("import_alert_rules", str(path), "--dry-run", stdout=out)
    assert "1 would be added" in out.getvalue()
    call_command("import_alert_rules", str(path), stdout=out)
    call_command("export_alert_rules", "burglaries-hawalli", stdout=back)
    assert read_file(back.getvalue())[0].data["levels"] == {"medium": 3, "high": 5}
    path.write_text(broken("policy:", "polcy:"), encoding="utf-8")
    with pytest.raises(CommandError, match="did you mean “policy”"):
        call_command("import_alert_rules", str(path))
    with pytest.raises(CommandError, match="no rule nonsense"):
        call_command("export_alert_rules", "nonsense")
    with pytest.raises(CommandError):
        call_command("import_alert_rules", str(tmp_path / "none.yaml"))


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).map(str.strip).filter(bool)
clock = st.times().map(lambda at: f"{at:%H:%M}")
when = (
    st.tuples(clock, clock).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: {"from": pair[0], "to": pair[1]})
    | st.lists(st.sampled_from(["monday", "thursday", "friday"]), min_size=1, unique=True).map(lambda days: {"weekdays": days})
    | st.just({"period": "ramadan"})
)
change = st.sampled_from([{"level_up": 1}, {"mute": True}, {"threshold_percent": -12.5}])
modifier = st.builds(lambda at, what: {"when": at, **what}, when, change)
condition = st.fixed_dictionaries({"window_h": st.integers(1, 700), "per": st.sampled_from(["area", "block"])})
levels = st.lists(st.integers(1, 500) | st.floats(0.5, 500, width=16), min_size=1, max_size=4, unique=True).map(
    lambda numbers: dict(zip(["low", "medium", "high", "critical"], sorted(numbers), strict=False))
)
rules = st.fixed_dictionaries(
    {"name_en": text, "name_ar": text, "condition": condition, "levels": levels},
    optional={
        "description": text,
        "types": st.just(["burglary"]),
        "governorates": st.lists(st.sampled_from(["T-HA", "T-KU"]), unique=True),
        "least_severity": st.integers(1, 4),
        "modifiers": st.lists(modifier, max_size=3),
        "group_by": st.lists(st.sampled_from(["zone", "type", "agency"]), unique=True),
        "cooldown_zone_min": st.integers(0, 600),
        "priority": st.integers(1, 5),
        "resolves_by_recovery": st.booleans(),
        "trend_at_least": st.floats(0.5, 9),
    },
)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=rules)
def test_any_rule_goes_out_and_comes_in_again_as_it_was(cast: Any, alerting: Any, burglary: Any, data: dict[str, Any]) -> None:
    code = f"any-{uuid4().hex}"
    rule = create_rule(data={"code": code, "source": "count", "policy": "hawalli", **data}, by=None)
    rule.refresh_from_db()
    said = content_of(rule)
    assert content_of(rule.__class__(**read_content(said))) == said
    done = import_rules(export_rules([rule]), by=None)
    assert (done.unchanged, done.changed) == ([code], [])


def test_the_words_of_a_rule_are_its_words(cast: Any, alerting: Any, burglary: Any) -> None:
    data = burglaries()
    said = content_of(AlertRule(**read_content(data)))
    assert {key: said[key] for key in data} == data
