"""ANA-10, the executive summary for machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from conftest import Cast, Places
from incidents.models import IncidentType, Source
from incidents.services.compare import last_whole_day
from incidents.tests.compare_support import each, put
from interop.services import issue_key
from interop.tests.conftest import Caller

URL = "/api/v1/summary"


def test_a_person_reads_both_languages(client: Any, cast: Cast, police_112: Source, burglary: IncidentType, places: Places) -> None:
    end = last_whole_day(places.region)
    put(police_112, burglary, each(end - timedelta(days=60), end), governorate=places.hawalli)
    client.force_login(cast.officer)
    answer = client.get(URL, {"zone": places.hawalli.pk}).json()
    assert [section["section"] for section in answer["sections"]] == ["what", "why", "recommended", "freshness", "limits"]
    first = answer["sections"][0]["statements"][0]
    assert first["code"] == "counted"
    assert first["text_en"].startswith("28 incidents were counted")
    assert first["text_ar"].startswith("أُحصي 28 بلاغاً")
    assert first["evidence"] == {"kind": "comparison", "ids": [], "run": None}


def test_refusals(client: Any, cast: Cast, places: Places) -> None:
    assert client.get(URL).status_code == 401
    client.force_login(cast.officer)
    assert client.get(URL, {"zone": places.capital.pk}).status_code == 404
    assert client.get(URL, {"zone": places.salmiya.pk}).status_code == 404
    assert client.get(URL, {"zone": "x"}).status_code == 422


def test_a_key_needs_every_scope_the_summary_tells_of(caller: Any, police_system: Any, places: Places) -> None:
    assert caller.get("summary").status_code == 403
    scopes = ["incidents:read", "hotspots:read", "forecasts:read"]
    key, secret = issue_key(partner=police_system, name="reader", scopes=scopes, by=None, governorates=[places.hawalli])
    reader = Caller(key, secret)
    assert reader.get("summary").status_code == 200
    assert reader.get("summary", {"zone": places.capital.pk}).status_code == 404
    assert reader.get("compare").status_code == 200
