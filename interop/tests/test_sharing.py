"""INT-7: sharing between agencies: signed by both, read within its limits, ended at once, each read on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Agency, User
from accounts.roles import Role
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.models import IncidentType, Source
from interop.models import Part, Partner, Precision, ReadRecord, SharingAgreement
from interop.services import issue_key
from interop.services.sharing import AgreementTerms, change_agreement, propose_agreement, revoke_agreement, sign_agreement
from interop.services.sharing.agreements import terms_of
from interop.services.sharing.reads import keep_reads, writer
from interop.tests.conftest import Caller

pytestmark = pytest.mark.django_db
PATH = "external/incidents"
EVERYTHING = tuple(Part.values)


@pytest.fixture(autouse=True)
def _nothing_waits():
    """What other tests read waits in memory, and is not of this one."""
    writer._waiting.clear()


def person(name, agency, role=Role.SUPERVISOR, places=None):
    user = User.objects.create(username=name, role=role, agency=agency, sees_all_governorates=places is None)
    user.governorates.set(places or [])
    return user


@pytest.fixture
def chiefs(cast):
    """One of each side who may share: the police give, the fire service receives."""
    return person("police-chief", cast.police), person("fire-chief", cast.fire)


@pytest.fixture
def fire_system(cast, places):
    return Partner.objects.create(slug="fire-cad", name="Fire CAD", agency=cast.fire, region=places.region)


@pytest.fixture
def fire_key(fire_system):
    def make(precision=Precision.EXACT, governorates=(), scopes=("incidents:read",)):
        return Caller(
            *issue_key(
                partner=fire_system, name="pull", scopes=list(scopes), by=None, governorates=governorates,
                all_governorates=not governorates, precision=precision,
            )
        )  # fmt: skip

    return make


@pytest.fixture
def terms(cast):
    def make(**changes):
        now = timezone.now()
        usual = {
            "title": "Burglaries for the fire service", "purpose": "Joint response, decree 7", "giver": cast.police, "receiver": cast.fire,
            "starts_at": now - timedelta(minutes=1), "ends_at": now + timedelta(days=30), "all_types": True, "all_governorates": True,
            "parts": EVERYTHING, "precision": Precision.EXACT,
        }  # fmt: skip
        return AgreementTerms(**{**usual, **changes})

    return make


@pytest.fixture
def agreed(terms, chiefs):
    """``agreed(precision="area", parts=["place"])``: an agreement that both have signed."""

    def make(**changes):
        giver, receiver = chiefs
        agreement = propose_agreement(terms=terms(**changes), by=giver)
        sign_agreement(agreement=agreement, version=1, by=giver)
        return sign_agreement(agreement=agreement, version=1, by=receiver)

    return make


@pytest.fixture
def fire_report(cast, places, report):
    source = Source.objects.create(slug="fire-112", name="Fire", agency=cast.fire, region=places.region)
    kind = IncidentType.objects.create(code="car-fire", name_en="Car fire", name_ar="حريق مركبة", category="fire", agency=cast.fire)
    return lambda **given: report(**{"source": source, "type": kind, **given})


def rows(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def refs(answer):
    return [row["ref"] for row in rows(answer)]


def follow(caller, url):
    parts = urlsplit(url)
    return Client().get(f"{parts.path}?{parts.query}", headers=caller.headers({}))


def at(minutes):
    return datetime(2026, 3, 14, 12, 0, tzinfo=UTC) - timedelta(minutes=minutes)


# --- signing --------------------------------------------------------------------------------------------------------------------------


def test_nothing_is_read_until_both_have_signed_and_then_at_once(terms, chiefs, report, fire_key):
    incident, caller = report(), fire_key()
    agreement = propose_agreement(terms=terms(), by=chiefs[0])
    assert refs(caller.get(PATH)) == []
    sign_agreement(agreement=agreement, version=1, by=chiefs[0])
    assert refs(caller.get(PATH)) == [] and caller.get(f"{PATH}/{incident.ref}").status_code == 404
    assert sign_agreement(agreement=agreement, version=1, by=chiefs[1]).state == "in_force"
    assert refs(caller.get(PATH)) == [incident.ref] and caller.get(f"{PATH}/{incident.ref}").status_code == 200
    assert list(Event.objects.filter(type__startswith="sharing.").values_list("type", flat=True)) == ["sharing.proposed", "sharing.agreed"]


def test_a_side_signs_once_for_its_own_agency_and_on_the_version_that_was_read(terms, chiefs, cast):
    giver, _receiver = chiefs
    agreement = propose_agreement(terms=terms(), by=giver)
    for outsider in (cast.superadmin, cast.dispatcher, cast.firefighter, cast.auditor):
        with pytest.raises(NotAllowed):
            sign_agreement(agreement=agreement, version=1, by=outsider)
    with pytest.raises(Conflict):
        sign_agreement(agreement=agreement, version=2, by=giver)
    sign_agreement(agreement=agreement, version=1, by=giver)
    with pytest.raises(Conflict):
        sign_agreement(agreement=agreement, version=1, by=person("second-chief", cast.police))


def test_one_person_who_changes_agency_does_not_sign_for_both(terms, chiefs, cast):
    giver, _receiver = chiefs
    agreement = propose_agreement(terms=terms(), by=giver)
    sign_agreement(agreement=agreement, version=1, by=giver)
    User.objects.filter(pk=giver.pk).update(agency=cast.fire)
    with pytest.raises(Conflict, match="both sides"):
        sign_agreement(agreement=agreement, version=1, by=User.objects.get(pk=giver.pk))
    agreement.refresh_from_db()
    assert agreement.state == "proposed"


def test_nobody_gives_governorates_they_do_not_see(terms, cast, places):
    chief = person("hawalli-chief", cast.police, places=[places.hawalli])
    wide = propose_agreement(terms=terms(), by=chief)
    with pytest.raises(NotAllowed, match="governorates"):
        sign_agreement(agreement=wide, version=1, by=chief)
    narrow = propose_agreement(terms=terms(all_governorates=False, governorates=[places.hawalli]), by=chief)
    assert sign_agreement(agreement=narrow, version=1, by=chief).signatures.count() == 1


def test_a_change_needs_both_signatures_again_and_the_old_terms_are_kept(agreed, chiefs, report, fire_key, terms):
    report(address="Block 3")
    agreement, caller = agreed(), fire_key()
    assert len(refs(caller.get(PATH))) == 1
    changed = change_agreement(agreement=agreement, terms=terms(parts=[Part.PLACE], starts_at=agreement.starts_at), by=chiefs[1])
    assert (changed.version, changed.state) == (2, "proposed") and refs(caller.get(PATH)) == []
    for chief in chiefs:
        sign_agreement(agreement=agreement, version=2, by=chief)
    assert rows(caller.get(PATH))[0]["agreement"] == f"SA-{agreement.pk}/2"
    assert [version.terms["parts"] for version in agreement.versions.all()] == [["place"], list(EVERYTHING)]
    same = change_agreement(agreement=agreement, terms=terms_of(SharingAgreement.objects.get(pk=agreement.pk)), by=chiefs[0])
    assert (same.version, same.state) == (2, "in_force"), "nothing changed: the signatures stand"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"all_types": False}, "types"),
        ({"all_types": False, "categories": ["no-such"]}, "categories"),
        ({"all_governorates": False}, "governorates"),
        ({"precision": "area"}, "parts"),
        ({"precision": "1cm"}, "precision"),
        ({"ends_at": datetime(2020, 1, 1, tzinfo=UTC)}, "ends_at"),
        ({"ends_at": datetime(2099, 1, 1, tzinfo=UTC)}, "ends_at"),
        ({"purpose": " "}, "purpose"),
    ],
)
def test_terms_that_say_too_little_or_too_much_are_refused(terms, chiefs, changes, field):
    with pytest.raises(Invalid) as refusal:
        propose_agreement(terms=terms(**changes), by=chiefs[0])
    assert field in refusal.value.fields


def test_either_side_revokes_alone_at_once_and_for_good(agreed, chiefs, report, fire_key, terms, cast):
    incident, caller = report(), fire_key()
    for chief in chiefs:
        agreement = agreed()
        assert refs(caller.get(PATH)) == [incident.ref]
        with pytest.raises(NotAllowed):
            revoke_agreement(agreement=agreement, by=cast.dispatcher, reason="No")
        with pytest.raises(Invalid):
            revoke_agreement(agreement=agreement, by=chief, reason=" ")
        revoke_agreement(agreement=agreement, by=chief, reason="No longer needed")
        assert refs(caller.get(PATH)) == [] and caller.get(f"{PATH}/{incident.ref}").status_code == 404
        for attempt in (
            lambda agreement=agreement: sign_agreement(agreement=agreement, version=1, by=chiefs[0]),
            lambda agreement=agreement: change_agreement(agreement=agreement, terms=terms(parts=[]), by=chiefs[0]),
            lambda agreement=agreement, chief=chief: revoke_agreement(agreement=agreement, by=chief, reason="Again"),
        ):
            with pytest.raises(Conflict):
                attempt()
    assert AuditEntry.objects.filter(verb="sharing.revoke", reason="No longer needed").count() == 2


def test_an_agreement_of_others_does_not_exist(agreed, cast, places):
    other = person("mayor", Agency.objects.create(slug="city", kind="municipality", name_en="City", name_ar="البلدية"))
    agreement = agreed()
    with pytest.raises(NotFound):
        revoke_agreement(agreement=agreement, by=other, reason="Mine")


# --- reading --------------------------------------------------------------------------------------------------------------------------


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


# --- the record -----------------------------------------------------------------------------------------------------------------------


def test_each_read_through_an_agreement_is_on_record_before_it_is_told(agreed, report, fire_report, fire_key):
    shared, own = [report(), report()], fire_report()
    agreement, caller = agreed(precision=Precision.GRID, parts=[Part.PLACE]), fire_key()
    answer = caller.get(PATH, {"limit": 100})
    (record,) = ReadRecord.objects.all()
    assert set(record.incident_ids) == {one.pk for one in shared} and record.agreement_id == agreement.pk and record.version == 1
    assert (record.reader, record.precision, record.door) == ("fire-cad/pull", "100m", "external/incidents.json")
    assert record.request_id == answer["X-Request-ID"]
    writer.flush()
    (mine,) = ReadRecord.objects.filter(agreement_id=None)
    assert mine.incident_ids == [own.pk] and mine.precision == "exact"
    caller.get(f"{PATH}/{shared[0].ref}")
    assert ReadRecord.objects.of_incident(shared[0].pk).count() == 2 and ReadRecord.objects.of_incident(shared[1].pk).count() == 1


@pytest.mark.parametrize(
    ("path", "door"),
    [
        (PATH, "external/incidents.json"), ("incidents", "incidents"), ("incidents/{ref}", "incidents"), ("eido/incidents/{ref}", "eido"),
        ("ogc/collections/incidents/items", "ogc"), ("ogc/collections/incidents/items/{ref}", "ogc"),
    ],
)  # fmt: skip
def test_own_reads_are_on_record_at_every_door(path, door, fire_report, fire_key):
    own, caller = fire_report(), fire_key()
    assert caller.get(path.format(ref=own.ref)).status_code == 200
    writer.flush()
    (record,) = ReadRecord.objects.all()
    assert (record.door, record.incident_ids, record.agreement_id) == (door, [own.pk], None)


def test_own_reads_are_forgotten_sooner_than_those_through_agreements(agreed, report, fire_report, fire_key, settings):
    report(), fire_report()
    agreed()
    fire_key().get(PATH)
    writer.flush()
    long_ago = timezone.now() - timedelta(days=settings.READS_KEEP_DAYS + 1)
    ReadRecord.objects.update(at=long_ago)
    keep_reads()
    assert [record.agreement_id is None for record in ReadRecord.objects.all()] == [False]
    keep_reads(now=timezone.now() + timedelta(days=settings.SHARED_READS_KEEP_DAYS))
    assert ReadRecord.objects.count() == 0


def test_an_agreement_costs_two_questions(agreed, report, fire_report, fire_key):
    report(), fire_report()
    caller = fire_key()
    caller.get(PATH), caller.get(PATH)  # that it was used is noted by the first, and the key read anew by the second
    with CaptureQueriesContext(connection) as without:
        caller.get(PATH)
    agreed()
    with CaptureQueriesContext(connection) as with_one:
        caller.get(PATH)
    assert len(with_one) - len(without) == 2, "its rows, and the record"


# --- by API ---------------------------------------------------------------------------------------------------------------------------

AGREEMENTS = "/api/v1/sharing/agreements"


def client_of(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def send(user, path, body, method="post"):
    return getattr(client_of(user), method)(path, body, content_type="application/json")


def test_an_agreement_is_proposed_signed_changed_and_revoked_by_api(chiefs, cast, report, fire_key, burglary):
    giver, receiver = chiefs
    incident, caller = report(), fire_key()
    now = timezone.now()
    body = {
        "title": "Burglaries", "purpose": "Joint response", "giver": "police", "receiver": "fire", "types": ["burglary"],
        "governorates": ["T-HA"], "parts": ["place"], "precision": "area", "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(days=7)).isoformat(),
    }  # fmt: skip
    made = send(giver, AGREEMENTS, body)
    assert made.status_code == 201, made.content
    pk = made.json()["id"]
    assert (made.json()["types"], made.json()["governorates"], made.json()["stands"]) == (["burglary"], ["T-HA"], "proposed")
    for chief in chiefs:
        answer = send(chief, f"{AGREEMENTS}/{pk}/sign", {"version": 1})
        assert answer.status_code == 200, answer.content
    assert answer.json()["stands"] == "holds" and [one["side"] for one in answer.json()["signatures"]] == ["giver", "receiver"]
    assert refs(caller.get(PATH)) == [incident.ref]
    mine = caller.get("sharing/agreements").json()["results"]
    assert [one["code"] for one in mine] == [f"SA-{pk}/1"] and {one["by"] for one in mine[0]["signatures"]} == {""}
    changed = send(receiver, f"{AGREEMENTS}/{pk}", {"parts": []}, "patch").json()
    assert (changed["version"], changed["stands"], changed["types"]) == (2, "proposed", ["burglary"])
    assert send(giver, f"{AGREEMENTS}/{pk}/sign", {"version": 1}).status_code == 409
    assert send(giver, f"{AGREEMENTS}/{pk}/revoke", {"reason": "Over"}).json()["stands"] == "revoked"
    assert send(cast.dispatcher, AGREEMENTS, body).status_code == 403
    assert caller.post("sharing/agreements", body).status_code == 403
    assert send(giver, AGREEMENTS, {**body, "types": ["no-such"]}).status_code == 422


def test_an_agreement_of_others_is_404_by_api(agreed, cast, places):
    agreement = agreed()
    city = Agency.objects.create(slug="city", kind="municipality", name_en="City", name_ar="البلدية")
    mayor = person("mayor", city)
    assert client_of(mayor).get(f"{AGREEMENTS}/{agreement.pk}").status_code == 404
    assert client_of(mayor).get(AGREEMENTS).json()["results"] == []
    assert send(mayor, f"{AGREEMENTS}/{agreement.pk}/revoke", {"reason": "Mine"}).status_code == 404
    assert client_of(cast.dispatcher).get(f"{AGREEMENTS}/{agreement.pk}").status_code == 404


def test_what_did_partner_x_see_of_incident_y(agreed, chiefs, report, fire_key, cast, places):
    here, there = report(), report(location=places.in_sharq)
    agreement, caller = agreed(precision=Precision.AREA, parts=[Part.PLACE]), fire_key()
    caller.get(PATH), caller.get(f"{PATH}/{here.ref}")
    by_incident = client_of(chiefs[0]).get(f"/api/v1/sharing/reads/incidents/{here.ref}").json()
    (told,) = by_incident["results"]
    assert (told["reader"], told["agreement"], told["precision"], told["times"]) == ("fire-cad/pull", f"SA-{agreement.pk}/1", "area", 2)
    by_partner = client_of(chiefs[0]).get("/api/v1/sharing/reads/partners/fire-cad").json()["results"]
    assert {row["incident"]: row["times"] for row in by_partner} == {here.ref: 2, there.ref: 1}
    of_hawalli = client_of(cast.supervisor).get("/api/v1/sharing/reads/partners/fire-cad").json()["results"]
    assert [row["incident"] for row in of_hawalli] == [here.ref], "of those the asking person may see"
    assert client_of(cast.supervisor).get(f"/api/v1/sharing/reads/incidents/{there.ref}").status_code == 404
    assert client_of(cast.dispatcher).get(f"/api/v1/sharing/reads/incidents/{here.ref}").status_code == 403
    assert client_of(chiefs[1]).get("/api/v1/sharing/reads/partners/police-cad").status_code == 404
