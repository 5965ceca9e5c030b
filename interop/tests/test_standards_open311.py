"""INT-6: Open311 GeoReport v2, spoken with the `georeport` client and held against the standard's published samples."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import pytest
from defusedxml import ElementTree
from django.test import Client

from accounts.models import Agency
from incidents.models import Incident, IncidentType
from interop.models import InboxMessage, Partner, Precision
from interop.services import issue_key

ROOT = "/api/v1/open311/v2"
SAMPLES = Path(os.environ.get("KHAREETATY_SHARED", "/nowhere")) / "data/iot-payloads/open311"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def town(cast, places):
    """The municipality's own system, and what may be complained about."""
    agency, _ = Agency.objects.get_or_create(
        slug="municipality", defaults={"kind": "municipality", "name_en": "Municipality", "name_ar": "البلدية"}
    )
    for code, english, arabic in (("waste", "Waste and litter", "نفايات"), ("pothole", "Road damage", "حفرة")):
        IncidentType.objects.update_or_create(
            code=code, defaults={"name_en": english, "name_ar": arabic, "category": "service", "agency": agency, "is_active": True}
        )
    return Partner.objects.create(slug="town", name="Town", agency=agency, region=places.region, kinds=["municipal-complaint"])


def key_of(town, **given):
    scopes = ["incidents:read", "incidents:write"]
    return issue_key(**{"partner": town, "name": "app", "scopes": scopes, "by": None, "all_governorates": True} | given)[1]


@pytest.fixture
def app(town):
    return key_of(town)


def filed(secret, form="json", **given):
    fields = {"api_key": secret, "service_code": "waste", "lat": "29.35", "long": "47.92", "description": "Bins not emptied"} | given
    return httpx_free(f"{ROOT}/requests.{form}", {name: value for name, value in fields.items() if value is not None})


def httpx_free(path, fields, **headers):
    from urllib.parse import urlencode

    return Client(raise_request_exception=False).post(path, urlencode(fields), content_type=FORM, headers=headers)


def read(secret, path, **params):
    return Client(raise_request_exception=False).get(f"{ROOT}/{path}", params, headers={"X-API-Key": secret})


@pytest.mark.parametrize("form", ["json", "xml"])
def test_the_georeport_client_lists_services_and_requests(live_site, town, app, form):
    from georeport import GeoReport

    sent = httpx.post(
        f"{live_site.url}{ROOT}/requests.json", timeout=30,
        data={"api_key": app, "service_code": "waste", "lat": "29.35", "long": "47.92", "description": "Bins & <bags>"},
    )  # fmt: skip
    assert sent.status_code == 201, sent.text
    ref = sent.json()[0]["service_request_id"]
    httpx.post(
        f"{live_site.url}{ROOT}/requests.json",
        data={"api_key": app, "service_code": "pothole", "lat": "29.35", "long": "47.92"},
        timeout=30,
    )
    # The client sends no header of ours: it carries the key as a password in the address.
    client = GeoReport(f"{live_site.url.replace('://', f'://key:{app}@')}{ROOT}", jurisdiction="kw", output_format=form)
    assert {service["service_code"] for service in client.get_service_list()} >= {"waste", "pothole"}
    assert client.get_service_definition("waste")["service_code"] == "waste"
    listed = client.get_service_requests(status="open")
    assert {one["service_code"] for one in listed} == {"waste", "pothole"}
    one = client.get_service_request(ref)
    assert (one["service_request_id"], one["status"], one["description"]) == (ref, "open", "Bins & <bags>")
    assert (float(one["lat"]), float(one["long"])) == (29.35, 47.92)


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        ("json-service-list.derived-from-xml.json", "services.json"),
        ("json-service-request.derived-from-xml.json", "requests/{ref}.json"),
        ("json-service-requests.derived-from-xml.json", "requests.json"),
    ],
)
def test_our_answers_have_the_published_samples_fields_and_kinds(app, sample, path):
    if not (SAMPLES / sample).exists():
        pytest.skip("needs the shared data's Open311 samples")
    ref = filed(app).json()[0]["service_request_id"]
    ours = read(app, path.format(ref=ref)).json()
    theirs = json.loads((SAMPLES / sample).read_text())
    assert isinstance(ours, list) and set(theirs[0]) == set(ours[0])
    for name, value in theirs[0].items():
        if value is not None and ours[0][name] is not None and name != "metadata":
            assert isinstance(ours[0][name], type(value)), name


def test_the_xml_has_the_published_samples_elements(app):
    if not (SAMPLES / "xml-service-request.xml").exists():
        pytest.skip("needs the shared data's Open311 samples")
    ref = filed(app).json()[0]["service_request_id"]
    for sample, path in (("xml-service-request.xml", f"requests/{ref}.xml"), ("xml-service-list.xml", "services.xml")):
        theirs, ours = ElementTree.fromstring((SAMPLES / sample).read_bytes()), ElementTree.fromstring(read(app, path).content)
        assert (ours.tag, ours[0].tag) == (theirs.tag, theirs[0].tag)
        assert {child.tag for child in ours[0]} == {child.tag for child in theirs[0]}


