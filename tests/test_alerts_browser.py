"""ALR-3, ALR-4: the queue by keyboard alone, the alarm on any page, and both on a phone in Arabic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from alerts.models import AlertState, Page
from alerts.services import alerts as life
from core.events import publish

pytestmark = pytest.mark.browser


@pytest.fixture
def pages_of(fire):
    """An alert that pages these people, as a step leaves it, and as the log tells it."""

    def make(*users, **given):
        alert, now = fire(**given), datetime.now(UTC)
        for user in users:
            Page.objects.create(alert=alert, user=user, code=f"c{alert.pk}{user.pk}", code_expires_at=now + timedelta(days=1), next_at=now)
        publish("alert.fired", subject=alert, data={"level": alert.level}, agency_id=alert.agency_id, governorate_id=alert.governorate_id)
        return alert

    return make


def test_the_queue_is_worked_by_keyboard_alone(page, sign_in, cast, pages_of):
    first, second, third = pages_of(level="critical"), pages_of(level="high"), pages_of(level="low")
    sign_in(page, cast.supervisor)
    page.goto("/alerts/")
    expect(page.locator(".alert-row")).to_have_count(3)
    page.keyboard.press("j")
    expect(page.locator(f"#alert-{first.pk}")).to_have_attribute("aria-current", "true")
    page.keyboard.press("a")
    expect(page.locator(f"#alert-{first.pk}")).to_have_attribute("data-state", "acknowledged")
    first.refresh_from_db()
    assert (first.state, first.acknowledged_by) == (AlertState.ACKNOWLEDGED, cast.supervisor)

    page.locator(f"#alert-{second.pk} a").focus()
    page.keyboard.press("s")
    expect(page.locator("#alert-snooze")).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator(f"#alert-{second.pk}")).to_contain_text("snoozed until")

    page.locator(f"#alert-{third.pk} a").focus()
    page.keyboard.press("r")
    expect(page.locator("#alert-resolve")).to_be_visible()
    page.keyboard.type("Nothing there")
    page.keyboard.press("Enter")
    expect(page.locator(f"#alert-{third.pk}.is-gone, #alert-rows:not(:has(#alert-{third.pk}))")).to_have_count(1)
    third.refresh_from_db()
    assert (third.state, third.outcome) == (AlertState.RESOLVED, "Nothing there")

    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("Acknowledge it")
    page.keyboard.press("Escape")
    page.locator(f"#alert-{first.pk} a").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{page.url.split('/alerts/')[0]}/alerts/{first.pk}/")
    expect(page.locator(".alert-timeline")).to_contain_text("Acknowledged")


@pytest.mark.parametrize("by", ["socket", "asking"])
def test_an_alert_that_fires_while_a_page_is_open_sounds_there_until_somebody_acknowledges(page, sign_in, cast, pages_of, by):
    if by == "asking":
        page.route_web_socket("**/ws/live*", lambda socket: socket.close())
    sign_in(page, cast.dispatcher)
    page.goto("/runs/" if by == "asking" else "/alerts/")
    page.mouse.click(5, 5)  # a browser lets no page sound before it was touched
    alert = pages_of(cast.dispatcher, level="critical", title_en="<b>Three</b> thefts")
    if by == "asking":
        card = page.locator(f"#paging-{alert.pk}")
        expect(card).to_contain_text("<b>Three</b> thefts", timeout=15_000)
        expect(card.get_by_role("button", name="Acknowledge")).to_be_visible()
    else:
        expect(page.locator(f"#alert-{alert.pk}")).to_contain_text("pages you", timeout=15_000)
    expect(page.locator("#paging")).to_have_attribute("data-loud", "critical", timeout=15_000)
    page.wait_for_function("() => Number(document.documentElement.dataset.rang ?? 0) > 2")
    life.acknowledge(alert=alert, by=cast.supervisor, through="screen")
    expect(page.locator("#paging")).to_be_hidden(timeout=15_000)
    assert page.locator("#paging").get_attribute("data-loud") == ""


def test_on_a_phone_in_arabic_one_press_acknowledges_and_the_sound_can_be_muted(page, sign_in, cast, pages_of, live_site):
    alert = pages_of(cast.dispatcher)
    sign_in(page, cast.dispatcher)
    page.context.add_cookies([{"name": "django_language", "value": "ar", "url": live_site.url}])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/alerts/")
    assert page.locator("html").get_attribute("dir") == "rtl"
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#paging .paging-mute")).to_be_visible()
    button = page.locator(f"#alert-{alert.pk} [data-do=acknowledge]")
    assert button.bounding_box()["height"] >= 44
    button.click()
    expect(page.locator(f"#alert-{alert.pk}")).to_have_attribute("data-state", "acknowledged")


def test_what_pages_a_person_folds_out_of_the_way_until_another_alert_does(page, sign_in, cast, pages_of):
    first = pages_of(cast.dispatcher)
    sign_in(page, cast.dispatcher)
    page.goto("/alerts/me/")
    expect(page.locator(f"#paging-{first.pk}")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Fold").click()
    expect(page.locator(f"#paging-{first.pk}")).to_be_hidden()
    page.reload()
    expect(page.get_by_role("button", name="Unfold")).to_be_visible(timeout=15_000)
    expect(page.locator(".paging-sum")).to_have_text("1 alert pages you")
    second = pages_of(cast.dispatcher, level="high")
    expect(page.locator(f"#paging-{second.pk}")).to_be_visible(timeout=15_000)


def test_on_a_phone_nothing_is_wider_than_the_screen_and_an_officer_sees_how_fresh_the_queue_is(page, sign_in, cast, pages_of):
    alert = pages_of(cast.officer)
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, cast.officer)
    for address in ("/alerts/", f"/alerts/{alert.pk}/"):
        page.goto(address)
        expect(page.locator("#live")).to_have_attribute("data-state", "polling")
        expect(page.locator(".subnav [aria-current]")).to_have_text("Queue")
        _assert_fits(page)
    sign_in(page, cast.supervisor)
    for address in ("/alerts/", "/alerts/statistics/", "/alerts/rules/", "/alerts/deliveries/"):
        page.goto(address)
        _assert_fits(page)


def _assert_fits(page):
    """Neither the page nor what scrolls in it moves sideways."""
    too_wide = "() => [document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth]"
    assert page.evaluate(too_wide) == [0, 0], page.url
