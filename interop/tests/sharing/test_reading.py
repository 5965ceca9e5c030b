"""INT-7: sharing between agencies: read within its limits, ended at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Agency
from incidents.models import IncidentType
from interop.models import Part, Partner, Precision, SharingAgreement
from interop.services import issue_key
from interop.services.sharing import change_agreement, revoke_agreement, sign_agreement
from interop.tests.conftest import Caller
from interop.tests.sharing.reading import PATH, at, follow, refs, rows

pytestmark = pytest.mark.django_db


def test_time_that_passes_ends_it_without_anybody_doing_anything(agreed, report, fire_key):
    incident, caller = report(), fire_key()
    agreement = agreed()
    assert refs(caller.get(PATH)) == [incident.ref]
    SharingAgreement.objects.filter(pk=agreement.pk).update(ends_at=timezone.now())
    assert refs(caller.get(PATH)) == []
    soon = timezone.now() + timedelta(hours=1)
    SharingAgreement.objects.filter(pk=agreement.pk).update(starts_at=soon, ends_at=soon + timedelta(days=1))
    assert refs(caller.get(PATH)) == [], "nor has it begun"


def test_what_lies_outside_does_not_exist(agreed, report, fire_key, places, burglary):
    theft = IncidentType.objects.create(code="car-theft", name_en="Car theft", name_ar="سرقة", category="vehicle", agency=burglary.agency)
    told = report(occurred_at=at(10))
    hidden = [
        report(occurred_at=at(9), location=places.in_sharq),
        report(occurred_at=at(8), type=theft),
        report(occurred_at=at(600)),
        report(occurred_at=at(7), location=None),
    ]
    agreed(all_governorates=False, governorates=[places.hawalli], all_types=False, types=[burglary], occurred_from=at(60))
    caller = fire_key()
    assert refs(caller.get(PATH)) == [told.ref]
    assert {caller.get(f"{PATH}/{one.ref}").status_code for one in hidden} == {404}
    unknown, foreign = (caller.get(f"{PATH}/{ref}").json()["detail"] for ref in ("KW-26-999999", hidden[0].ref))
    assert unknown == foreign
    assert refs(caller.get(PATH, {"zone": "T-KU"})) == [] and refs(caller.get(PATH, {"type": "car-theft"})) == []


def test_a_key_keeps_its_own_limits(agreed, report, fire_key, places):
    here, _there = report(), report(location=places.in_sharq)
    agreed()
    narrow = fire_key(precision=Precision.AREA, governorates=[places.hawalli])
    (row,) = rows(narrow.get(PATH))
    label = places.salmiya.label_point
    assert row["ref"] == here.ref and row["location"] == {"longitude": round(label.x, 6), "latitude": round(label.y, 6)}
    assert row["address"] is None and row["description"] is None


def test_an_agreement_with_one_system_is_no_other_systems(agreed, report, fire_key, fire_system, cast, places):
    incident = report()
    other = Partner.objects.create(slug="fire-bi", name="Fire BI", agency=cast.fire, region=places.region)
    agreed(partner=fire_system)
    elsewhere = Caller(*issue_key(partner=other, name="x", scopes=["incidents:read"], by=None, all_governorates=True))
    assert refs(fire_key().get(PATH)) == [incident.ref] and refs(elsewhere.get(PATH)) == []


def test_fields_that_are_not_agreed_are_null(agreed, report, fire_key):
    report(address="Block 3", description="Door forced")
    agreement = agreed(parts=[])
    (row,) = rows(fire_key().get(PATH))
    told = {name for name, value in row.items() if value is not None}
    assert row["agreement"] == f"SA-{agreement.pk}/1"
    assert told == {
        "ref", "state", "is_open", "type", "category", "agency", "region", "occurred_at", "reported_at", "received_at", "changed_at",
        "is_synthetic", "agreement",
    }  # fmt: skip


def test_no_filter_tells_what_the_agreement_hides(agreed, report, fire_key, fire_report, places):
    own = fire_report(severity=4)
    report(severity=4)
    agreed(parts=[])
    caller = fire_key()
    for query in ({"severity": "4"}, {"priority": "1,2,3,4,5"}, {"zone": "T-HA"}, {"bbox": "47.8,29.3,48.0,29.4"}):
        assert refs(caller.get(PATH, query)) == [own.ref], query


def test_a_place_told_by_its_area_is_found_by_its_area_alone(agreed, report, fire_key, places):
    incident = report()
    agreed(parts=[Part.PLACE], precision=Precision.AREA)
    caller, point, label = fire_key(), places.in_salmiya, places.salmiya.label_point
    around = lambda place: ",".join(f"{edge:.4f}" for edge in (place.x - 0.001, place.y - 0.001, place.x + 0.001, place.y + 0.001))  # noqa: E731
    assert refs(caller.get(PATH, {"bbox": around(point)})) == []
    assert refs(caller.get(PATH, {"bbox": around(label)})) == [incident.ref]


def test_own_and_shared_rows_mix_in_pages_that_stand_still(agreed, report, fire_key, fire_report):
    made = [(fire_report if n % 3 else report)(occurred_at=at(n), address="Block 3") for n in range(10)]
    agreed(parts=[Part.PLACE], precision=Precision.GRID)
    caller = fire_key()
    seen, answer = [], caller.get(PATH, {"limit": 3})
    while True:
        seen += rows(answer)
        report(occurred_at=at(-5))  # newer ones come in meanwhile: they are on no later page
        if answer.json()["next"] is None:
            break
        answer = follow(caller, answer.json()["next"])
    assert [row["ref"] for row in seen] == [incident.ref for incident in made]
    assert [row["agreement"] is None for row in seen] == [bool(n % 3) for n in range(10)]
    assert {row["address"] for row in seen if row["agreement"]} == {None} and {row["address"] for row in seen if not row["agreement"]} == {
        "Block 3"
    }
    assert seen[0]["location"] != seen[1]["location"], "the same spot, told to 100 m and exactly"
    upwards = [row["ref"] for row in rows(caller.get(PATH, {"sort": "id", "limit": 10}))]
    assert upwards == [incident.ref for incident in made]


def test_of_two_agreements_the_more_precise_tells_a_row_once(agreed, report, fire_key):
    report()
    agreed(parts=[Part.PLACE], precision=Precision.AREA)
    better = agreed(parts=[Part.PLACE], precision=Precision.EXACT)
    (row,) = rows(fire_key().get(PATH))
    assert row["agreement"] == f"SA-{better.pk}/1"
    assert row["location"] == {"longitude": 47.92, "latitude": 29.35}


def test_the_giver_can_be_asked_for_and_strangers_stay_unknown(agreed, report, fire_key, fire_report, cast):
    Agency.objects.create(slug="city", name_en="City", name_ar="البلدية")
    shared, own, caller = report(), fire_report(), fire_key()
    assert caller.get(PATH, {"agency": "police"}).status_code == 422
    agreed()
    assert refs(caller.get(PATH, {"agency": "police"})) == [shared.ref] and refs(caller.get(PATH, {"agency": "fire"})) == [own.ref]
    assert caller.get(PATH, {"agency": "city"}).status_code == 422


def test_the_tag_differs_when_the_agreement_does(agreed, chiefs, report, fire_key, terms):
    report()
    agreement, caller = agreed(parts=[]), fire_key()
    tag = caller.get(PATH)["ETag"]
    same = Client().get(f"/api/v1/{PATH}", headers={**caller.headers({}), "If-None-Match": tag})
    assert same.status_code == 304
    change_agreement(agreement=agreement, terms=terms(parts=[], title="Renamed", starts_at=agreement.starts_at), by=chiefs[0])
    for chief in chiefs:
        sign_agreement(agreement=agreement, version=2, by=chief)
    assert caller.get(PATH)["ETag"] != tag


def test_files_hold_both_and_end_with_the_agreement(agreed, chiefs, report, fire_report, fire_key, monkeypatch):
    monkeypatch.setattr("interop.api.external.shared.CHUNK", 2)
    made = [(fire_report if n % 2 else report)(occurred_at=at(n)) for n in range(6)]
    agreement, caller = agreed(), fire_key()
    text = b"".join(caller.get(f"{PATH}.csv", {"fields": "ref,agreement"}).streaming_content).decode().split()
    assert text[1:] == [f"{made[n].ref},{'' if n % 2 else f'SA-{agreement.pk}/1'}" for n in range(6)]
    stream = iter(caller.get(f"{PATH}.csv", {"fields": "ref"}).streaming_content)
    first = next(stream).decode().split()
    revoke_agreement(agreement=agreement, by=chiefs[0], reason="Now")
    rest = b"".join(stream).decode().split()
    assert first[1:] == [made[0].ref, made[1].ref] and rest == [made[3].ref, made[5].ref]
    collection = caller.get(f"{PATH}.geojson").json()
    assert len(collection["features"]) == 3


def test_what_is_shared_is_read_at_this_address_and_no_other(agreed, report, fire_key):
    incident = report()
    agreed()
    caller = fire_key()
    assert refs(caller.get("incidents")) == [] and caller.get(f"incidents/{incident.ref}").status_code == 404
    assert caller.get("ogc/collections/incidents/items").json()["numberReturned"] == 0
    assert caller.get(f"eido/incidents/{incident.ref}").status_code == 404
