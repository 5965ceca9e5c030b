"""INT-3: incidents as partners pull them: formats, filters, pages that stand still, tags, and places as exactly as a key is told."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.gis.geos import Point
from django.core.signing import Signer
from django.test import Client
from pyproj import Transformer

from core.models import AuditEntry
from interop.api.external.incidents import Incidents
from interop.models import Precision
from interop.services import issue_key
from interop.tests.conftest import Caller

pytestmark = pytest.mark.django_db
PATH = "external/incidents"
NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def partner(police_system):
    """``partner(precision="area")``: a key that reads incidents of every governorate, unless told which."""

    def make(scopes=("incidents:read",), governorates=(), precision=Precision.EXACT):
        key, secret = issue_key(
            partner=police_system, name="pull", scopes=list(scopes), by=None, governorates=governorates, all_governorates=not governorates,
            precision=precision,
        )  # fmt: skip
        return Caller(key, secret)

    return make


def at(minutes):
    return NOW - timedelta(minutes=minutes)


def rows(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def follow(caller, url):
    parts = urlsplit(url)
    return Client().get(f"{parts.path}?{parts.query}", headers=caller.headers({}))


def refused(answer, field, status=422):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json" and answer.json()["request_id"]
    return [error["field"] for error in answer.json()["errors"]] == [field] or status == 400


def test_all_fields_are_told_and_each_is_in_the_document(partner, report, places):
    incident = report(occurred_at=at(5), description="Door forced", address="Block 3")
    (row,) = rows(partner().get(PATH))
    assert list(row) == list(Incidents.columns)
    assert (row["ref"], row["type"], row["agency"], row["area"]) == (incident.ref, "burglary", "police", "T-SAL")
    assert row["location"] == {"longitude": 47.92, "latitude": 29.35} and row["occurred_at"] == "2026-03-14T11:55:00Z"
    assert (row["description"], row["address"], row["block"]) == ("Door forced", "Block 3", None)


def test_times_are_told_to_the_microsecond_and_a_box_holds_its_own_edge_and_nothing_beside_it(partner, report):
    incident = report(occurred_at=at(5).replace(microsecond=120), location=Point(47.92, 29.35, srid=4326))
    caller = partner()
    (row,) = rows(caller.get(PATH, {"fields": "ref,occurred_at,closed_at", "bbox": "47.92,29.35,48,29.4"}))
    assert row == {"ref": incident.ref, "occurred_at": "2026-03-14T11:55:00.000120Z", "closed_at": None}
    assert rows(caller.get(PATH, {"bbox": "47.920001,29.35,48,29.4"})) == []  # a tenth of a metre, less than the index can tell


def test_fields_are_chosen_and_an_unknown_one_is_refused(partner, report):
    report()
    caller = partner()
    assert list(rows(caller.get(PATH, {"fields": "severity,ref"}))[0]) == ["severity", "ref"]
    assert refused(caller.get(PATH, {"fields": "ref,search"}), "fields")
    assert refused(caller.get(PATH, {"fields": ""}), "fields")


def test_what_was_asked_and_not_understood_is_refused_and_never_a_wider_answer(partner, report):
    report()
    caller = partner()
    for field, value in {
        "order_by": "id", "severity": "9", "occurred_since": "yesterday", "occurred_before": "2026-01-01T00:00:00", "bbox": "NaN,29,48,30",
        "zone": "NOWHERE", "type": "burglary'--", "agency": "no-such", "state": "gone", "limit": "100000000", "sort": "agency__slug",
        "priority": "0", "type ": "x",
    }.items():  # fmt: skip
        assert refused(caller.get(PATH, {field: value}), field), (field, value)
    assert refused(caller.get(f"{PATH}?limit=1&limit=2"), "limit")
    for box in ("47,29,48", "48,29,47,30", "inf,29,48,30", "1e9,29,48,30", "47,29,48,91", "४७,29,48,30", "4_7,29,48,30", ""):
        assert refused(caller.get(PATH, {"bbox": box}), "bbox"), box


def test_each_filter_narrows(partner, report, places):
    far = report(location=places.in_sharq, occurred_at=at(60), severity=4)
    near = report(location=places.in_salmiya, occurred_at=at(10), severity=1)
    nowhere = report(location=None, occurred_at=at(5), severity=2)
    caller = partner()

    def refs(**asked):
        return [row["ref"] for row in rows(caller.get(PATH, {**asked, "fields": "ref"}))]

    assert refs() == [nowhere.ref, near.ref, far.ref]
    assert refs(occurred_since=at(10).isoformat()) == [nowhere.ref, near.ref]
    assert refs(occurred_before=at(10).isoformat()) == [far.ref]
    assert refs(changed_before=at(0).isoformat()) == [] and len(refs(reported_since=at(600).isoformat())) == 3
    assert refs(bbox="47.9,29.3,48.0,29.4") == [near.ref]
    assert refs(zone="T-HA") == [near.ref] and refs(zone="T-SHA") == [far.ref] and refs(zone="T-SAL,T-SHA") == [near.ref, far.ref]
    assert len(refs(zone="T-KW")) == 3
    assert refs(severity="1,4") == [near.ref, far.ref] and len(refs(type="burglary")) == 3 and len(refs(category="property")) == 3
    assert refs(sort="occurred_at") == [far.ref, near.ref, nowhere.ref] and len(refs(agency="police")) == 3
    assert refs(state="closed") == []


def test_pages_stand_still_while_rows_are_written(partner, report):
    before = [report(occurred_at=at(n // 2)) for n in range(7)]  # pairs at the same instant
    caller = partner()
    page = caller.get(PATH, {"limit": 3, "fields": "ref"})
    seen = [row["ref"] for row in rows(page)]
    report(occurred_at=at(-1))
    report(occurred_at=at(100))
    while page.json()["next"]:
        assert page["Link"] == f'<{page.json()["next"]}>; rel="next"'
        page = follow(caller, page.json()["next"])
        seen += [row["ref"] for row in rows(page)]
    assert len(seen) == len(set(seen)) == 8
    assert set(seen) >= {incident.ref for incident in before}


@pytest.mark.parametrize("sort", ["occurred_at", "-occurred_at", "changed_at", "-changed_at", "id", "-id"])
def test_every_order_pages_to_the_end(partner, report, sort):
    for n in range(5):
        report(occurred_at=at(n % 2))
    caller, seen = partner(), []
    page = caller.get(PATH, {"limit": 2, "sort": sort})
    while True:
        seen += [row["ref"] for row in rows(page)]
        if not page.json()["next"]:
            break
        page = follow(caller, page.json()["next"])
    assert len(seen) == len(set(seen)) == 5


def test_a_cursor_that_was_changed_or_belongs_to_another_question_is_refused(partner, report):
    for n in range(3):
        report(occurred_at=at(n))
    caller = partner()
    cursor = dict(part.split("=", 1) for part in urlsplit(caller.get(PATH, {"limit": 1}).json()["next"]).query.split("&"))["cursor"]
    cursor = cursor.replace("%3A", ":")
    assert caller.get(PATH, {"limit": 1, "cursor": cursor}).status_code == 200
    forged = Signer(salt="interop.api.external.cursor").sign_object(["-occurred_at", "x", "now() --", 1])
    for bad in (cursor[:-1], "x" + cursor, cursor.upper(), "", "e30", "\x00", forged, "a" * 5000):
        answer = caller.get(PATH, {"limit": 1, "cursor": bad})
        assert answer.status_code == 400 and answer.json()["type"] == "urn:khareetaty:problem:invalid_cursor", bad
    for other in ({"severity": 1}, {"sort": "occurred_at"}):
        assert caller.get(PATH, {"cursor": cursor, **other}).status_code == 400


def test_what_a_key_may_not_see_does_not_exist(partner, report, places, cast):
    mine, foreign = report(occurred_at=at(1)), report(location=places.in_sharq, occurred_at=at(2))
    caller = partner(governorates=[places.hawalli])
    assert [row["ref"] for row in rows(caller.get(PATH))] == [mine.ref]
    assert caller.get(f"{PATH}/{mine.ref}").json()["ref"] == mine.ref
    hidden, missing = caller.get(f"{PATH}/{foreign.ref}"), caller.get(f"{PATH}/KW-26-999999")
    assert hidden.status_code == missing.status_code == 404
    assert {**hidden.json(), "instance": "", "request_id": ""} == {**missing.json(), "instance": "", "request_id": ""}
    told_of = [caller.get(PATH, {"zone": code}).json()["errors"][0]["detail"].replace(code, "") for code in ("T-KU", "T-NONE")]
    assert told_of[0] == told_of[1]
    assert refused(caller.get(PATH, {"agency": "fire"}), "agency") and refused(caller.get(PATH, {"agency": "nobody"}), "agency")


def test_only_keys_with_the_scope_read(partner, report, cast):
    assert partner(scopes=["hotspots:read"]).get(PATH).status_code == 403
    assert Client().get(f"/api/v1/{PATH}").status_code == 401
    person = Client()
    person.force_login(cast.superadmin)
    assert person.get(f"/api/v1/{PATH}").json()["type"].endswith("key_needed")


def test_geojson_by_suffix_and_by_accept(partner, report, places):
    report()
    report(location=None)
    caller = partner()
    answer = caller.get(f"{PATH}.geojson", {"fields": "ref"})
    assert answer["Content-Type"] == "application/geo+json"
    first = next(feature for feature in answer.json()["features"] if feature["geometry"])
    assert first["geometry"] == {"type": "Point", "coordinates": [47.92, 29.35]} and list(first["properties"]) == ["ref"]
    asked = Client().get(f"/api/v1/{PATH}?fields=ref", headers=caller.headers({"Accept": "application/geo+json"}))
    assert asked.json()["features"] == answer.json()["features"]
    assert Client().get(f"/api/v1/{PATH}", headers=caller.headers({"Accept": "application/xml"})).status_code == 406
    assert caller.get(f"{PATH}.xml").status_code == 404


def test_csv_is_whole_and_runs_no_formula(partner, report, monkeypatch):
    monkeypatch.setattr("interop.api.external.views.CHUNK", 2)
    for n in range(5):
        report(occurred_at=at(n), description='=HYPERLINK("http://evil")' if n == 0 else "")
    caller = partner()
    answer = caller.get(f"{PATH}.csv", {"fields": "ref,location,description,is_open,occurred_at"})
    lines = list(csv.reader(io.StringIO(b"".join(answer).decode())))
    assert answer["Content-Type"].startswith("text/csv")
    assert lines[0] == ["ref", "longitude", "latitude", "description", "is_open", "occurred_at"] and len(lines) == 6
    assert lines[1][1:] == ["47.92", "29.35", '\'=HYPERLINK("http://evil")', "true", "2026-03-14T12:00:00Z"]
    assert len(b"".join(caller.get(f"{PATH}.csv", {"limit": 3})).splitlines()) == 4
    assert AuditEntry.objects.filter(verb="external.export").count() == 2


def test_a_tag_spares_what_has_not_changed(partner, report):
    report(occurred_at=at(1))
    caller = partner()
    tag = caller.get(PATH)["ETag"]
    assert tag.startswith('W/"')
    again = Client().get(f"/api/v1/{PATH}", headers=caller.headers({"If-None-Match": tag}))
    assert again.status_code == 304 and not again.content and again["ETag"] == tag
    report(occurred_at=at(0))
    assert Client().get(f"/api/v1/{PATH}", headers=caller.headers({"If-None-Match": tag})).status_code == 200


def test_head_is_told_what_get_would_be_and_no_file_is_made_for_it(partner, report):
    report(occurred_at=at(1))
    caller = partner()
    asked, head = caller.get(PATH), Client().head(f"/api/v1/{PATH}", headers=caller.headers({}))
    assert (head.status_code, head["ETag"], head["Content-Type"]) == (200, asked["ETag"], "application/json") and not head.content
    file = Client().head(f"/api/v1/{PATH}.csv", headers=caller.headers({}))
    assert file.status_code == 200 and file["Content-Type"].startswith("text/csv") and not b"".join(file)
    assert not AuditEntry.objects.filter(verb="external.export").exists()


def test_it_is_packed_for_whom_can_unpack(partner, report):
    for n in range(5):
        report(occurred_at=at(n))
    caller = partner()
    packed = Client().get(f"/api/v1/{PATH}", headers=caller.headers({"Accept-Encoding": "br, gzip"}))
    assert packed["Content-Encoding"] == "gzip" and gzip.decompress(packed.content) == caller.get(PATH).content
    assert "Content-Encoding" not in Client().get(f"/api/v1/{PATH}", headers=caller.headers({"Accept-Encoding": "gzip;q=0"}))
    file = Client().get(f"/api/v1/{PATH}.csv", headers=caller.headers({"Accept-Encoding": "gzip"}))
    assert gzip.decompress(b"".join(file)).count(b"\n") == 6


# --- precision ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PATH, "incidents"])
def test_a_key_of_100_metres_is_told_the_middle_of_the_square_everywhere(partner, report, places, path):
    one = report(location=Point(47.92, 29.35, srid=4326), address="House 7", description="At the back")
    two = report(location=Point(47.92001, 29.35001, srid=4326))  # a metre away
    told = {row["ref"]: row for row in rows(partner(precision="100m").get(path))}
    assert told[one.ref]["location"] == told[two.ref]["location"] != {"longitude": 47.92, "latitude": 29.35}
    place = told[one.ref]["location"]
    x, y = Transformer.from_crs(4326, 32638, always_xy=True).transform(place["longitude"], place["latitude"])
    assert (round(x) % 100, round(y) % 100) == (50, 50)
    assert not told[one.ref]["description"] and "House 7" not in str(told)


def test_a_key_of_areas_is_told_the_label_point_and_nothing_finer(partner, report, places):
    report(address="House 7", description="At the back")
    report(location=None)
    caller = partner(precision="area")
    label = {"longitude": round(places.salmiya.label_point.x, 6), "latitude": round(places.salmiya.label_point.y, 6)}
    assert {str(row["location"]) for row in rows(caller.get(PATH))} == {str(label), "None"}
    for suffix in ("", ".geojson", ".csv"):
        said = b"".join(caller.get(f"{PATH}{suffix}")).decode()
        assert "House 7" not in said and "At the back" not in said and "47.92," not in said
    assert {str(row["location"]) for row in rows(caller.get("incidents"))} == {str(label), "None"}


@pytest.mark.parametrize("path", [PATH, "incidents"])
@pytest.mark.parametrize("precision", ["100m", "area"])
def test_no_box_tells_more_than_the_answer(partner, report, places, precision, path):
    report(location=Point(47.92, 29.35, srid=4326))
    caller = partner(precision=precision)
    (row,) = rows(caller.get(path))
    lon, lat = row["location"].values()

    def found(x, y, side=0.0001):
        return len(rows(caller.get(path, {"bbox": f"{x - side:.6f},{y - side:.6f},{x + side:.6f},{y + side:.6f}"})))

    assert found(lon, lat) == 1, "by the place it is told at"
    assert found(47.92, 29.35) == 0, "not by the place it is at"


def test_blocks_and_sectors_do_not_exist_for_a_key_of_less_precision(partner, report, places):
    from geography.models import Zone

    block = Zone.objects.create(
        region=places.region, level="block", code="T-SAL-1", name_en="1", name_ar="١", parent=places.salmiya,
        boundary=places.salmiya.boundary, label_point=places.salmiya.label_point,
    )  # fmt: skip
    assert partner().get(PATH, {"zone": block.code}).status_code == 200
    for precision in ("100m", "area"):
        assert refused(partner(precision=precision).get(PATH, {"zone": block.code}), "zone")


def test_a_page_costs_the_same_few_queries_however_many_rows(partner, report, django_assert_max_num_queries):
    caller = partner()
    report(occurred_at=at(8))
    caller.get(PATH)
    for n in range(7):
        report(occurred_at=at(n))
    with django_assert_max_num_queries(4):
        assert len(rows(caller.get(PATH))) == 8
