"""CMD-2, CMD-5, ANA-1: the map as its reader meets it: drawn, clicked, switched, filtered, in both languages, asking nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.gis.geos import Point, Polygon
from django.utils import timezone

from conftest import Cast, Places
from geography.models import Zone
from incidents.models import Forecast, HotSpot, HotSpotTrack, Incident, PipelineRun

pytestmark = pytest.mark.browser

# The map in the page, and what it draws of a layer.
MAP = "document.querySelector('[data-map]').commandMap.map"
DRAWN = f"(layers) => {MAP}.queryRenderedFeatures({{layers}}).map((feature) => feature.properties)"
IDLE = f"() => new Promise((resolve) => {{ {MAP}.once('idle', resolve); {MAP}.triggerRepaint(); }})"


@pytest.fixture
def hot_spot(places: Places) -> HotSpot:
    run = PipelineRun.objects.create(key="browser", as_of=timezone.now(), status="done", parameters={"eps_m": 300, "min_points": 10})
    hull = Polygon.from_bbox((47.96, 29.36, 47.99, 29.38))
    return HotSpot.objects.create(
        run=run, region=places.region, governorate=places.hawalli, area=places.jabriya, rank=1, hull=hull, centre=hull.centroid,
        incident_count=30, area_km2=5, density_per_km2=6, severity_score=50, previous_count=8, window_from=timezone.now(),
        window_to=timezone.now(), is_current=True,
    )  # fmt: skip


@pytest.fixture
def open_map(page: Any, sign_in: Callable[..., None], cast: Cast) -> Callable[..., Any]:
    """``open_map()`` signs the officer in, opens the map and waits until it stands still."""

    def opened(path: str = "/map/", *, person: Any = None, language: str = "en") -> Any:
        person = person or cast.officer
        sign_in(page, person)
        url = page.context.cookies()[0]
        page.context.add_cookies([{"name": "django_language", "value": language, "domain": url["domain"], "path": "/"}])
        page.set_viewport_size({"width": 1240, "height": 560})
        # A software renderer draws each frame of a motion slowly; who asks for none gets there at once.
        page.emulate_media(reduced_motion="reduce")
        page.goto(path)
        page.wait_for_selector("[data-map-state=ready]", timeout=30_000)
        page.evaluate(IDLE)
        return page

    return opened


def clicked_at(page: Any, point: Point) -> None:
    """Press the mouse where ``point`` is drawn."""
    at = page.evaluate(
        f"([x, y]) => {{ const p = {MAP}.project([x, y]), r = {MAP}.getCanvas().getBoundingClientRect(); return [p.x + r.x, p.y + r.y]; }}",
        [point.x, point.y],
    )
    page.mouse.click(*at)


def centre(page: Any) -> list[float]:
    found: list[float] = page.evaluate(f"() => {{ const c = {MAP}.getCenter(); return [c.lng, c.lat, {MAP}.getZoom()]; }}")
    return found


def test_the_map_draws_zones_incidents_and_hot_spots_and_asks_no_other_host(
    page: Any, open_map: Any, report: Callable[..., Incident], hot_spot: HotSpot, live_site: Any
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    incident = report(severity=4)
    open_map()
    assert [shown["ref"] for shown in page.evaluate(DRAWN, ["incidents-point"])] == [incident.ref]
    assert {shown["name_en"] for shown in page.evaluate(DRAWN, ["land"])} >= {"Hawalli"}
    assert {shown["rank"] for shown in page.evaluate(DRAWN, ["hotspots-fill"])} == {1}
    assert {shown["name_en"] for shown in page.evaluate(DRAWN, ["area-label"])} >= {"Jabriya"}
    hosts = {urlsplit(url).netloc for url in asked if urlsplit(url).scheme not in {"data", "blob"}}
    assert hosts == {urlsplit(live_site.url).netloc}
    # The worker comes from our own address, not from a blob.
    assert any(url.split("?")[0].endswith("/static/vendor/maplibre/maplibre-gl-worker.mjs") for url in asked)


def test_a_click_chooses_the_incident_in_map_and_list_as_plain_text_and_nothing_moves(
    page: Any, open_map: Any, report: Callable[..., Incident], places: Places
) -> None:
    places.salmiya.name_en = "<img src=x onerror=alert(1)>"
    places.salmiya.save(update_fields=["name_en"])
    incident = report(severity=4)
    open_map()
    before = centre(page)
    page.evaluate("() => document.addEventListener('map:select', (event) => { window.chosen = event.detail; })")
    clicked_at(page, places.in_salmiya)
    popup = page.locator(".maplibregl-popup")
    popup.wait_for()
    assert popup.locator("a").get_attribute("href") == f"/incidents/{incident.ref}/"
    assert "Burglary" in popup.inner_text()
    assert (
        popup.locator(".maplibregl-popup-content").evaluate("(element) => getComputedStyle(element.parentElement).position") == "absolute"
    )
    assert page.evaluate("() => window.chosen") == {"id": incident.pk, "ref": incident.ref}
    assert page.locator(f"#incident-{incident.pk}").get_attribute("aria-current") == "true"
    page.evaluate(IDLE)
    assert page.evaluate(DRAWN, ["selected-ring"])
    assert centre(page) == before
    page.keyboard.press("Escape")


def test_incidents_close_together_are_a_group_that_says_its_worst(
    page: Any, open_map: Any, report: Callable[..., Incident], places: Places
) -> None:
    for severity in (1, 2, 3):
        report(severity=severity)
    open_map()
    (group,) = page.evaluate(DRAWN, ["incidents-cluster"])
    assert (group["point_count"], group["worst"]) == (3, 3)
    # All three stand on one spot: no zoom parts them, so they are offered by name, the worst first.
    clicked_at(page, places.in_salmiya)
    choices = page.locator(".kmap-card-list button")
    choices.first.wait_for()
    assert choices.count() == 3
    choices.first.click()
    page.locator(".kmap-card-link").wait_for()
    assert "High" in page.locator(".kmap-card").inner_text()


def test_live_changes_come_in_without_moving_the_map(page: Any, open_map: Any, report: Callable[..., Incident], places: Places) -> None:
    report()
    open_map()
    before = centre(page)
    page.wait_for_selector("#live[data-state=live]", timeout=20_000)
    second = report(location=places.in_jabriya)
    page.wait_for_function("(id) => document.querySelector('[data-map]').commandMap.points.get(id)", arg=second.pk)
    page.wait_for_selector("[data-map-refresh]:not([hidden])")
    page.evaluate(IDLE)
    assert second.ref in {shown.get("ref") for shown in page.evaluate(DRAWN, ["incidents-point"])}
    assert centre(page) == before
    assert page.locator(f"#incident-{second.pk}").count() == 0  # the list waits to be asked
    page.locator("[data-map-refresh]").click()
    page.wait_for_selector(f"#incident-{second.pk}")


def test_one_filter_narrows_map_and_list(page: Any, open_map: Any, report: Callable[..., Incident], places: Places) -> None:
    worst, mild = report(severity=4), report(severity=1, location=places.in_jabriya)
    open_map()
    assert page.locator("#map-list .card").count() == 2
    page.locator("[data-map-form] select[name=severity]").select_option("4")
    page.wait_for_function("() => document.querySelectorAll('#map-list .card').length === 1")
    page.wait_for_function("() => document.querySelector('[data-map]').commandMap.points.byId.size === 1")
    assert "severity=4" in page.url
    page.evaluate(IDLE)
    assert {shown["ref"] for shown in page.evaluate(DRAWN, ["incidents-point"])} == {worst.ref}
    page.reload()
    page.wait_for_selector("[data-map-state=ready]")
    assert page.evaluate("() => [...document.querySelector('[data-map]').commandMap.points.byId.keys()]") == [worst.pk]
    page.locator("[data-map-clear]").click()
    page.wait_for_selector(f"#incident-{mild.pk}")


def test_in_arabic_names_are_arabic_and_the_panel_stands_on_the_right(
    page: Any, open_map: Any, report: Callable[..., Incident], places: Places
) -> None:
    report()
    open_map(language="ar")
    names = page.evaluate(f"() => {MAP}.getLayoutProperty('area-label', 'text-field')")
    assert ["get", "name_ar"] in names
    assert "الجابرية" in {shown["name_ar"] for shown in page.evaluate(DRAWN, ["area-label"])}
    panel, tools = page.locator("[data-map-panel]").bounding_box(), page.locator(".kmap-tools").bounding_box()
    assert panel["x"] > tools["x"]
    clicked_at(page, places.in_salmiya)
    page.locator(".kmap-card").wait_for()
    assert page.locator(".kmap-card").get_attribute("dir") == "rtl"
    assert "السالمية" in page.locator(".kmap-card").inner_text()


def test_without_webgl_the_page_says_so_and_points_to_the_list(
    page: Any, sign_in: Any, cast: Cast, report: Callable[..., Incident]
) -> None:
    report()
    page.add_init_script(
        "const real = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind === 'webgl2' ? null : real.call(this, kind, ...rest); };"
    )
    sign_in(page, cast.officer)
    page.goto("/map/")
    page.wait_for_selector(".kmap.is-without-map")
    assert "WebGL" in page.locator(".kmap-empty").inner_text()
    assert page.locator(".kmap-empty a").get_attribute("href") == "/"
    assert page.locator("#map-list .card").count() == 1


def test_data_that_cannot_be_read_is_said_and_can_be_asked_again(
    page: Any, sign_in: Any, cast: Cast, report: Callable[..., Incident]
) -> None:
    incident = report()
    page.route("**/map/incidents.geojson*", lambda route: route.fulfill(status=503, body=""))
    sign_in(page, cast.officer)
    page.goto("/map/")
    retry = page.locator("[data-map-status] button")
    retry.wait_for()
    page.unroute("**/map/incidents.geojson*")
    retry.click()
    page.wait_for_function("(id) => document.querySelector('[data-map]').commandMap.points.get(id)", arg=incident.pk)
    page.locator("[data-map-status]").wait_for(state="hidden")


def test_a_hot_spot_is_shown_from_the_list_and_chosen_from_the_map(
    page: Any, open_map: Any, report: Callable[..., Incident], hot_spot: HotSpot
) -> None:
    report()
    open_map("/hotspots/")
    assert not page.locator("[data-map-layer=incidents]").is_checked()
    page.locator(f"[data-hotspot-show='{hot_spot.pk}']").click()
    page.evaluate(IDLE)
    assert "is-chosen" in (page.locator(f"#hotspot-{hot_spot.pk}").get_attribute("class") or "")
    assert page.evaluate(f"() => {MAP}.getZoom()") > 11
    clicked_at(page, hot_spot.centre)
    page.locator(".kmap-card").wait_for()
    assert "Hot spot #1" in page.locator(".kmap-card").inner_text()


def test_layers_switch_off_and_stay_so_and_the_legend_says_what_is_approximate(
    page: Any, open_map: Any, report: Callable[..., Incident], hot_spot: HotSpot
) -> None:
    report()
    Zone.objects.update(is_approximate=True)
    open_map()
    assert "approximate" in page.locator("[data-map-panel]").inner_text()
    drawn = {"incidents": ["incidents-point"], "hotspots": ["hotspots-fill"], "labels": ["area-label"]}
    assert all(page.evaluate(DRAWN, layers) for layers in drawn.values())
    for slug in drawn:
        page.locator(f"[data-map-layer={slug}]").uncheck()
    page.evaluate(IDLE)
    assert not any(page.evaluate(DRAWN, layers) for layers in drawn.values())
    assert page.evaluate(DRAWN, ["land"])
    assert set(page.evaluate("() => JSON.parse(localStorage['khareetaty.map.hidden'])")) == set(drawn)


def test_keys_and_buttons_move_the_map_and_another_theme_does_not(page: Any, open_map: Any, report: Callable[..., Incident]) -> None:
    report()
    open_map()
    x, _y, zoom = centre(page)
    page.locator(".maplibregl-canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    page.evaluate(IDLE)
    assert centre(page)[0] > x
    assert centre(page)[2] > zoom
    assert page.locator(".maplibregl-canvas").get_attribute("aria-label")
    page.locator("[data-map-fit]").click()
    page.evaluate(IDLE)
    before = centre(page)
    assert before[0] == pytest.approx(x, abs=1e-3)
    sea = f"() => {MAP}.getPaintProperty('sea', 'background-color')"
    dark = page.evaluate(sea)
    page.evaluate("() => { document.documentElement.dataset.theme = 'light'; }")
    page.wait_for_function(f"(dark) => ({sea})() !== dark", arg=dark)
    assert centre(page) == before


def test_on_the_board_a_chosen_incident_out_of_sight_is_offered_and_a_foreign_one_is_not_drawn(
    page: Any, open_map: Any, report: Callable[..., Incident], places: Places
) -> None:
    incident = report()
    report(location=places.in_sharq)
    open_map("/")
    assert page.evaluate("() => [...document.querySelector('[data-map]').commandMap.points.byId.keys()]") == [incident.pk]
    page.evaluate(f"() => {MAP}.jumpTo({{center: [47.5, 29.0], zoom: 13}})")
    page.evaluate("(id) => document.dispatchEvent(new CustomEvent('board:select', {detail: {id}}))", incident.pk)
    button = page.locator("[data-map-goto]")
    button.wait_for()
    assert centre(page)[0] == pytest.approx(47.5)  # selected elsewhere, and still the map has not moved
    button.click()
    page.evaluate(IDLE)
    assert page.evaluate(f"([x, y]) => {MAP}.getBounds().contains([x, y])", [places.in_salmiya.x, places.in_salmiya.y])


def test_empty_ground_says_which_area_it_is_and_what_to_expect(page: Any, open_map: Any, places: Places) -> None:
    run = PipelineRun.objects.create(key="browser", as_of=timezone.now(), status="done")
    Forecast.objects.bulk_create(
        Forecast(
            run=run, region=places.region, zone=places.jabriya, day=timezone.localdate() + timedelta(days=ahead), expected=3, low=1,
            high=6, method="weekday_counts", history_days=90, is_current=True,
        )
        for ahead in range(7)
    )  # fmt: skip
    open_map()
    clicked_at(page, places.in_jabriya)
    link = page.locator(".kmap-card-link")
    link.wait_for()
    assert link.get_attribute("href") == f"/forecast/{places.jabriya.pk}/"
    assert "Jabriya" in page.locator(".kmap-card").inner_text()
    assert "Expected in the next 7 days: 21" in page.locator(".kmap-card").inner_text()


def test_the_slider_goes_back_to_an_earlier_run_by_keyboard_and_says_so(open_map: Any, hot_spot: HotSpot) -> None:
    track = HotSpotTrack.objects.create(region=hot_spot.region, born_at=timezone.now(), last_seen_at=timezone.now())
    week_ago = PipelineRun.objects.create(key="week", as_of=timezone.now() - timedelta(days=7), status="done")
    copied = {name: getattr(hot_spot, name) for name in ("region", "governorate", "area", "hull", "centre", "area_km2", "severity_score")}
    copied |= {"density_per_km2": 6, "window_from": timezone.now(), "window_to": timezone.now(), "track": track}
    HotSpot.objects.create(run=week_ago, rank=7, incident_count=12, **copied)
    HotSpot.objects.create(run=hot_spot.run, rank=2, incident_count=30, is_current=True, **copied)
    page = open_map(language="ar")
    slider = page.locator("#hotspot-time")
    slider.wait_for(state="visible")
    shown = "() => document.querySelector('[data-map]').commandMap.hotspots.features.map((feature) => feature.properties.rank)"
    assert page.evaluate(shown) == [1, 2]
    slider.focus()
    page.keyboard.press("ArrowLeft")  # time runs left to right in Arabic too
    page.wait_for_function(f"() => JSON.stringify(({shown})()) === '[7]'")
    assert slider.get_attribute("aria-valuetext") == page.locator("[data-time-text]").inner_text().split(" · ")[0]
    page.locator("[data-time-now]").click()
    page.wait_for_function(f"() => JSON.stringify(({shown})()) === '[1,2]'")
    page.locator("[data-map-layer=hotspots]").uncheck()
    slider.wait_for(state="hidden")
