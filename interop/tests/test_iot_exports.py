"""IOT-3: readings of many devices as files: by group, box, kind and window, whole or gathered; bounded, and of one's own devices alone."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from interop.api.iot import exports
from iot.models import DeviceGroup

BASE = "/api/v1/iot/readings"


def body(answer) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.fixture
def told(sensors, client, cast):
    rows = [("temperature", float(n), sensors.ago(minutes=n)) for n in range(1, 121)]
    sensors.write([sensors.said(*rows, ("humidity", 250.0, sensors.ago(minutes=3))), sensors.said(*rows[:5], device=sensors.sharq)])
    client.force_login(cast.superadmin)
    return sensors


def lines(client, query="") -> list[dict]:
    return [json.loads(line) for line in body(client.get(f"{BASE}.jsonl?{query}")).splitlines()]


def test_the_three_files_say_the_same(told, client):
    rows = lines(client)
    assert len(rows) == 126 and list(rows[0]) == ["device", "metric", "unit", "at", "value", "quality", "received_at"]
    assert [row["at"] for row in rows if row["device"] == "AIR-2"] == sorted(row["at"] for row in rows if row["device"] == "AIR-2")
    table = pq.read_table(io.BytesIO(body(client.get(f"{BASE}.parquet"))))
    assert table.num_rows == 126 and str(table.schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert sorted(table.column("value").to_pylist()) == sorted(row["value"] for row in rows)
    read = list(csv.DictReader(io.StringIO(body(client.get(f"{BASE}.csv")).decode("utf-8-sig"))))
    assert len(read) == 126 and {row["quality"] for row in read} >= {"out_of_range"}


def test_they_are_narrowed_by_metric_device_group_kind_box_and_window(told, client, cast):
    group = DeviceGroup.objects.create(agency=cast.police, code="coast", name_en="Coast", name_ar="الساحل")
    told.sharq.groups.add(group)
    assert (
        {row["device"] for row in lines(client, "group=coast")}
        == {"AIR-2"}
        == {row["device"] for row in lines(client, "device=AIR-2,NONE")}
    )
    assert len(lines(client, "metric=humidity")) == 1 and lines(client, "kind=water") == []
    assert {row["device"] for row in lines(client, "bbox=47.9,29.3,48.0,29.4")} == {"AIR-1"}
    start = told.ago(minutes=10).isoformat().replace("+", "%2B")
    assert len(lines(client, f"from={start}&metric=temperature&device=AIR-1")) in (9, 10)


def test_they_are_gathered_to_points_from_the_right_roll_up(told, client):
    rows = lines(client, "points=24&metric=temperature&device=AIR-1")
    assert (sum(row["n"] for row in rows), sum(row["bad_n"] for row in rows)) == (80, 40) and len(rows) <= 25
    assert list(rows[0]) == ["device", "metric", "unit", "at", "n", "min", "mean", "max", "last", "bad_n"]
    assert max(row["max"] for row in rows if row["n"]) == 80.0, "hotter than the metric's range is not believed"
    table = pq.read_table(io.BytesIO(body(client.get(f"{BASE}.parquet?points=24"))))
    assert sum(table.column("bad_n").to_pylist()) == 41


def test_nobody_gets_the_readings_of_devices_they_may_not_see(told, client, cast):
    client.force_login(cast.supervisor)
    assert {row["device"] for row in lines(client)} == {"AIR-1"} and lines(client, "device=AIR-2") == []
    client.force_login(cast.firefighter)
    assert lines(client) == []
    client.logout()
    assert client.get(f"{BASE}.parquet").status_code in (401, 403)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("bbox=1,2,3", "bbox"), ("bbox=48,29,47,30", "bbox"), ("bbox=a,b,c,d", "bbox"), ("kind=toaster", "kind"), ("points=1", "points"),
        ("points=x", "points"), ("from=yesterday", "from"), ("from=2026-01-01T00:00:00", "from"),
        ("from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"), ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("device=" + ",".join(["a"] * 200), "device"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(told, client, query, field):
    answer = client.get(f"{BASE}.csv?{query}")
    assert answer.status_code in (400, 422) and field in {error["field"] for error in answer.json()["errors"]}, answer.content


def test_more_than_may_be_asked_for_is_refused_before_it_is_read(told, client, monkeypatch):
    monkeypatch.setattr(exports, "MOST_READINGS", 100)
    answer = client.get(f"{BASE}.parquet")
    assert answer.status_code in (400, 422) and "126" in answer.content.decode()
    assert client.get(f"{BASE}.parquet?points=10").status_code == 200, "gathered it is little"
    monkeypatch.setattr(exports, "MOST_STREAMS", 1)
    assert client.get(f"{BASE}.jsonl?points=10").status_code in (400, 422)


def test_a_row_group_is_all_that_is_held(told, client, monkeypatch):
    monkeypatch.setattr(exports, "ROW_GROUP", 50)
    assert pq.ParquetFile(io.BytesIO(body(client.get(f"{BASE}.parquet")))).num_row_groups == 3
    assert timedelta(days=exports.MOST_DAYS) >= timedelta(days=366)


def test_one_document_has_a_series_for_each_metric_of_each_device(told, client):
    said = json.loads(body(client.get(BASE)))
    assert said["columns"] == ["at", "value", "quality", "received_at"] and said["step_s"] == 0
    counted = {(one["device"], one["metric"]): len(one["points"]) for one in said["series"]}
    assert counted == {("AIR-1", "temperature"): 120, ("AIR-1", "humidity"): 1, ("AIR-2", "temperature"): 5}
    assert [point[1] for point in said["series"][-1]["points"]] == [5.0, 4.0, 3.0, 2.0, 1.0]
    gathered = json.loads(body(client.get(f"{BASE}?points=24&metric=temperature&bbox=47.9,29.3,48.0,29.4")))
    assert gathered["step_s"] == 3600 and gathered["columns"] == ["at", "n", "min", "mean", "max", "last", "bad_n"]
    assert sum(point[1] for point in gathered["series"][0]["points"]) == 80
    assert json.loads(body(client.get(f"{BASE}?metric=none")))["series"] == []


def test_the_document_is_bounded_and_told_to_those_who_may_see_devices_alone(told, client, cast, monkeypatch):
    assert client.get(f"{BASE}?bbox=1,2").status_code == 422
    monkeypatch.setattr(exports, "MOST_READINGS", 10)
    assert client.get(BASE).status_code == 422
    client.force_login(cast.firefighter)
    assert json.loads(body(client.get(BASE)))["series"] == []
    client.logout()
    assert client.get(BASE).status_code == 401
    assert client.get(BASE, headers={"Authorization": f"Device {told.key}"}).status_code == 401, "a device asks for nothing"
