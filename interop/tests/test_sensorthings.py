"""IOT-7: SensorThings 1.1, read with frost-sta-client over a real web process and by hand: entities, relations, filters, pages, bounds;
and nobody is told of a device they may not see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from interop.sensorthings.grammar import BadQuery, parse_expand, parse_filter
from interop.services import issue_key
from iot.models import Datastream

ROOT = "/api/v1/sensorthings/v1.1"


@pytest.fixture
def told(sensors):
    rows = [("temperature", 20.0 + n / 10, sensors.ago(minutes=n)) for n in range(1, 31)]
    sensors.write([sensors.said(*rows, ("humidity", 40.0, sensors.ago(minutes=1))), sensors.said(*rows[:3], device=sensors.sharq)])
    return sensors


@pytest.fixture
def ask(told, client, cast):
    client.force_login(cast.superadmin)

    def asked(path: str = "", **options: Any) -> dict[str, Any]:
        query = "&".join(f"${name}={quote(str(value))}" for name, value in options.items())
        answer = client.get(f"{ROOT}/{path}?{query}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    return asked


@pytest.fixture
def stream(told) -> Datastream:
    return Datastream.objects.get(device=told.salmiya, metric__code="temperature")


def names(answer: dict[str, Any]) -> list[str]:
    return [row["name"] for row in answer["value"]]


def test_the_root_names_the_collections_and_what_holds(ask):
    root = ask()
    assert [row["name"] for row in root["value"]] == [
        "Things",
        "Locations",
        "Sensors",
        "ObservedProperties",
        "Datastreams",
        "Observations",
        "FeaturesOfInterest",
    ]
    assert not any("create" in one for one in root["serverSettings"]["conformance"]), "it reads, and says so"


def test_each_entity_is_told_with_its_links_and_can_be_followed(ask, told, stream):
    for row in ask()["value"]:
        page = ask(row["name"])
        first = page["value"][0]
        path = first["@iot.selfLink"].split("/v1.1/")[1]
        assert ask(path)["@iot.id"] == first["@iot.id"]
        for name, link in first.items():
            if name.endswith("@iot.navigationLink"):
                ask(link.split("/v1.1/")[1])
    thing = ask(f"Things({told.salmiya.pk})")
    assert thing["name"] == "AIR-1" and thing["properties"]["synthetic"] is False
    assert ask(f"Things({told.salmiya.pk})/Locations")["value"][0]["location"] == {"type": "Point", "coordinates": [47.92, 29.35]}
    assert ask(f"Datastreams({stream.pk})/Thing")["name"] == "AIR-1" and ask(f"Datastreams({stream.pk})/Thing/name") == {"name": "AIR-1"}
    assert ask(f"Datastreams({stream.pk})")["unitOfMeasurement"]["symbol"] == "°C"


def test_observations_look_as_elsewhere(ask, stream):
    row = ask(f"Datastreams({stream.pk})/Observations", top=1)["value"][0]
    # As in the page of SensorUp's public service: the same names, a time in Z, the same links.
    assert row.keys() == {
        "@iot.id",
        "@iot.selfLink",
        "phenomenonTime",
        "result",
        "resultTime",
        "Datastream@iot.navigationLink",
        "FeatureOfInterest@iot.navigationLink",
        "resultQuality",
    } - (set() if "resultQuality" in row else {"resultQuality"})
    assert row["phenomenonTime"].endswith("Z") and row["result"] == 23.0


def test_pages_neither_repeat_nor_leave_out(ask, stream):
    for options in ({}, {"orderby": "phenomenonTime desc"}, {"orderby": "result desc"}):
        seen, page = [], ask(f"Datastreams({stream.pk})/Observations", top=7, count="true", **options)
        assert page["@iot.count"] == 30
        while True:
            seen += [row["result"] for row in page["value"]]
            if "@iot.nextLink" not in page:
                break
            page = ask_link(ask, page["@iot.nextLink"])
        assert len(seen) == 30 == len(set(seen))
    everything, page = [], ask("Observations", top=10)
    while True:
        everything += [row["@iot.id"] for row in page["value"]]
        if "@iot.nextLink" not in page:
            break
        page = ask_link(ask, page["@iot.nextLink"])
    assert len(everything) == 34 == len(set(everything))


def ask_link(ask, link: str) -> dict[str, Any]:
    path, _mark, query = link.split("/v1.1/")[1].partition("?")
    return ask(path, **{name.removeprefix("$"): value for name, value in parse_qsl(query)})


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("name eq 'AIR-1'", ["AIR-1"]),
        ("name ne 'AIR-1'", ["AIR-2"]),
        ("not name eq 'AIR-1'", ["AIR-2"]),
        ("startswith(name,'AIR') and endswith(name,'2')", ["AIR-2"]),
        ("substringof('R-1',name)", ["AIR-1"]),
        ("contains(name,'zzz') eq true", []),
        ("name eq 'AIR-1' or properties/kind eq 'water'", ["AIR-1"]),
        ("(name eq 'AIR-1' or name eq 'AIR-2') and properties/agency eq 'police'", ["AIR-1", "AIR-2"]),
        ("st_within(Locations/location, geography'POLYGON((47.9 29.3,48 29.3,48 29.4,47.9 29.4,47.9 29.3))')", ["AIR-1"]),
        ("properties/last_seen_at lt now()", ["AIR-1", "AIR-2"]),
        ("properties/battery_pct eq null", ["AIR-1", "AIR-2"]),
        ("'AIR-1' eq name", ["AIR-1"]),
        ("name eq 'it''s'", []),
        ("properties/synthetic eq false", ["AIR-1", "AIR-2"]),
    ],
)
def test_a_filter_finds_what_it_says(ask, where, found):
    assert names(ask("Things", filter=where, orderby="name")) == found


def test_observations_are_filtered_by_time_value_and_what_they_belong_to(ask, told, stream):
    since = told.ago(minutes=10.5).isoformat().replace("+00:00", "Z")
    assert ask(f"Datastreams({stream.pk})/Observations", filter=f"phenomenonTime gt {since}", count="true")["@iot.count"] == 10
    assert ask("Observations", filter="result gt 22.95", count="true")["@iot.count"] == 2  # 23.0, and a humidity of 40
    where = "Datastream/Thing/name eq 'AIR-2' and Datastream/properties/metric eq 'temperature'"
    assert ask("Observations", filter=where, count="true")["@iot.count"] == 3


def test_relations_are_told_along_nested_and_each_with_its_options(ask, told):
    inner = "Observations($top=2;$orderby=phenomenonTime desc;$count=true)"
    expand = f"Datastreams($select=name;$orderby=properties/metric;$expand={inner}),Locations"
    (thing,) = ask("Things", filter="name eq 'AIR-1'", expand=expand)["value"]
    streams = {row["name"]: row for row in thing["Datastreams"]}
    assert streams.keys() == {"AIR-1 humidity", "AIR-1 temperature"} and thing["Locations"][0]["name"] == "AIR-1"
    warm = streams["AIR-1 temperature"]
    assert [row["result"] for row in warm["Observations"]] == [20.1, 20.2] and warm["Observations@iot.count"] == 30
    assert "unitOfMeasurement" not in warm and "Observations@iot.nextLink" in warm
    row = ask("Observations", top=1, expand="Datastream/Thing,FeatureOfInterest")["value"][0]
    assert row["Datastream"]["Thing"]["name"] == "AIR-1" and row["FeatureOfInterest"]["feature"]["type"] == "Point"
    assert ask("Things", select="name,id", top=1)["value"] == [{"@iot.id": told.salmiya.pk, "name": "AIR-1"}]


BAD = [
    ("Things", "filter", "name eq", "character 8"),
    ("Things", "filter", "nonsense eq 1", "no field nonsense"),
    ("Things", "filter", "name eq 5", "expected a text"),
    ("Things", "filter", "name is 'x'", "expected one of"),
    ("Things", "filter", "(name eq 'x'", "expected )"),
    ("Things", "filter", "sleep(5) eq 1", "no function"),
    ("Things", "filter", "name eq 'x' or 1 eq 1", "one side has to be a field"),
    ("Things", "filter", "name eq 'x'; drop", "cannot be read"),
    ("Things", "filter", "not " * 14 + "name eq 'x'", "nested deeper"),
    ("Things", "filter", " or ".join(["name eq 'x'"] * 41), "more than 40"),
    ("Things", "filter", "name eq '" + "x" * 4_000 + "'", "longer than"),
    ("Things", "filter", "id eq 'abc'", "whole number"),
    ("Things", "filter", "st_within(Locations/location, geography'POINT(1 2)')", "a polygon"),
    ("Things", "filter", "st_within(Locations/location, geography'POLY')", "well-known text"),
    ("Observations", "filter", "phenomenonTime gt 2026-13-45T00:00:00Z", "no such time"),
    ("Things", "top", "-1", "whole number"),
    ("Things", "skip", "10001", "at most 10000"),
    ("Things", "count", "yes", "true or false"),
    ("Things", "orderby", "name sideways", "asc or desc"),
    ("Things", "orderby", "Locations/location", "no order"),
    ("Things", "select", "secret", "no field"),
    ("Things", "search", "x", "no such option"),
    ("Things", "expand", "Secrets", "have no Secrets"),
    ("Things", "expand", "Datastreams($top=1", "do not close"),
    ("Things", "expand", "Datastreams/Observations/Datastream/Thing", "nested deeper"),
    ("Things", "skiptoken", "x'y", "no token"),
]


def test_what_is_not_understood_is_a_400_that_says_where(told, client, cast):
    client.force_login(cast.superadmin)
    for path, option, value, why in BAD:
        answer = client.get(f"{ROOT}/{path}?${option}={quote(value)}")
        assert answer.status_code == 400 and why in answer.json()["detail"], (option, value, answer.content)
    for path in (
        "Nothing",
        "Things(1)(2)",
        "Things/Datastreams",
        "Things(999999)",
        "Observations('x')",
        "Things('x')",
        "Things(1)/a/b/c/d/e/f",
        "$metadata",
    ):
        assert client.get(f"{ROOT}/{path}").status_code == 404, path
    assert client.post(f"{ROOT}/Things", {}).status_code in (403, 405)


def test_nobody_is_told_of_a_device_they_may_not_see(told, client, cast, stream):
    client.force_login(cast.supervisor)  # of the police, in Hawalli: AIR-1
    seen = {name: client.get(f"{ROOT}/{name}?$count=true").json()["@iot.count"] for name in ("Things", "Datastreams", "Observations")}
    assert seen == {"Things": 1, "Datastreams": 2, "Observations": 31}
    assert client.get(f"{ROOT}/Things({told.sharq.pk})").status_code == 404
    other = Datastream.objects.get(device=told.sharq)
    assert client.get(f"{ROOT}/Observations?$filter=Datastream/id eq {other.pk}").json()["value"] == []
    assert client.get(f"{ROOT}/Datastreams({other.pk})/Observations").status_code == 404
    through = client.get(f"{ROOT}/ObservedProperties?$expand=Datastreams").json()
    assert {row["name"] for one in through["value"] for row in one["Datastreams"]} == {"AIR-1 temperature", "AIR-1 humidity"}
    client.force_login(cast.firefighter)
    assert all(client.get(f"{ROOT}/{name}").json()["value"] == [] for name in ("Things", "Sensors", "ObservedProperties", "Observations"))
    client.logout()
    assert client.get(f"{ROOT}/Things").status_code in (401, 403)


def test_too_much_to_expand_is_refused(ask, told, client, monkeypatch):
    monkeypatch.setattr("interop.sensorthings.service.MOST_QUESTIONS", 1)
    answer = client.get(f"{ROOT}/Things?$expand=Datastreams")
    assert answer.status_code == 400 and "too much to expand" in answer.json()["detail"]


def test_trees_are_read_as_the_standard_says():
    assert parse_filter("a eq 1 or b eq 2 and c eq 3").is_and is False, "and binds closer than or"
    assert [(one.relation, sorted(one.options)) for one in parse_expand("A($top=1;$expand=B($filter=x eq 'a;b,c')),C/D")] == [
        ("A", ["$expand", "$top"]),
        ("C", ["$expand"]),
    ]
    with pytest.raises(BadQuery):
        parse_filter("")


def test_a_client_somebody_else_wrote_reads_it(live_site, told, cast, police_system):
    fsc: Any = pytest.importorskip("frost_sta_client")
    base: Any = fsc.AuthHandler

    class ByKey(base):
        def add_auth_header(self):
            def add(request):
                request.headers["X-API-Key"] = secret
                return request

            return add

    _key, secret = issue_key(partner=police_system, name="sta", scopes=["telemetry:read"], by=None, all_governorates=True)
    service = fsc.SensorThingsService(f"{live_site.url}{ROOT}", auth_handler=ByKey(username="-", password="-"))
    things = list(service.things().query().orderby("name", "ASC").expand("Locations,Datastreams").list())
    assert [thing.name for thing in things] == ["AIR-1", "AIR-2"]
    thing = service.things().find(told.salmiya.pk)
    streams = list(thing.get_datastreams().query().filter("properties/metric eq 'temperature'").list())
    assert len(streams) == 1 and streams[0].unit_of_measurement.symbol == "°C"
    observations = streams[0].get_observations().query().top(8).orderby("phenomenonTime", "DESC").count().list()
    assert observations.count == 30
    results = [one.result for one in observations]  # the client follows nextLink by itself
    assert results == sorted(results) and len(results) == 30
    since = (datetime.now(UTC) - timedelta(minutes=5, seconds=30)).isoformat(timespec="seconds").replace("+00:00", "Z")
    assert len(list(streams[0].get_observations().query().filter(f"phenomenonTime gt {since}").list())) == 5
    assert service.sensors().query().list().entities and service.observed_properties().query().list().entities
    assert service.features_of_interest().query().list().entities and service.locations().query().list().entities
