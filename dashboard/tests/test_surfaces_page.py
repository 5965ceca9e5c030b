"""ANA-3, ANA-5: surfaces on the map, as a table, as files; who sees which; why a cell is red."""

from __future__ import annotations

import csv
import doctest
import io
import json

import numpy as np
import pytest
from django.utils import timezone
from pyproj import Transformer

from dashboard import surfaces
from incidents.models import ModelChoice, ModelSwitch, PipelineRun, Surface

HX = {"HX-Request": "true"}


@pytest.fixture
def issued(places):
    run = PipelineRun.objects.create(key="surfaces", as_of=timezone.now(), status="done", code_version="abc1234")
    forward = Transformer.from_crs(4326, 32638, always_xy=True)

    def make(kind="gi_star", **given):
        points = [(47.92, 29.35), (47.93, 29.35), (47.97, 29.35), (47.85, 29.35)]
        x, y = forward.transform(*np.array(points).T)
        details = {
            "run": run,
            "region": places.region,
            "kind": kind,
            "model": {"risk": "blend", "density": "quartic_density", "change": "rate_change"}.get(kind, kind),
            "horizon": "week" if kind == "risk" else "",
            "learnt_from": timezone.now(),
            "learnt_to": timezone.now(),
            "valid_from": timezone.now() if kind == "risk" else None,
            "valid_to": timezone.now() if kind == "risk" else None,
            "srid": 32638,
            "origin_x_m": 0,
            "origin_y_m": 0,
            "cell_m": 250,
            "columns": np.floor(x / 250).astype(int).tolist(),
            "rows": np.floor(y / 250).astype(int).tolist(),
            "values": [0.51, 6.24, -2.5, 4.0],
            "classes": [0, 3, -2, 2],
            "governorate_ids": [places.hawalli.pk] * 3 + [places.capital.pk],
            "area_ids": [places.salmiya.pk, places.salmiya.pk, places.jabriya.pk, places.sharq.pk],
            "part_names": ["incidents", "around", "cells", "p", "q"],
            "parts": [1, 9, 9, 0.4, 0.6, 7, 40, 9, 1e-9, 1e-7, 0, 1, 9, 0.001, 0.03, 5, 30, 9, 0.001, float("nan")],
            "parameters": {"incidents": 300, "cells": 900, "neighbours": "queen, with itself"},
            "is_current": True,
        }
        return Surface.objects.create(**{**details, **given})

    return make


def get(client, user, address, **more):
    client.force_login(user)
    return client.get(address, **more)


def test_figures_are_written_with_the_digits_that_count():
    found = doctest.testmod(surfaces)
    assert found.attempted and not found.failed


# --- the map's data --------------------------------------------------------------------------------------------------
def test_the_map_offers_what_stands_with_its_legend_and_what_it_is_made_of(client, cast, issued, burglary):
    issued(is_synthetic=True)
    issued(category="property")
    (first, second) = get(client, cast.analyst, "/map/surfaces.json").json()["surfaces"]
    assert (first["kind"], first["category_name"], second["category_name"]) == ("gi_star", "All together", "Property")
    assert [step["class"] for step in first["legend"]] == [3, 2, 1, 0, -1, -2, -3]
    assert {"class": 0, "paint": "none", "label": "Not significant"} in first["legend"]
    assert "Model: Getis-Ord Gi*" in first["notes"] and first["notes"][-1] == "Synthetic data"
    assert "Synthetic data" not in second["notes"]


def test_cells_come_as_whole_numbers_and_only_those_of_the_viewer(client, cast, issued):
    surface = issued()
    body = get(client, cast.analyst, f"/map/surfaces/{surface.pk}.json").json()
    assert body["columns"] == surface.columns[:3] and body["classes"] == [0, 3, -2] and "values" not in body
    assert len(body["lattice"]["lon"]) == body["lattice"]["across"] * body["lattice"]["up"]
    assert get(client, cast.stranger, f"/map/surfaces/{surface.pk}.json").json()["columns"] == surface.columns[3:]


def test_a_script_without_a_session_gets_a_401_and_an_unknown_surface_a_404(client, cast, issued):
    surface = issued(is_current=False)
    assert client.get("/map/surfaces.json").status_code == client.get("/map/surfaces/1.json").status_code == 401
    for pk in (surface.pk, 0, 10**17, 2**63):
        assert get(client, cast.analyst, f"/map/surfaces/{pk}.json").status_code == 404


