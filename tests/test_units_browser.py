"""PAT-7 as its user meets it: units on the map and in the list, greyed with age, chosen by hand and by key, their track played back."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conftest import Cast
from patrol.models import Duty, Unit
from patrol.services.assignments import assign, move_assignment
from patrol.services.positions import Reading, record_positions
from patrol.tests.force import Force

pytestmark = pytest.mark.browser

MAP = "document.querySelector('[data-map]').commandMap.map"
SHOWN = f"() => {MAP}.queryRenderedFeatures({{layers: ['units-point']}}).map((feature) => feature.properties)"
IDLE = f"() => new Promise((resolve) => {{ {MAP}.once('idle', resolve); {MAP}.triggerRepaint(); }})"
KINDS = ("patrol", "motorcycle", "foot", "traffic", "ambulance", "engine", "rescue", "boat", "command", "other")
METRE = 1 / 96_900


@pytest.fixture
def busy_force(cast: Cast, force: Force, places: Any) -> Force:
    """P1 drove east for a quarter of an hour and is sent somewhere; P2 was last heard four minutes ago; ten more of every kind."""
    now = timezone.now()
    drive = [
        Reading(force.p1.pk, now - timedelta(seconds=5 * n), 47.93 - 60 * n * METRE, 29.345 + 0.004 * (n % 40) / 40, 6.0, 43.0, 80.0)
        for n in range(180)
    ]
    record_positions([*drive, Reading(force.p1.pk, now - timedelta(seconds=452), 48.3, 29.6, 8.0)], now=now)
    record_positions([Reading(force.p2.pk, now - timedelta(minutes=4), 47.95, 29.36, 9.0, 0.0)], now=now)
    for n, kind in enumerate(KINDS):
        unit = Unit.objects.create(
            agency=cast.police, governorate=places.hawalli, station=force.salmiya_station, call_sign=f"K{n}", kind=kind, team=force.team
        )
        if n % 4:
            Duty.objects.create(unit=unit, agency=cast.police, governorate=places.hawalli, started_at=now - timedelta(hours=2))
        record_positions([Reading(unit.pk, now, 47.91 + 0.009 * n, 29.33 + 0.006 * (n % 3), 5.0, 35.0 * (n % 2), 40.0 * n)], now=now)
    sent = assign(unit=force.p1, by=cast.supervisor, kind="task", title="Look at the market", location=places.in_jabriya)
    move_assignment(assignment=sent, to="en_route", by=cast.supervisor)
    there = assign(unit=Unit.objects.get(call_sign="K1"), by=cast.supervisor, kind="task", title="Traffic at the roundabout")
    move_assignment(assignment=there, to="on_scene", by=cast.supervisor)
    return force


@pytest.fixture
def open_units(page: Any, sign_in: Callable[..., None], cast: Cast) -> Callable[..., Any]:
    def opened(path: str = "/patrol/units/", *, language: str = "en", width: int = 1280, theme: str = "dark") -> Any:
        person = cast.dispatcher
        person.language, person.theme = language, theme
        person.save(update_fields=["language", "theme"])
        sign_in(page, person)
        url = page.context.cookies()[0]
        page.context.add_cookies([{"name": "django_language", "value": language, "domain": url["domain"], "path": "/"}])
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(reduced_motion="reduce")
        page.goto(path)
        page.wait_for_selector("[data-unit-board][data-units=ready]", timeout=30_000)
        page.wait_for_selector("[data-unit-list] li")
        page.evaluate(IDLE)
        return page

    return opened


def picture(page: Any, name: str) -> None:
    if folder := os.environ.get("KHAREETATY_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png")


def test_units_stand_on_the_map_and_in_the_list_with_their_age(page: Any, open_units: Callable[..., Any], busy_force: Force) -> None:
    open_units()
    names = page.locator("[data-unit-list] li .unit-name").all_text_contents()
    assert names == ["K1", "K2", "K3", "K5", "K6", "K7", "K9", "P1", "P2"]
    shown = {feature["label"].split("\n")[0]: feature for feature in page.evaluate(SHOWN)}
    assert shown["P1"]["icon"] == "unit-patrol-en_route" and not shown["P1"]["isStale"]
    assert shown["P2"]["icon"] == "unit-patrol-stale" and shown["P2"]["label"] == "P2\n4 min"
    assert shown["K1"]["icon"] == "unit-motorcycle-on_scene"
    assert "is-stale" in (page.locator("[data-unit-list] li", has_text="P2").get_attribute("class") or "")
    picture(page, "units-desk-en-dark")


def test_a_unit_moves_by_itself_and_the_map_stays_where_it_was_put(page: Any, open_units: Callable[..., Any], busy_force: Force) -> None:
    open_units()
    page.evaluate(f"() => {MAP}.jumpTo({{center: [47.93, 29.35], zoom: 12.3}})")
    before = page.evaluate(f"() => [{MAP}.getCenter().lng, {MAP}.getCenter().lat, {MAP}.getZoom()]")
    now = timezone.now()
    record_positions([Reading(busy_force.p2.pk, now, 47.935, 29.352, 6.0, 20.0)], now=now)
    page.wait_for_function(f"() => ({SHOWN})().some((f) => f.label.startsWith('P2') && f.icon === 'unit-patrol-available')", timeout=15_000)
    assert page.evaluate(f"() => [{MAP}.getCenter().lng, {MAP}.getCenter().lat, {MAP}.getZoom()]") == before


def test_the_list_is_narrowed_and_walked_by_keys(page: Any, open_units: Callable[..., Any], busy_force: Force) -> None:
    open_units()
    page.select_option("[name=state]", "on_scene")
    assert page.locator("[data-unit-list] li .unit-name").all_text_contents() == ["K1"]
    page.select_option("[name=state]", "")
    page.fill("[data-unit-filter] [name=q]", "p")
    assert page.locator("[data-unit-list] li .unit-name").all_text_contents() == ["P1", "P2"]
    page.locator("[data-unit-list]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-unit-panel] h2")
    assert page.locator("[data-unit-panel] h2 bdi").inner_text() == "P1"
    assert "Look at the market" in page.locator("[data-unit-panel]").inner_text()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.querySelector('[data-unit-panel] h2 bdi')?.textContent === 'P2'")
    page.keyboard.press("Escape")
    page.locator("[data-unit-panel]").wait_for(state="hidden")
    assert "q=p" in page.url


def test_a_track_is_played_back_and_its_doubtful_point_stands_apart(page: Any, open_units: Callable[..., Any], busy_force: Force) -> None:
    open_units(f"/patrol/units/?unit={busy_force.p1.pk}")
    page.wait_for_selector("[data-track-hours='1']")
    page.click("[data-track-hours='1']")
    page.wait_for_selector("[data-unit-play]:not([hidden])")
    assert "not believed" in page.locator("[data-play-doubt]").inner_text()
    first = page.locator("[data-play-time]").inner_text()
    page.click("[data-play-toggle]")
    page.wait_for_function("(first) => document.querySelector('[data-play-time]').textContent !== first", arg=first)
    page.click("[data-play-toggle]")
    page.locator("[data-play-at]").fill("700")
    page.evaluate(IDLE)
    picture(page, "units-track-en-dark")
    page.click("[data-play-close]")
    page.locator("[data-unit-play]").wait_for(state="hidden")


def test_how_long_to_a_place_chosen_on_the_map(page: Any, open_units: Callable[..., Any], busy_force: Force) -> None:
    open_units(f"/patrol/units/?unit={busy_force.p1.pk}")
    page.wait_for_selector("[data-eta-point]")
    page.click("[data-eta-point]")
    box = page.locator("[data-map-canvas]").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.6)
    page.wait_for_function("() => / min, /.test(document.querySelector('[data-eta-answer]').textContent)")


def test_without_a_connection_the_board_says_how_old_it_is(page: Any, open_units: Callable[..., Any], busy_force: Force) -> None:
    open_units()
    page.context.set_offline(True)
    page.wait_for_selector("[data-unit-note]:not([hidden])", timeout=15_000)
    assert "No connection" in page.locator("[data-unit-note]").inner_text()
    assert page.locator("[data-unit-list] li").count() == 9
    page.context.set_offline(False)
    page.wait_for_selector("[data-unit-note]", state="hidden", timeout=30_000)


@pytest.mark.parametrize(("language", "theme", "width"), [("ar", "light", 1280), ("ar", "dark", 390), ("en", "light", 390)])
def test_in_both_languages_and_on_a_phone_nothing_sticks_out(
    page: Any, open_units: Callable[..., Any], busy_force: Force, language: str, theme: str, width: int
) -> None:
    open_units(language=language, theme=theme, width=width)
    assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1")
    picture(page, f"units-{width}-{language}-{theme}")
    page.locator("[data-unit-list] li").nth(7).click()
    page.wait_for_selector("[data-unit-panel] h2")
    page.evaluate(IDLE)
    picture(page, f"units-panel-{width}-{language}-{theme}")


def test_units_are_a_layer_of_the_main_map(page: Any, sign_in: Callable[..., None], cast: Cast, busy_force: Force) -> None:
    sign_in(page, cast.dispatcher)
    page.goto("/map/")
    page.wait_for_selector("[data-map-state=ready]", timeout=30_000)
    page.locator("[data-map-layer=units]").check()
    page.wait_for_function(f"() => {MAP}.getLayer('units-point') && ({SHOWN})().length > 5", timeout=15_000)
    page.locator("[data-map-layer=units]").uncheck()
    page.wait_for_function(f"() => ({SHOWN})().length === 0")
