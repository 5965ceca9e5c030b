"""ANA-10 for machines: the same figures by key or session, within the caller's jurisdiction."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from conftest import Cast, Places
from incidents.models import IncidentType, Source
from incidents.services.compare import last_whole_day
from incidents.tests.compare_support import each, put

URL = "/api/v1/compare"


def test_a_person_reads_their_own_counts(client: Any, cast: Cast, police_112: Source, burglary: IncidentType, places: Places) -> None:
    end = last_whole_day(places.region)
    put(police_112, burglary, each(end - timedelta(days=60), end), governorate=places.hawalli)
    client.force_login(cast.officer)
    answer = client.get(URL).json()
    assert answer["until"] == str(end)
    assert answer["total"]["figures"][0]["now"] == 7
    assert answer["total"]["figures"][0]["against_last_year"] is None
    assert {table["by"] for table in answer["tables"]} == {"category", "type", "governorate", "area", "severity", "agency", "apart"}
    assert len(answer["total"]["weeks"]) == 53
    client.force_login(cast.stranger)
    assert client.get(URL).json()["total"]["figures"][0]["now"] == 0


def test_refusals(client: Any, cast: Cast, places: Places) -> None:
    assert client.get(URL).status_code == 401
    client.force_login(cast.officer)
    assert client.get(f"{URL}?zone={places.capital.pk}").status_code == 404
    assert client.get(f"{URL}?region=atlantis").status_code == 404
    for asked in ("until=tomorrow", "until=2999-01-01", "zone=x", "zone=-1", "category=a%20b", "region=%00"):
        response = client.get(f"{URL}?{asked}")
        assert response.status_code == 422, (asked, response.content)
        assert response["Content-Type"] == "application/problem+json"
