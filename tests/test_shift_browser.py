"""PAT-5, PAT-11: the officer's phone in a real browser: one tap a step, a tunnel, a reload in the tunnel, a call for help from it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.gis.geos import Point
from playwright.sync_api import expect

from patrol.models import Assignment, Plan, PlanRoute, PlanStop, Sos, UnitPosition
from patrol.services import welfare
from patrol.services.assignments import assign

pytestmark = pytest.mark.browser


@pytest.fixture
def task(cast, force, places):
    return assign(unit=force.p1, by=None, kind="task", title="Look at the gate", location=places.in_salmiya)


@pytest.fixture
def phone(page, sign_in, cast, force):
    """The officer's phone with the page open; its worker has taken hold."""
    page.set_viewport_size({"width": 360, "height": 640})
    sign_in(page, cast.officer)

    def open_page(through=""):
        page.goto(f"{through}/patrol/me/")
        page.wait_for_function("() => navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller !== null)")
        expect(page.locator("#shift-unit")).not_to_be_empty()
        return page

    return open_page


def until(true, within_s=20):
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def state_of(task):
    return Assignment.objects.get(pk=task.pk).state


class Meanwhile:
    """The moment something was done, as near as one can tell from outside: ``with Meanwhile() as tapped: …``, then ``moment in tapped``."""

    def __enter__(self):
        self.began = datetime.now(UTC)
        return self

    def __exit__(self, *_wrong):
        self.ended = datetime.now(UTC)

    def __contains__(self, moment):
        # A phone that had to wait long for an answer takes part of the wait for its clock's error: some seconds early, never late.
        return self.began - timedelta(seconds=4) <= moment <= self.ended + timedelta(milliseconds=50)


def test_a_step_is_one_tap_a_double_tap_is_one_step_and_it_can_be_undone(phone, task):
    page = phone()
    page.get_by_role("button", name="Accept").dblclick()
    expect(page.locator("#shift-undo")).to_contain_text("Accept")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Accept")).to_be_visible()
    page.wait_for_timeout(1_000)
    page.get_by_role("button", name="Accept").dblclick()
    page.wait_for_timeout(5_600)
    until(lambda: state_of(task) == "accepted")
    expect(page.locator("#shift-undo")).to_be_hidden()
    expect(page.get_by_role("button", name="En route")).to_be_visible()


def test_a_tunnel_with_a_reload_in_it_loses_nothing_and_keeps_each_time(phone, page, task, wire):
    phone(through=wire.url)
    with wire.tunnel(page.context):
        page.get_by_role("button", name="Accept").click()
        page.wait_for_timeout(800)
        with Meanwhile() as tapped:
            page.get_by_role("button", name="On scene").click()
        page.reload()  # in the tunnel: its worker has the page
        expect(page.locator("#shift-stale")).to_contain_text("No connection. What you see is from")
        expect(page.locator("#shift-now")).to_contain_text("On scene (not sent yet)")
        page.wait_for_timeout(5_500)
        expect(page.locator("#shift-waiting")).to_contain_text("2 acts are not sent yet")
        assert state_of(task) == "assigned"
    until(lambda: state_of(task) == "on_scene")
    expect(page.locator("#shift-waiting")).to_be_hidden()
    expect(page.locator("#shift-stale")).to_be_hidden()
    row = Assignment.objects.get(pk=task.pk)
    assert row.on_scene_at is not None and row.accepted_at is not None
    assert row.on_scene_at in tapped and row.accepted_at < row.on_scene_at


SLOW_CLOCK = """
const Real = Date;
window.Date = class extends Real {
  constructor(...given) { if (given.length) super(...given); else super(Real.now() - 300000); }
  static now() { return Real.now() - 300000; }
};
"""


def test_a_phone_whose_clock_is_five_minutes_slow_still_tells_the_right_time(phone, page, task):
    page.add_init_script(SLOW_CLOCK)
    phone()
    with Meanwhile() as tapped:
        page.get_by_role("button", name="Accept").click()
    until(lambda: state_of(task) == "accepted")
    assert Assignment.objects.get(pk=task.pk).accepted_at in tapped


def test_what_was_refused_meanwhile_is_said_in_words(phone, page, task):
    phone()
    page.context.set_offline(True)
    page.get_by_role("button", name="Done").click()
    Assignment.objects.filter(pk=task.pk).update(state="cancelled", ended_at=datetime.now(UTC))
    expect(page.locator("#shift-waiting")).to_contain_text("1 act is not sent yet")
    page.context.set_offline(False)
    expect(page.locator("#shift-refused")).to_contain_text("Not taken: Done.")
    expect(page.locator("#shift-now")).to_contain_text("Nothing is assigned to you")


