"""INT-6, ING-1, ING-2: warnings in CAP 1.2 become alerts, once, whatever order they come in; hostile XML is only a refusal."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.models import Alert, AlertLog
from alerts.services.alerts import look_after, resolve
from core.models import Event
from interop.messages import MESSAGES
from interop.models import CapMessage, InboxMessage, Kind
from interop.services import issue_key, replay_messages
from interop.services.feeds import forget
from interop.standards import cap_in
from interop.tests.conftest import Caller

pytestmark = pytest.mark.django_db
SHARED = Path(os.environ.get("KHAREETATY_SHARED", "/nowhere")) / "data/iot-payloads/cap-1.2"
MET = "cap@met.example"
HAWALLI = "<polygon>29.31,47.91 29.39,47.91 29.39,47.99 29.31,47.99 29.31,47.91</polygon>"
BOTH = "<polygon>29.31,47.81 29.39,47.81 29.39,47.99 29.31,47.99 29.31,47.81</polygon>"
ABROAD = "<polygon>33.3,44.3 33.4,44.3 33.4,44.4 33.3,44.3</polygon>"


@pytest.fixture
def weather(police_system):
    police_system.cap_senders = [MET]
    police_system.save(update_fields=["cap_senders"])
    return police_system


@pytest.fixture
def met(weather) -> Caller:
    return Caller(*issue_key(partner=weather, name="met", scopes=["incidents:write"], by=None, all_governorates=True))


def at(minutes: float = 0) -> str:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes)
    return moment.isoformat()


def info(*, language="en", severity="Severe", area=HAWALLI, expires=None, headline="Dust storm", more="", words="Sight below 500 m."):
    return f"""<info><language>{language}</language><category>Met</category><event>Dust</event>{more}<urgency>Expected</urgency>
      <severity>{severity}</severity><certainty>Likely</certainty><expires>{expires or at(120)}</expires>
      <headline>{headline}</headline><description>{words}</description>
      <area><areaDesc>Hawalli</areaDesc>{area}</area></info>"""


def cap(identifier="one", *, kind="Alert", sent=None, status="Actual", scope="Public", references="", infos=None, sender=MET):
    infos = [info()] if infos is None else infos
    refers = f"<references>{references}</references>" if references else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier><sender>{sender}</sender>
    <sent>{sent or at(-5)}</sent><status>{status}</status><msgType>{kind}</msgType><scope>{scope}</scope>{refers}
    {"".join(infos)}</alert>""".encode()


def push(caller, document, content_type="application/cap+xml", **headers):
    return caller.post("ingest/cap-alert", document, raw=True, content_type=content_type, **headers)


def named(identifier, sent):
    return f"{MET},{identifier},{sent}"


def test_a_warning_opens_an_alert_where_its_area_lies_in_both_languages(met, places, cast):
    told = push(
        met,
        cap(infos=[info(), info(language="ar-KW", headline="عاصفة غبارية", words="الرؤية أقل من ٥٠٠ متر.")]),
    )
    assert told.status_code == 201, told.content
    said = told.json()
    assert (said["outcome"], said["effect"], said["message"]["status"]) == ("taken", "opened", "processed")
    (alert,) = Alert.objects.all()
    assert said["alerts"][0] | {"url": ""} == {"id": alert.pk, "url": "", "state": "firing", "level": "high", "governorate": "T-HA"}
    assert (alert.kind, alert.governorate, alert.agency, alert.is_synthetic) == ("outside", places.hawalli, None, False)
    assert (alert.title_en, alert.title_ar) == ("Dust storm", "عاصفة غبارية")
    assert "Sight below 500 m." in alert.text and "الرؤية" in alert.text
    assert places.hawalli.boundary.contains(alert.location)
    assert timedelta(minutes=118) < alert.resolve_due_at - datetime.now(UTC) < timedelta(minutes=122)
    assert alert.facts["sender"] == MET and alert.facts["certainty"] == "Likely"
    assert Event.objects.get(type="alert.fired").subject_id == alert.pk
    assert InboxMessage.objects.get().governorate_id == places.hawalli.pk