def test_a_nation_is_small_on_the_wire(client, cast, issued, places):
    columns, rows = (grid.ravel().tolist() for grid in np.meshgrid(np.arange(3_000, 3_200), np.arange(12_900, 13_050)))
    n = len(columns)
    same = {"governorate_ids": [places.hawalli.pk] * n, "area_ids": [places.salmiya.pk] * n, "part_names": [], "parts": []}
    surface = issued(columns=columns, rows=rows, values=[1.0] * n, classes=[1] * n, **same)
    answer = get(client, cast.analyst, f"/map/surfaces/{surface.pk}.json", headers={"Accept-Encoding": "gzip"})
    assert n == 30_000 and len(answer.content) < 100_000
    again = client.get(f"/map/surfaces/{surface.pk}.json", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


# --- the page --------------------------------------------------------------------------------------------------------
def test_the_page_says_the_same_in_a_table(client, cast, issued):
    surface = issued()
    text = get(client, cast.analyst, "/surfaces/").content.decode()
    assert "Not significant" in text and "Hot, surest (q ≤ 0.01)" in text
    assert f"/surfaces/{surface.pk}/why/{surface.columns[1]}/{surface.rows[1]}/" in text
    assert f"/why/{surface.columns[3]}/" not in text and "Sharq" not in text
    assert text.index(f"/why/{surface.columns[1]}/") < text.index(f"/why/{surface.columns[2]}/")  # the surest first
    assert "Salmiya" in text and f"/surfaces/{surface.pk}.csv" in text


@pytest.mark.parametrize("kind", ["risk", "gi_star", "density", "change"])
def test_every_kind_has_its_page_in_both_languages(client, cast, issued, kind):
    issued(kind, parameters={"highest": 50.0, "incidents": 10, "cells": 100})
    for language, word in (("en", "What the colours mean"), ("ar", 'dir="rtl"')):
        client.cookies["django_language"] = language
        answer = get(client, cast.analyst, f"/surfaces/?kind={kind}")
        assert answer.status_code == 200 and word in answer.content.decode()


def test_a_baseline_that_stands_in_is_named(client, cast, issued, places):
    surface = issued("risk", model="last_52_weeks")
    ModelChoice.objects.create(
        run=surface.run, region=places.region, predicts="risk", level="week", champion="blend", best_baseline="last_52_weeks",
        published="last_52_weeks", beats_baseline=False, origins=52, is_current=True,
    )  # fmt: skip
    text = get(client, cast.analyst, "/surfaces/?kind=risk").content.decode()
    assert "The baseline “Counts of the last 52 weeks” stands in: “blend” did not beat it" in text


def test_a_model_switched_off_is_not_shown(client, cast, issued):
    issued()
    ModelSwitch.objects.create(model="gi_star", is_on=False, reason="test")
    text = get(client, cast.analyst, "/surfaces/").content.decode()
    assert "No surfaces yet" in text and get(client, cast.analyst, "/map/surfaces.json").json() == {"surfaces": []}


@pytest.mark.parametrize("asked", ["?kind=nonsense", "?category=never-seen", "?horizon=aeon", "?kind=%00&category=" + "x" * 5_000])
def test_what_is_not_there_is_said_and_never_something_else_shown(client, cast, issued, asked):
    issued()
    answer = get(client, cast.analyst, f"/surfaces/{asked}")
    assert answer.status_code == 200 and "There is no such surface" in answer.content.decode()


def test_the_page_asks_the_database_as_often_for_many_cells_as_for_few(client, cast, issued, django_assert_max_num_queries):
    issued()
    client.force_login(cast.analyst)
    with django_assert_max_num_queries(30):
        client.get("/surfaces/")


# --- why is it red? --------------------------------------------------------------------------------------------------
def test_a_cell_says_why_in_words(client, cast, issued):
    surface = issued()
    address = f"/surfaces/{surface.pk}/why/{surface.columns[1]}/{surface.rows[1]}/"
    text = get(client, cast.analyst, address, headers=HX).content.decode()
    assert "<html" not in text
    for said in (
        "Hot, surest (q ≤ 0.01)",
        "6.24",
        "rank 1 of the 3 cells you may see",
        "Salmiya",
        "&lt; 0.001",
        "queen, with itself",
    ):
        assert said in text, said
    assert "As many would be usual there" in text and ">3<" in text.replace("\n", "")
    whole = client.get(address)
    assert "<html" in whole.content.decode() and whole["Cache-Control"] == "no-store"


def test_what_was_not_tested_says_so(client, cast, issued):
    surface = issued()
    text = get(client, cast.stranger, f"/surfaces/{surface.pk}/why/{surface.columns[3]}/{surface.rows[3]}/", headers=HX).content.decode()
    assert "not tested: too few" in text


def test_a_cell_of_another_governorate_or_of_nowhere_is_404(client, cast, issued):
    surface = issued()
    for address in (
        f"/surfaces/{surface.pk}/why/{surface.columns[3]}/{surface.rows[3]}/",
        f"/surfaces/{surface.pk}/why/-5/999999999/",
        "/surfaces/999999999999999999/why/1/1/",
    ):
        assert get(client, cast.analyst, address).status_code == 404
        assert get(client, cast.analyst, address, headers=HX).status_code == 404
    client.logout()
    assert client.get(f"/surfaces/{surface.pk}/why/1/1/").status_code == 302


# --- files -----------------------------------------------------------------------------------------------------------
def test_the_files_hold_the_viewers_cells_and_say_what_they_are(client, cast, issued):
    surface = issued(is_synthetic=True)
    answer = get(client, cast.analyst, f"/surfaces/{surface.pk}.csv")
    assert answer["Content-Type"].startswith("text/csv") and "attachment" in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["value"] for row in rows] == ["6.24", "0.51", "-2.5"] and {row["governorate"] for row in rows} == {"T-HA"}
    assert rows[0]["q"] == "1e-07" and rows[0]["model"] == "gi_star" and rows[0]["is_synthetic"] == "True"
    collection = json.loads(get(client, cast.analyst, f"/surfaces/{surface.pk}.geojson").content)
    assert len(collection["features"]) == 3 and collection["surface"]["model"] == "gi_star" and collection["surface"]["is_synthetic"]
    ring = collection["features"][0]["geometry"]["coordinates"][0]
    assert len(ring) == 5 and ring[0] == ring[-1] and collection["features"][0]["properties"]["around"] == 40


def test_the_files_are_not_for_somebody_else(client, cast, issued):
    surface = issued(governorate_ids=[0, 0, 0, 0])
    assert client.get(f"/surfaces/{surface.pk}.csv").status_code == 302
    assert len(get(client, cast.stranger, f"/surfaces/{surface.pk}.csv").content.decode().splitlines()) == 1
    assert get(client, cast.analyst, "/surfaces/12345678.geojson").status_code == 404
