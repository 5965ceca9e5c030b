"""ANA-3, ANA-5: a surface on the map as its reader meets it: chosen, drawn in its colours, asked why, closed by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.gis.geos import Point
from django.utils import timezone
from pyproj import Transformer

from conftest import Cast, Places
from incidents.models import PipelineRun, Surface
from tests.test_map_browser import DRAWN, IDLE, clicked_at, open_map

__all__ = ["open_map"]
pytestmark = pytest.mark.browser

HOT = Point(47.93, 29.35)


@pytest.fixture
def surface(places: Places) -> Surface:
    """Twenty cells a side in Salmiya, one of them hot; and one cell in the Capital, which the officer may not see."""
    run = PipelineRun.objects.create(key="browser", as_of=timezone.now(), status="done")
    x, y = Transformer.from_crs(4326, 32638, always_xy=True).transform([HOT.x, 47.85], [HOT.y, 29.35])
    column, row = (np.floor(np.array(at) / 250).astype(int) for at in (x, y))
    columns, rows = (grid.ravel().tolist() for grid in np.meshgrid(np.arange(-10, 10) + column[0], np.arange(-10, 10) + row[0]))
    is_hot = [int(c == column[0] and r == row[0]) for c, r in zip(columns, rows, strict=True)]
    return Surface.objects.create(
        run=run, region=places.region, kind="gi_star", model="gi_star", learnt_from=timezone.now(), learnt_to=timezone.now(), srid=32638,
        origin_x_m=0, origin_y_m=0, cell_m=250, columns=[*columns, int(column[1])], rows=[*rows, int(row[1])],
        values=[*(5.0 * hot for hot in is_hot), 9.0], classes=[*(3 * hot for hot in is_hot), 3],
        governorate_ids=[places.hawalli.pk] * 400 + [places.capital.pk], area_ids=[places.salmiya.pk] * 400 + [places.sharq.pk],
        part_names=["incidents"], parts=[1.0] * 401, is_current=True,
    )  # fmt: skip


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_surface_is_chosen_drawn_and_asked_why_one_of_its_cells_is_red(
    page: Any, open_map: Callable[..., Any], surface: Surface, cast: Cast, language: str
) -> None:
    open_map(language=language)
    page.locator("[data-map-panel]").evaluate("(panel) => (panel.open = true)")
    page.select_option("[data-map-surface-kind]", "gi_star")
    page.wait_for_selector("[data-surface-cells='400']")
    page.evaluate(IDLE)
    paints = {shown["paint"] for shown in page.evaluate(DRAWN, ["surface-fill"])}
    assert paints == {"none", "hot-5"}
    assert page.locator("[data-map-surface-legend] li").count() == 7
    page.evaluate("([x, y]) => document.querySelector('[data-map]').commandMap.map.jumpTo({center: [x, y], zoom: 13})", [HOT.x, HOT.y])
    page.evaluate(IDLE)
    clicked_at(page, HOT)
    panel = page.locator("[data-map-why]")
    panel.wait_for()
    assert ("Salmiya" if language == "en" else "السالمية") in panel.inner_text()
    assert page.evaluate("() => document.activeElement.id") == "surface-why-title"
    page.keyboard.press("Escape")
    panel.wait_for(state="hidden")
    page.select_option("[data-map-surface-kind]", "")
    page.wait_for_selector("[data-surface-cells='0']")


def test_the_table_answers_on_the_map_beside_it(page: Any, open_map: Callable[..., Any], surface: Surface) -> None:
    open_map("/surfaces/")
    page.locator("[data-surface-cell]").first.click()
    page.locator("[data-map-why]").wait_for()
    assert page.locator("tr.is-chosen").count() == 1
    page.locator("[data-map-why-close]").click()
    page.locator("[data-map-why]").wait_for(state="hidden")
    assert page.evaluate("() => document.activeElement.dataset.surfaceCell !== undefined")
