"""One entry, "Analysis", and below it a line of links to its pages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from conftest import Cast


def nav(client: Any, path: str) -> tuple[str, str]:
    """The rail and the line of links of a page."""
    page = client.get(path).content.decode()
    rail = re.search(r'<nav class="rail".*?</nav>', page, re.DOTALL)
    line = re.search(r'<nav class="subnav.*?</nav>', page, re.DOTALL)
    return rail.group() if rail else "", line.group() if line else ""


@pytest.mark.parametrize(("path", "name"), [("/hotspots/", "Hot spots"), ("/forecast/", "Forecast")])
def test_the_page_one_is_on_is_marked_once(client: Any, cast: Cast, path: str, name: str) -> None:
    client.force_login(cast.officer)
    rail, line = nav(client, path)
    assert re.findall(r'aria-current="page">([^<]*)<', line) == [name]
    assert rail.count("aria-current") == 1
    assert re.search(r'aria-current="true">.*?Analysis', rail, re.DOTALL)


def test_other_pages_have_no_line_of_analysis(client: Any, cast: Cast) -> None:
    client.force_login(cast.officer)
    rail, line = nav(client, "/")
    assert line == ""
    assert "Analysis" in rail
