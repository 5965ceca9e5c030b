"""A partner's key reads what was sent and what became of it, without anybody's name or address (ALR-5)."""

from __future__ import annotations

import pytest

from alerts.services.delivery import page_person, send_due
from alerts.tests.senders import Scripted
from interop.services import issue_key
from interop.tests.conftest import Caller

pytestmark = pytest.mark.django_db


def test_a_key_reads_deliveries_without_names_and_sends_nothing_again(alerting, fire, cast, police_system, caller):
    page = page_person(alert=fire(), user=cast.dispatcher)
    send_due(sender_of=Scripted())
    reader = Caller(*issue_key(partner=police_system, name="alerts", scopes=["alerts:read"], by=None, all_governorates=True))
    listed = reader.get("deliveries", {"channel": "sms"}).json()["results"]
    assert [(one["state"], one["person"], one["address"]) for one in listed] == [("sent", "", "")]
    one = reader.get(f"deliveries/{listed[0]['id']}")
    assert one.status_code == 200 and page.code not in one.content.decode() and "96550000002" not in one.content.decode()
    assert reader.get("deliveries/figures").status_code == 200
    assert reader.post(f"deliveries/{listed[0]['id']}/retry", {}).status_code == 403
    assert reader.get("deliveries/999999").status_code == 404
    assert caller.get("deliveries").status_code == 403  # another scope
