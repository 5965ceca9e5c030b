"""PAT-4: `manage.py plan_patrols`."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from patrol.models import Plan, RosterEntry


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("plan_patrols", *args, stdout=out)
    return out.getvalue()


def test_a_days_plans_as_one_json_line_and_in_words(tomorrow: Any, places: Any) -> None:
    day = str(tomorrow.shift.starts_at.astimezone(places.region.zone_info).date())
    told = json.loads(run("--date", day, "--shift", str(tomorrow.shift.pk), "--units", "1", "--seed", "3", "--json"))
    assert told["plans"][0]["figures"]["units"] == 1 and told["plans"][0]["seed"] == 3 and told["plans"][0]["violations"] == []
    assert "stops at" in run("--date", day, "--agency", "police", "--governorate", "T-HA", "--shift", "A")
    assert Plan.objects.count() == 2


def test_no_shift_no_crew_and_too_many_units_are_said(tomorrow: Any, places: Any) -> None:
    day = str(tomorrow.shift.starts_at.astimezone(places.region.zone_info).date())
    with pytest.raises(CommandError, match="no shift begins"):
        run("--date", "2001-01-01")
    with pytest.raises(CommandError, match="From 1 to 2"):
        run("--date", day, "--units", "9")
    RosterEntry.objects.update(is_cancelled=True)
    with pytest.raises(CommandError, match="Nobody is rostered"):
        run("--date", day)
