"""INT-6: CloudEvents 1.0 at the agencies' door, made by the CloudEvents project's own library."""

from __future__ import annotations

import httpx
import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.v1.event import CloudEvent

from incidents.models import Report
from interop.models import InboxMessage, Kind
from interop.tests.conftest import message

SINGLE = f"ingest/{Kind.MOI_INCIDENT}"


def event(data, **changes):
    attributes = {"id": "evt-1", "source": "urn:police:cad:7", "type": "kw.police.incident.reported", "datacontenttype": "application/json"}
    return CloudEvent(attributes={**attributes, **changes}, data=data)


@pytest.fixture
def nameless(places):
    """A report without an id of its own: the event's id is its name."""
    body = message(Kind.MOI_INCIDENT, places)
    del body["case_number" if "case_number" in body else next(name for name in body if name.endswith(("number", "id")))]
    return body


def sent(live_site, caller, event_message):
    headers = {**event_message.headers, "X-API-Key": caller.secret}
    return httpx.post(f"{live_site.url}/api/v1/{SINGLE}", headers=headers, content=event_message.body, timeout=30)


@pytest.mark.parametrize("mode", [binding.to_structured_event, binding.to_binary_event], ids=["structured", "binary"])
def test_an_event_of_the_projects_own_library_is_taken_once(live_site, caller, nameless, mode):
    first, again = (sent(live_site, caller, mode(event(nameless))) for _ in range(2))
    assert first.status_code == 201, first.text
    assert again.status_code == 200 and again.json()["ref"] == first.json()["ref"]
    kept = InboxMessage.objects.get()
    assert kept.message_id == "evt-1"
    assert kept.body["cloudevent"] == {"id": "evt-1", "source": "urn:police:cad:7", "type": "kw.police.incident.reported"}
    assert Report.objects.count() == 1


def test_a_message_with_an_id_of_its_own_keeps_it(caller, burglary_report):
    told = binding.to_structured_event(event(burglary_report))
    taken = caller.post(SINGLE, told.body, raw=True, content_type=told.headers["content-type"])
    assert taken.status_code == 201
    assert InboxMessage.objects.get().message_id == taken.json()["message"]["message_id"] != "evt-1"


def test_a_batch_of_events_is_taken_row_by_row(caller, nameless):
    import orjson

    rows = [orjson.loads(binding.to_structured_event(event(nameless, id=f"evt-{n}")).body) for n in range(3)]
    taken = caller.post(f"{SINGLE}/batch", rows, content_type="application/cloudevents-batch+json")
    assert taken.status_code == 201 and taken.json()["opened"] == 3
    assert sorted(InboxMessage.objects.values_list("message_id", flat=True)) == ["evt-0", "evt-1", "evt-2"]


@pytest.mark.parametrize(
    ("envelope", "says"),
    [
        ({"id": "1", "source": "s", "type": "t"}, "specversion"),
        ({"specversion": "0.3", "id": "1", "source": "s", "type": "t", "data": {}}, "1.0"),
        ({"specversion": "1.0", "id": "", "source": "s", "type": "t", "data": {}}, "id"),
        ({"specversion": "1.0", "id": "x" * 500, "source": "s", "type": "t", "data": {}}, "id"),
        ({"specversion": "1.0", "id": "1", "source": ["s"], "type": "t", "data": {}}, "source"),
        ({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "e30="}, "data_base64"),
        ({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "datacontenttype": "text/xml", "data": "<a/>"}, "JSON"),
        ([], "object"),
    ],
)
def test_what_is_no_event_is_refused_in_words_and_keeps_nothing(caller, envelope, says):
    refused = caller.post(SINGLE, envelope, content_type="application/cloudevents+json")
    assert refused.status_code == 400 and says in refused.json()["detail"]
    assert not InboxMessage.objects.exists()


def test_an_event_around_nothing_is_rejected_as_a_message_would_be(caller):
    empty = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    assert caller.post(SINGLE, empty, content_type="application/cloudevents+json").status_code == 422


def test_the_same_id_round_another_content_is_a_conflict(caller, nameless):
    def posted(body):
        told = binding.to_structured_event(event(body))
        return caller.post(SINGLE, told.body, raw=True, content_type=told.headers["content-type"])

    assert posted(nameless).status_code == 201
    assert posted({**nameless, "narrative": "something else"}).status_code == 409