def test_the_same_message_again_is_answered_and_does_nothing(met, places):
    document = cap(sent=at(-5))
    assert push(met, document).status_code == 201
    again = push(met, document)
    assert (again.status_code, again.json()["outcome"], len(again.json()["alerts"])) == (200, "repeated", 1)
    assert Alert.objects.count() == InboxMessage.objects.count() == 1
    other = push(met, document.replace(b"Dust storm", b"Sand storm"))
    assert other.status_code == 409 and other.json()["type"].endswith("message_id_reused")


def test_two_governorates_have_an_alert_each_and_a_neighbours_edge_is_none(met, places):
    push(met, cap(infos=[info(area=BOTH)]))
    assert set(Alert.objects.values_list("governorate__code", flat=True)) == {"T-HA", "T-KU"}
    edge = "<polygon>29.3,47.9 29.4,47.9 29.4,48.0 29.3,48.0 29.3,47.9</polygon>"  # Hawalli to the point: it touches the Capital
    push(met, cap("edge", infos=[info(area=edge)]))
    assert Alert.objects.filter(facts__identifier="edge").get().governorate == places.hawalli


def test_an_update_takes_the_place_of_what_it_refers_to_and_pages_again_when_it_is_worse(met, places, cast):
    first = at(-10)
    push(met, cap("one", sent=first, infos=[info(severity="Minor")]))
    alert = Alert.objects.get()
    told = push(met, cap("two", kind="Update", references=named("one", first), infos=[info(severity="Extreme", headline="Worse")]))
    assert (told.status_code, told.json()["effect"]) == (200, "changed"), told.content
    alert.refresh_from_db()
    assert (alert.level, alert.title_en, Alert.objects.count()) == ("critical", "Worse", 1)
    assert AlertLog.objects.filter(alert=alert, kind="raised", facts={"from": "low", "to": "critical"}).exists()


def test_an_update_that_moves_on_leaves_the_one_governorate_and_opens_the_other(met, places):
    first = at(-10)
    push(met, cap("one", sent=first))
    east = "<polygon>29.31,47.81 29.39,47.81 29.39,47.89 29.31,47.89 29.31,47.81</polygon>"
    push(met, cap("two", kind="Update", references=named("one", first), infos=[info(area=east)]))
    assert dict(Alert.objects.values_list("governorate__code", "state")) == {"T-HA": "resolved", "T-KU": "firing"}


@pytest.mark.parametrize("how", ["cancel", "all clear", "expired"])
def test_its_sender_ends_it(met, places, how):
    first = at(-10)
    push(met, cap("one", sent=first))
    given = {
        "cancel": {"kind": "Cancel", "infos": []},
        "all clear": {"kind": "Update", "infos": [info(more="<responseType>AllClear</responseType>")]},
        "expired": {"kind": "Update", "infos": [info(expires=at(-1))]},
    }[how]
    told = push(met, cap("two", references=named("one", first), **given))
    assert (told.status_code, told.json()["effect"]) == (200, "ended"), told.content
    alert = Alert.objects.get()
    assert (alert.state, alert.resolved_because) == ("resolved", "recovery")


def test_whatever_order_they_come_in_what_was_called_off_opens_nothing(met, places):
    first, second = at(-10), at(-8)
    opening = cap("one", sent=first)
    change = cap("two", kind="Update", sent=second, references=named("one", first), infos=[info(headline="Second")])
    end = cap("three", kind="Cancel", references=f"{named('one', first)} {named('two', second)}", infos=[])
    assert push(met, change).json()["effect"] == "opened"
    assert push(met, opening).json()["effect"] == "overtaken"
    assert Alert.objects.get().title_en == "Second"
    assert push(met, end).json()["effect"] == "ended"
    late = cap("four", kind="Cancel", references=named("five", first), infos=[])
    assert push(met, late).json()["effect"] == "noted"
    assert push(met, cap("five", sent=first)).json()["effect"] == "overtaken"
    assert Alert.objects.exclude(state="resolved").count() == 0


@pytest.mark.parametrize("status", ["Test", "Exercise", "Draft", "System"])
def test_what_is_not_meant_for_real_opens_and_ends_nothing(met, places, status):
    first = at(-10)
    assert push(met, cap("drill", status=status)).json()["effect"] == "not_actual"
    push(met, cap("one", sent=first))
    assert push(met, cap("two", kind="Cancel", status=status, references=named("one", first), infos=[])).json()["effect"] == "not_actual"
    assert Alert.objects.get().state == "firing"


