"""ALR-1, ALR-6: a supervisor fills in the form on a phone, reads what it says while writing, and sees what it would have done."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from alerts.models import AlertRule

pytestmark = pytest.mark.browser


def test_a_rule_is_written_read_and_looked_back_on_a_phone(page, sign_in, cast, alerting, burglary):
    sign_in(page, cast.supervisor)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/alerts/rules/new/?source=count")
    page.fill("[name=name_ar]", "سرقات")
    page.fill("[name=name_en]", "Burglaries")
    page.fill("[name=code]", "by-hand")
    page.select_option("[name=types]", "burglary")
    page.locator("[name=governorates][value=T-HA]").check(force=True)
    page.locator("[name=agencies][value=police]").check(force=True)
    page.fill("[name=level_medium]", "3")
    page.select_option("[name=policy]", "hawalli")
    expect(page.locator("#rule-told")).to_contain_text("When 3 or more reports of burglary come in within 24 hours in one area of Hawalli.")
    expect(page.locator("#rule-told")).to_contain_text("عند ورود 3 بلاغات فأكثر عن سرقة منزل")
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    page.locator("#rule-form button[type=submit]").click()
    expect(page.locator("#replay")).to_contain_text("In the last 7 days")
    rule = AlertRule.objects.get(code="by-hand")
    assert (rule.levels, rule.governorates, rule.agencies) == ({"medium": 3}, ["T-HA"], ["police"])
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
