"""INT-4, INT-5: what may be heard is in the document, each type with its body and its signature; corrections are told."""

from __future__ import annotations

import jsonschema
import pytest
import yaml
from django.conf import settings

from interop.api.webhook_document import shape_of, shown_example
from interop.models import InboxMessage
from interop.services import correct_message
from interop.services.webhooks.catalogue import CATALOGUE, TEST_TYPE

ALL = [*CATALOGUE.values(), TEST_TYPE]


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((settings.BASE_DIR / "docs/openapi.yaml").read_text())


def test_every_type_of_the_catalogue_is_a_webhook_of_the_document_and_nothing_else_is(document):
    assert set(document["webhooks"]) == {kind.name for kind in ALL}
    headers = document["components"]["parameters"]
    for kind in ALL:
        told = document["webhooks"][kind.name]["post"]
        named = {headers[one["$ref"].rsplit("/", 1)[1]]["name"] for one in told["parameters"]}
        assert named == {"webhook-id", "webhook-timestamp", "webhook-signature"}
        content = told["requestBody"]["content"]["application/cloudevents+json"]
        assert content["example"]["type"] == kind.name and {"2XX", "410", "default"} == set(told["responses"])


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_its_example_is_of_the_shape_that_is_promised(kind):
    shown = shown_example(kind)
    jsonschema.validate(shown, shape_of(kind, shown))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(shown | {"type": "another"}, shape_of(kind, shown))


@pytest.mark.django_db(transaction=True)
def test_a_correction_is_told_to_the_agencys_own_systems(hook, receiver, sender, relayed, caller, burglary_report, cast):
    type(hook.webhook).objects.filter(pk=hook.webhook.pk).update(types=["message.*"])
    type(hook.key).objects.filter(pk=hook.key.pk).update(scopes=["incidents:write", "webhooks:manage"])
    caller.post("ingest/moi-incident", burglary_report | {"occurred_at": "yesterday"})
    message = InboxMessage.objects.get()
    relayed()
    correct_message(message=message, body=burglary_report, by=cast.superadmin, reason="A typing error")
    relayed()
    sender().until_idle()
    (seen,) = receiver.seen
    told = hook.opens(seen)
    assert told["type"] == "message.corrected" and told["subject"] == f"message/{message.pk}"
    assert told["data"]["message_id"] == message.message_id and "body" not in told["data"]