def test_what_is_past_or_lies_elsewhere_is_kept_and_opens_nothing(met, places):
    assert push(met, cap("past", infos=[info(expires=at(-1))])).json()["effect"] == "expired"
    assert push(met, cap("abroad", infos=[info(area=ABROAD)])).json()["effect"] == "elsewhere"
    assert not Alert.objects.exists() and InboxMessage.objects.filter(status="processed").count() == 2


def test_what_is_private_or_names_no_place_is_the_partners_own(met, places, cast):
    push(met, cap("private", scope="Private"))
    push(met, cap("somewhere", infos=[info(area="")]))
    private, nowhere = Alert.objects.order_by("pk")
    assert (private.agency, private.governorate) == (cast.police, places.hawalli)
    assert (nowhere.agency, nowhere.governorate, nowhere.facts["area"]) == (cast.police, None, "Hawalli")


def test_an_unknown_sender_is_refused_kept_and_taken_in_once_it_is_named(met, weather, cast):
    told = push(met, cap(sender="who@elsewhere.example"))
    assert told.status_code == 422
    assert {error["field"]: error["code"] for error in told.json()["errors"]} == {"sender": "unknown_sender"}
    kept = InboxMessage.objects.get()
    assert kept.status == "rejected" and not Alert.objects.exists()
    weather.cap_senders = [MET, "who@elsewhere.example"]
    weather.save(update_fields=["cap_senders"])
    forget()
    assert replay_messages(ids=[kept.pk], by=None).opened == 1
    assert Alert.objects.get().facts["sender"] == "who@elsewhere.example"


def test_our_own_words_do_not_come_back_as_a_warning(met, weather, settings):
    settings.PUBLIC_URL = "https://met.example"
    told = push(met, cap(sender="met.example"))
    assert told.status_code == 422 and told.json()["errors"][0]["code"] == "own_message"


def test_a_key_of_one_governorate_warns_of_no_other(weather, places):
    key = Caller(*issue_key(partner=weather, name="here", scopes=["incidents:write"], by=None, governorates=[places.capital]))
    told = push(key, cap())
    assert told.status_code == 422 and told.json()["errors"][0]["code"] == "outside_jurisdiction"
    assert push(key, cap("both", infos=[info(area=BOTH)])).status_code == 201
    assert Alert.objects.get().governorate == places.capital


def test_it_is_over_when_its_time_has_passed_and_nobody_is_blamed(met, places):
    push(met, cap())
    look_after(datetime.now(UTC) + timedelta(hours=3))
    alert = Alert.objects.get()
    assert (alert.state, alert.resolved_because) == ("resolved", "time") and "named" in alert.outcome


def test_an_update_of_what_a_person_ended_is_a_new_alert(met, places, cast):
    first = at(-10)
    push(met, cap("one", sent=first))
    resolve(alert=Alert.objects.get(), by=cast.supervisor, outcome="Seen to")
    told = push(met, cap("two", kind="Update", references=named("one", first)))
    assert told.json()["effect"] == "opened"
    assert sorted(Alert.objects.values_list("state", flat=True)) == ["firing", "resolved"]


def test_the_same_in_json_is_the_same_message(met, places):
    body = MESSAGES[Kind.CAP_ALERT].example | {"sent": at(-5)}
    body["info"] = [{**body["info"][0], "expires": at(60), "area": [{"description": "Here", "circle": ["29.35,47.92 0"]}]}]
    body["info"][0].pop("event_code", None)
    assert met.post("ingest/cap-alert", body).status_code == 201
    alert = Alert.objects.get()
    assert (alert.zone, alert.governorate) == (places.salmiya, places.hawalli)
    assert met.post("ingest/cap-alert", body).json()["outcome"] == "repeated"


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>&b;</identifier></alert>"""
FILE = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><alert><identifier>&f;</identifier></alert>"""
OUTSIDE_DTD = b"""<?xml version="1.0"?><!DOCTYPE alert SYSTEM "http://127.0.0.1:1/x.dtd"><alert/>"""


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b"<alert>",
        b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.1'/>",
        b"\xff\xfe\x00",
        b"<?xml version='1.0' encoding='x-nothing'?><alert/>",
        BOMB,
        FILE,
        OUTSIDE_DTD,
        b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'>" + b"<info>" * 100_000,
        b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2' xmlns:x='x'>" + b"<x:y>" * 100_000,
        b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'>" + b"<code>a</code>" * 50_000 + b"</alert>",
        cap().replace(b"</sender>", b"</sender><sender>other</sender>"),
        cap().replace(b"<scope>", b"<colour>red</colour><scope>"),
        cap().replace(b"<scope>", b"loose<scope>"),
    ],
    ids=lambda document: document[:30].decode("latin-1"),
)
def test_what_is_no_cap_is_a_400_in_words(met, document):
    told = push(met, document)
    assert told.status_code == 400 and told.json()["detail"], told.content
    assert not InboxMessage.objects.exists()


