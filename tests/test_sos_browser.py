"""PAT-11: a call for help on a real command screen: over everything, heard, on any page, by two ways that share nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from patrol.models import Sos
from patrol.services import sos as calls

pytestmark = pytest.mark.browser


@pytest.fixture
def press(cast, force, places):
    def press(user=None, **given):
        facts = {"key": uuid4(), "user": user or cast.officer, "pressed_at": datetime.now(UTC), "location": places.in_salmiya}
        return calls.raise_sos(**facts | given).sos

    return press


@pytest.mark.parametrize("address", ["/", "/admin/"])
def test_a_call_appears_over_whatever_page_by_the_socket_alone_and_goes_when_answered_elsewhere(page, sign_in, cast, press, address):
    sign_in(page, cast.supervisor)
    page.route("**/sos/open.json*", lambda route: route.abort())
    with page.expect_websocket(lambda socket: "room=alarms" in socket.url) as opened:
        page.goto(address)
    opened.value.wait_for_event("framereceived")
    call = press()
    alarm = page.locator(f"#alarm-sos-{call.pk}")
    expect(alarm).to_be_visible()
    expect(alarm).to_contain_text("P1")
    expect(alarm).to_contain_text("29.35000, 47.92000")
    expect(alarm).to_contain_text("Salmiya")
    page.wait_for_function("() => document.title.startsWith('● SOS P1')")  # asked at each frame: it is there every other second
    calls.acknowledge_sos(sos=call, by=cast.dispatcher)
    expect(alarm).to_contain_text("Answered by dispatcher")
    assert alarm.get_attribute("data-answered") == "true"
    assert not page.title().startswith("●")
    page.wait_for_timeout(1_500)
    assert not page.title().startswith("●"), "it flashes no more"
    calls.end_sos(sos=call, by=cast.dispatcher, outcome="Found well")
    expect(alarm).to_have_count(0)


def test_without_any_socket_the_rows_themselves_are_asked_for(page, sign_in, cast, press):
    page.route_web_socket("**/ws/live*", lambda socket: socket.close())
    sign_in(page, cast.dispatcher)
    page.goto("/map/")
    call = press()
    alarm = page.locator(f"#alarm-sos-{call.pk}")
    expect(alarm).to_be_visible()
    alarm.get_by_role("button", name="I answer").click()
    expect(alarm).to_contain_text("Answered by dispatcher")
    assert Sos.objects.get().acknowledged_by == cast.dispatcher


def test_it_rings_once_the_page_was_touched_and_says_so_before(page, sign_in, cast, press):
    sign_in(page, cast.dispatcher)
    page.goto("/map/")
    call = press()
    expect(page.locator(f"#alarm-sos-{call.pk}")).to_be_visible()
    sign = page.get_by_role("button", name="This browser blocks sound")
    expect(sign).to_be_visible()
    sign.click()
    expect(sign).to_be_hidden()
    page.wait_for_function("() => Number(document.documentElement.dataset.rang) > 4")
    calls.acknowledge_sos(sos=call, by=cast.supervisor)
    expect(page.locator(f"#alarm-sos-{call.pk}")).to_contain_text("Answered by")
    page.wait_for_timeout(1_800)
    rang = page.evaluate("document.documentElement.dataset.rang")
    page.wait_for_timeout(1_500)
    assert page.evaluate("document.documentElement.dataset.rang") == rang, "quiet once somebody answered"


def test_the_first_touch_of_a_page_may_be_the_answer(page, sign_in, cast, press):
    sign_in(page, cast.dispatcher)
    page.goto("/map/")
    alarm = page.locator(f"#alarm-sos-{press().pk}")
    expect(alarm).to_be_visible()
    sign = page.get_by_role("button", name="This browser blocks sound")
    expect(sign).to_be_visible()
    box = alarm.get_by_role("button", name="I answer").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    expect(sign).to_be_hidden()  # the touch lets the page be heard, and the button stays under the finger
    page.mouse.up()
    expect(alarm).to_contain_text("Answered by dispatcher")


def test_a_dialog_that_is_open_neither_covers_nor_disables_it_and_typing_goes_on(page, sign_in, cast, press):
    sign_in(page, cast.dispatcher)
    page.goto("/")
    page.locator("#command").focus()
    first = press()
    expect(page.locator(f"#alarm-sos-{first.pk}")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "command", "nobody's typing is interrupted"
    page.evaluate("document.getElementById('help').showModal()")
    page.locator(f"#alarm-sos-{first.pk}").get_by_role("button", name="I answer").click()
    expect(page.locator(f"#alarm-sos-{first.pk}")).to_contain_text("Answered by dispatcher")
    page.keyboard.press("Escape")
    expect(page.locator(f"#alarm-sos-{first.pk}")).to_be_visible()


def test_a_screen_that_may_hear_nothing_says_so(page, sign_in, cast, force):
    sign_in(page, cast.dispatcher)
    page.clock.install()
    with page.expect_response("**/sos/open.json*"):
        page.goto("/map/")
    page.route_web_socket("**/ws/live*", lambda socket: socket.close())
    page.context.set_offline(True)
    page.clock.run_for(40_000)
    expect(page.locator(".alarm-cut")).to_be_visible()
    page.context.set_offline(False)
    page.clock.run_for(10_000)
    expect(page.locator(".alarm-cut")).to_be_hidden()


def test_only_those_who_may_see_a_call_are_shown_it(page, sign_in, cast, press):
    call = press()
    sign_in(page, cast.firefighter)
    with page.expect_response("**/sos/open.json*") as asked:
        page.goto("/map/")
    assert asked.value.json()["alarms"] == []
    assert page.locator(f"#alarm-sos-{call.pk}").count() == 0