def hold(page, what="#shift-sos"):
    """Hold it until it is taken for meant: with a busy machine a fixed time may be too short."""
    button = page.locator(what)
    box = button.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    expect(button).not_to_have_attribute("data-holding", "true")
    page.mouse.up()


def test_a_call_from_the_tunnel_survives_a_reload_and_goes_out_with_its_own_time(phone, page, cast, wire):
    phone(through=wire.url)
    page.locator("#shift-sos").click()
    expect(page.locator("#shift-sos")).to_contain_text("Hold it longer")
    with wire.tunnel(page.context):
        with Meanwhile() as pressed:
            hold(page)
        expect(page.locator("#shift-calls")).to_contain_text("not sent yet")
        expect(page.locator("#shift-calls").get_by_role("link", name="Ring 112")).to_have_attribute("href", "tel:112")
        page.reload()
        expect(page.locator("#shift-calls")).to_contain_text("not sent yet")
        hold(page)  # another press is another call
        expect(page.locator("#shift-calls .shift-call")).to_have_count(2)
        assert not Sos.objects.exists()
    until(lambda: Sos.objects.count() == 2)
    expect(page.locator("#shift-calls")).to_contain_text("the command room has it")
    assert Sos.objects.order_by("pressed_at")[0].pressed_at in pressed


def test_a_call_goes_out_also_when_the_session_has_run_out(phone, page):
    phone()
    page.context.clear_cookies()
    hold(page)
    until(lambda: Sos.objects.count() == 1)


def test_a_silent_call_shows_nothing(phone, page):
    phone()
    hold(page, "#shift-unit")
    until(lambda: Sos.objects.filter(is_silent=True).count() == 1)
    page.wait_for_timeout(500)
    expect(page.locator("#shift-calls")).to_be_empty()
    assert page.locator(".shift-sign:visible").count() == 0


def test_is_all_well_is_answered_by_one_tap(phone, page, cast, force):
    check = welfare.start_welfare(unit=force.p1, by=cast.dispatcher, minutes=1, at=datetime.now(UTC) - timedelta(seconds=52))
    phone()
    page.get_by_role("button", name="All is well").click()
    until(lambda: type(check).objects.get(pk=check.pk).answered_by == cast.officer)
    expect(page.get_by_role("button", name="All is well")).to_have_count(0)


@pytest.fixture
def route(cast, force, places):
    now = datetime.now(UTC)
    of = {"agency": cast.police, "governorate": places.hawalli}
    plan = Plan.objects.create(shift=force.shift, version=1, state="published", seed=1, provider="line", **of)
    ends = {"start_station": force.salmiya_station, "end_station": force.salmiya_station}
    route = PlanRoute.objects.create(plan=plan, unit=force.p1, starts_at=force.shift.starts_at, ends_at=force.shift.ends_at, **ends)
    for number in (1, 2):
        begins = now + timedelta(minutes=20 * number - 19)
        PlanStop.objects.create(
            route=route, plan=plan, place=f"{number}:1", sequence=number, location=Point(47.92 + number / 100, 29.35), area=places.salmiya,
            arrive_at=begins, leave_at=begins + timedelta(minutes=12), tactics=["foot_patrol"],
        )  # fmt: skip
    return route


def test_the_route_runs_by_itself_where_the_phone_knows_its_place(phone, page, route, force):
    page.context.grant_permissions(["geolocation"])
    page.context.set_geolocation({"longitude": 47.95, "latitude": 29.36, "accuracy": 8})
    phone()
    expect(page.locator("#shift-now")).to_contain_text("Next stop")
    page.get_by_text("Duty, position, codes").click()
    page.get_by_role("button", name="Share my position").click()
    expect(page.locator("#shift-now")).to_contain_text("km away")
    page.context.set_geolocation({"longitude": 47.93, "latitude": 29.35, "accuracy": 8})
    expect(page.locator(".shift-clock")).to_contain_text("Stay 11:")  # nobody has tapped
    until(lambda: Assignment.objects.filter(plan_stop__sequence=1, state="on_scene").exists())
    until(lambda: UnitPosition.objects.filter(unit=force.p1).exists(), within_s=15)
    page.get_by_role("button", name="Leave").click()
    until(lambda: Assignment.objects.filter(plan_stop__sequence=1, state="done").exists())
    expect(page.locator("#shift-now")).to_contain_text("Stop 2")


def test_everything_to_press_is_large_and_in_the_lower_half_in_both_languages(phone, page, task, cast):
    phone()
    for language in ("en", "ar"):
        page.context.add_cookies([{"name": "django_language", "value": language, "url": page.url}])
        page.reload()
        expect(page.locator("#shift-steps button").first).to_be_visible()
        boxes = page.locator(".shift-dock :is(button, a):visible")
        for box in boxes.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().toJSON())"):
            assert box["height"] >= 48 and box["width"] >= 48 and box["top"] >= 320, box
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