def test_the_same_report_again_is_the_one_we_have(app):
    first, again, other = filed(app), filed(app), filed(app, description="Another street")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert first.json() == again.json() != other.json()
    assert Incident.objects.count() == 2


def test_an_idempotency_key_stands_for_one_report(app):
    fields = {"service_code": "waste", "lat": "29.35", "long": "47.92", "api_key": app}
    statuses = [
        httpx_free(f"{ROOT}/requests.json", {**fields, "description": words}, **{"Idempotency-Key": "k-1"}).status_code
        for words in ("Bins", "Bins", "Something else")
    ]
    assert statuses == [201, 200, 409]


def test_who_reported_is_not_kept(app):
    filed(app, first_name="Noura", email="n@example.org", phone="+96550000000", device_id="d-1")
    kept = InboxMessage.objects.get()
    assert not any(word in json.dumps(kept.body) for word in ("Noura", "example.org", "50000000", "d-1"))
    assert kept.kind == "municipal-complaint" and Incident.objects.get().type.code == "waste"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"service_code": "burglary"}, "service_code"), ({"lat": None, "long": None}, "lat"), ({"long": None}, "lat"),
        ({"lat": "north"}, "lat"),
        ({"lat": "nan"}, "lat"), ({"long": "999"}, "long"), ({"description": "x" * 20_001}, "description"),
    ],
)  # fmt: skip
def test_a_report_that_is_not_right_is_refused_in_the_standards_words(app, changes, named):
    refused = filed(app, **changes)
    assert refused.status_code == 400
    assert refused.json()[0]["code"] == 400 and named in refused.json()[0]["description"]
    as_xml = filed(app, form="xml", **changes)
    error = ElementTree.fromstring(as_xml.content)
    assert as_xml["Content-Type"].startswith("text/xml") and (error.tag, error[0].tag, error[0][0].tag) == ("errors", "error", "code")
    assert not Incident.objects.exists()


def test_what_would_break_the_intake_is_refused(app):
    assert filed(app, description="a\0b").status_code == 400
    assert filed(app, media_url="x" * 600_000).status_code == 413
    assert httpx_free(f"{ROOT}/requests.json", {"service_code": "waste"}).status_code == 401
    assert Client().post(f"{ROOT}/requests.json", b"{}", content_type="application/json", headers={"X-API-Key": app}).status_code == 415


def test_a_key_sees_its_own_and_reads_no_further_than_its_scope(app, town, places, report, burglary):
    ref = filed(app).json()[0]["service_request_id"]
    elsewhere = key_of(town, all_governorates=False, governorates=[places.capital])
    writer, reader = key_of(town, scopes=["incidents:write"]), key_of(town, scopes=["incidents:read"])
    assert read(elsewhere, f"requests/{ref}.json").status_code == 404 and read(elsewhere, "requests.json").json() == []
    assert read(app, f"requests/{report().ref}.json").status_code == 404  # a burglary is no complaint
    assert read(writer, "requests.json").status_code == 403 and filed(reader).status_code == 403
    assert read(app, "requests.json", jurisdiction_id="elsewhere").status_code == 404
    assert read(app, "services/burglary.json").status_code == 404
    assert read(app, "tokens/999999.json").status_code == 404 and read(app, "tokens/x.json").status_code == 404


def test_a_key_of_less_precision_is_told_no_words_and_no_exact_place(app, town, places):
    ref = filed(app, lat="29.3517", long="47.9234", address_string="Street 5").json()[0]["service_request_id"]
    told = read(key_of(town, precision=Precision.AREA), f"requests/{ref}.json").json()[0]
    assert told["description"] is None and told["address"] is None
    assert (told["long"], told["lat"]) == pytest.approx(tuple(places.salmiya.label_point.coords))


def test_filters_narrow_and_a_span_has_its_bound(app):
    ref = filed(app).json()[0]["service_request_id"]
    filed(app, service_code="pothole")
    assert [one["service_code"] for one in read(app, "requests.json", service_code="pothole").json()] == ["pothole"]
    assert [one["service_request_id"] for one in read(app, "requests.json", service_request_id=f"{ref},KW-26-999999").json()] == [ref]
    assert read(app, "requests.json", status="closed").json() == []
    assert read(app, "requests.json", end_date="2020-01-01T00:00:00Z").json() == []
    for bad in (
        {"status": "lost"},
        {"start_date": "yesterday"},
        {"start_date": "2020-01-01T00:00:00Z", "end_date": "2021-01-01T00:00:00Z"},
    ):
        assert read(app, "requests.json", **bad).status_code == 400


def test_discovery_says_where_it_is_in_both_forms(app):
    assert read(app, "discovery.json").json()["endpoints"][0]["url"].endswith(ROOT)
    assert ElementTree.fromstring(read(app, "discovery.xml").content).find("endpoints/endpoint/specification") is not None
    filed(app)
    token = InboxMessage.objects.get()
    assert read(app, f"tokens/{token.pk}.json").json()[0]["service_request_id"] == Incident.objects.get().ref
