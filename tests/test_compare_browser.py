"""ANA-10 in a real browser: the line of links under a thumb, a chart taken away as a picture, both directions, phone and desk."""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from conftest import Cast, Places
from incidents.models import IncidentType, Source
from incidents.services.compare import last_whole_day
from incidents.tests.compare_support import each, put

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def opened(page: Any, sign_in: Any, cast: Cast, police_112: Source, burglary: IncidentType, places: Places, live_site: Any) -> Any:
    """``opened(path, language)`` is the page as the officer sees it, with two years of incidents behind it."""
    end = last_whole_day(places.region)
    put(police_112, burglary, each(end - timedelta(days=800), end), governorate=places.hawalli, area=places.salmiya)

    def open_(path: str, language: str = "en", size: dict[str, int] | None = None) -> Any:
        if size:
            page.set_viewport_size(size)
        sign_in(page, cast.officer)
        page.context.add_cookies([{"name": "django_language", "value": language, "url": live_site.url}])
        page.goto(path)
        return page

    return open_


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("path", ["/compare/", "/compare/?by=area&period=ytd", "/summary/", "/hotspots/"])
def test_nothing_is_wider_than_a_phone_and_the_current_link_is_in_sight(opened: Any, path: str, language: str) -> None:
    page = opened(path, language, PHONE)
    assert page.evaluate("document.querySelector('main').scrollWidth <= innerWidth")
    current = page.locator(".subnav [aria-current=page]")
    expect(current).to_have_count(1)
    expect(current).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("[...document.querySelectorAll('.subnav a')].every(link => link.getBoundingClientRect().height >= 44)")


def test_the_line_of_links_is_walked_by_keyboard(opened: Any) -> None:
    page = opened("/compare/")
    page.locator(".subnav a", has_text="Summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Summary")
    expect(page.locator(".subnav [aria-current=page]")).to_have_text("Summary")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_chart_goes_with_you_as_a_picture(opened: Any, tmp_path: Path, language: str) -> None:
    page = opened("/compare/", language)
    with page.expect_download() as download:
        page.locator("[data-export-png=hours-chart]").click()
    assert download.value.suggested_filename == "khareetaty-hours.png"
    picture = tmp_path / "chart.png"
    download.value.save_as(picture)
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 1200 and height > 300
    # Shapes and words are drawn: one colour packs into far less.
    assert len(content) > 10_000


def test_choosing_a_period_and_a_table_keeps_the_rest(opened: Any, places: Places) -> None:
    page = opened(f"/compare/?zone={places.hawalli.pk}")
    page.locator(".period-card", has_text="Year to date").click()
    page.locator(".compare-page .chip", has_text="Severity").click()
    expect(page.locator("h1")).to_contain_text("Hawalli")
    expect(page.locator(".compare-table tbody th").first).to_have_text("Medium")