def test_what_is_too_big_of_another_kind_or_from_a_stranger_is_refused(met, caller):
    assert push(met, cap().replace(b"Sight", b"S" * 3_000_000)).status_code == 413
    assert push(met, cap(), content_type="text/plain").status_code == 415
    assert push(Caller(met.key, "aaaaaaaa." + "b" * 40), cap()).status_code == 401
    reader = Caller(*issue_key(partner=met.key.partner, name="r", scopes=["alerts:read"], by=None, all_governorates=True))
    assert push(reader, cap()).status_code == 403


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        (b"<status>Actual", b"<status>Serious", "status"),
        (b"<severity>Severe", b"<severity>Bad", "info.0.severity"),
        (b"<scope>Public</scope>", b"", "scope"),
        (b"47.91 29.39", b"47.91 129.39", "info.0.area.0.polygon"),
        (b"29.31,47.91</polygon>", b"29.3,47.9</polygon>", "info.0.area.0.polygon"),
        (b"<identifier>one", b"<identifier>o n e", "identifier"),
    ],
)
def test_what_is_not_right_is_named_by_its_field_and_kept(met, before, after, field):
    told = push(met, cap().replace(before, after))
    assert told.status_code == 422, told.content
    assert any(error["field"].startswith(field) for error in told.json()["errors"])
    assert InboxMessage.objects.get().status == "rejected"


def test_the_published_messages_are_read_and_the_wrong_ones_refused(met, weather, places):
    if not SHARED.exists():
        pytest.skip("needs the shared data's CAP messages")
    right = sorted(SHARED.glob("*.cap.xml"))
    weather.cap_senders = [cap_in.read(file.read_bytes())["sender"] for file in right]
    weather.save(update_fields=["cap_senders"])
    for file in right:
        told = push(met, file.read_bytes())
        assert (told.status_code, told.json()["effect"]) == (200, "expired"), (file.name, told.content)
    for file in [*SHARED.glob("cap-1.1/*.xml"), SHARED / "negative/noaa_errors_cap11.cap.xml"]:
        assert push(met, file.read_bytes()).status_code == 400, file.name
    assert push(met, (SHARED / "negative/invalid_schema.cap.xml").read_bytes()).status_code == 422
    assert CapMessage.objects.filter(effect="expired").count() == len(right) == 4


def test_what_we_send_out_another_site_takes_in(met, weather, fire, places, settings):
    settings.PUBLIC_URL = "https://here.example"
    reader = Caller(*issue_key(partner=weather, name="r", scopes=["alerts:read"], by=None, all_governorates=True))
    alert = fire(kind="rule", location=None)
    document = reader.get(f"cap/alerts/{alert.key}.1.xml").content
    Alert.objects.filter(pk=alert.pk).update(state="resolved", resolved_at=datetime.now(UTC), resolved_because="hand")
    AlertLog.objects.create(alert=alert, kind="resolved", facts={"because": "hand"})
    end = reader.get(f"cap/alerts/{alert.key}.2.xml").content

    settings.PUBLIC_URL = "https://there.example"
    weather.cap_senders = ["here.example"]
    weather.save(update_fields=["cap_senders"])
    told = push(met, document)
    assert told.status_code == 201, told.content
    copy = Alert.objects.get(kind="outside")
    assert (copy.title_en, copy.title_ar, copy.level) == (alert.title_en, alert.title_ar, alert.level)
    assert (copy.governorate, copy.zone) == (alert.governorate, alert.zone)
    assert push(met, end).json()["effect"] == "ended"
    copy.refresh_from_db()
    assert copy.state == "resolved"
    # and is not told on: nobody hears an echo
    assert reader.get(f"cap/alerts/{copy.key}.1.xml").status_code == 404
