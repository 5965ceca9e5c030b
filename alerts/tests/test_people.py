"""ALR-3: addresses and how they are proved, ladders, quiet hours, contacts; whose they are and who sees them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from alerts.models import Channel, Contact, ContactMethod, NotificationRule
from alerts.services.people import (
    add_method,
    change_contact,
    is_reachable,
    make_contact,
    masked,
    mute_sound,
    prove,
    remove_method,
    sees_address,
    send_code,
    set_ladder,
    set_quiet_hours,
    switch_method,
)
from alerts.services.people.methods import MOST_METHODS, MOST_TRIES
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry


def own(user: Any, channel: str = "email", address: str = "officer@example.org") -> ContactMethod:
    return add_method(by=user, user=user, channel=channel, address=address)


def code_in(mail: Any) -> str:
    return re.findall(r"\b\d{6}\b", str(mail))[0]


def test_an_address_is_proved_by_the_code_that_arrives_at_it(cast: Any, smtp: Any) -> None:
    method = own(cast.officer)
    assert not is_reachable(cast.officer)
    send_code(method=method, by=cast.officer)
    code = code_in(smtp.mails[-1].part())
    method.refresh_from_db()
    assert code not in method.code_digest
    prove(method=method, by=cast.officer, code=code.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))
    assert is_reachable(cast.officer)
    with pytest.raises(Conflict):
        prove(method=method, by=cast.officer, code=code)


def test_a_wrong_code_is_counted_and_five_are_the_end_of_it(cast: Any, smtp: Any) -> None:
    method = own(cast.officer)
    send_code(method=method, by=cast.officer)
    code = code_in(smtp.mails[-1].part())
    for _guess in range(MOST_TRIES):
        with pytest.raises(Invalid):
            prove(method=method, by=cast.officer, code="000000" if code != "000000" else "111111")
    with pytest.raises(Conflict):
        prove(method=method, by=cast.officer, code=code)
    assert not is_reachable(cast.officer)


def test_a_code_is_old_after_ten_minutes_and_is_sent_once_a_minute(cast: Any, smtp: Any) -> None:
    method = own(cast.officer)
    send_code(method=method, by=cast.officer)
    with pytest.raises(Conflict):
        send_code(method=method, by=cast.officer)
    ContactMethod.objects.update(code_sent_at=datetime.now(UTC) - timedelta(minutes=11))
    with pytest.raises(Conflict):
        prove(method=method, by=cast.officer, code=code_in(smtp.mails[-1].part()))


def test_ten_codes_an_hour_are_enough_for_anybody(cast: Any, smtp: Any) -> None:
    for number in range(10):
        method = own(cast.officer, address=f"officer{number}@example.org")
        send_code(method=method, by=cast.officer)
        remove_method(method=method, by=cast.officer)
    with pytest.raises(Conflict):
        send_code(method=own(cast.officer), by=cast.officer)
    assert len(smtp.mails) == 10


def test_a_channel_that_is_not_set_up_says_so(cast: Any, settings: Any) -> None:
    settings.EMAIL_URL = ""
    with pytest.raises(Conflict):
        send_code(method=own(cast.officer), by=cast.officer)


NO_ADDRESSES = [
    ("sms", "no number"), ("sms", "+1"), ("sms", ""), ("email", "nobody"), ("email", "a@" + "b" * 600), ("in_app", "x"),
    ("webhook", "https://x.example/"), ("pigeon", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("channel", "address"), NO_ADDRESSES)
def test_an_address_that_cannot_be_one_is_refused(cast: Any, channel: str, address: str) -> None:
    with pytest.raises(Invalid):
        add_method(by=cast.officer, user=cast.officer, channel=channel, address=address)


def test_a_number_is_kept_in_one_form_and_only_once(cast: Any) -> None:
    assert own(cast.officer, "sms", "٥٠٠٠ ٠٠٧٧").address == "+96550000077"
    with pytest.raises(Conflict):
        own(cast.officer, "sms", "0096550000077")
    for number in range(MOST_METHODS - 1):
        own(cast.officer, "sms", f"+965500001{number:02d}")
    with pytest.raises(Invalid):
        own(cast.officer, "sms", "+96550000999")


def test_a_person_changes_only_their_own_and_managers_those_of_their_jurisdiction(cast: Any) -> None:
    method = own(cast.officer)
    with pytest.raises(NotFound):
        add_method(by=cast.dispatcher, user=cast.firefighter, channel="sms", address="+96550000077")
    with pytest.raises(NotAllowed):
        add_method(by=cast.dispatcher, user=cast.officer, channel="sms", address="+96550000077")
    for verb in (remove_method, send_code):
        with pytest.raises(NotAllowed):
            verb(method=method, by=cast.dispatcher)
        with pytest.raises(NotFound):
            verb(method=method, by=cast.firefighter)
    switch_method(method=method, by=cast.supervisor, is_active=False, reason="left the force")
    assert AuditEntry.objects.get(verb="contactmethod.switch_off").actor_name == "supervisor"
    with pytest.raises(NotFound):
        add_method(by=cast.supervisor, user=cast.stranger, channel="sms", address="+96550000077")


def test_addresses_are_masked_for_everybody_else_and_in_the_audit_trail(cast: Any) -> None:
    method = own(cast.officer, "sms", "+96550000077")
    assert [sees_address(one, method) for one in (cast.officer, cast.supervisor, cast.dispatcher, cast.firefighter)] == [
        True,
        True,
        False,
        False,
    ]
    assert masked("sms", method.address) == "+965••••77" and masked("email", "") == ""
    entry = AuditEntry.objects.get(verb="contactmethod.add")
    assert "50000077" not in f"{entry.after} {entry.object_name}"


def test_a_ladder_is_kept_whole_and_in_its_order(alerting: Any, cast: Any) -> None:
    set_ladder(user=cast.supervisor, by=cast.supervisor, importance="important", rungs=[(Channel.VOICE, 20), (Channel.SMS, 60)])
    rows = NotificationRule.objects.filter(user=cast.supervisor, importance="important")
    assert [(row.channel, row.wait_s) for row in rows] == [("voice", 20), ("sms", 60)]
    set_ladder(user=cast.supervisor, by=cast.supervisor, importance="important", rungs=[])
    assert not rows.all()


@pytest.mark.parametrize("rungs", [[("pigeon", 60)], [("sms", -1)], [("sms", 3601)], [("sms", 60)] * 11, [("slack", 60)]])
def test_a_ladder_that_cannot_be_climbed_is_refused(cast: Any, rungs: Any) -> None:
    with pytest.raises(Invalid):
        set_ladder(user=cast.officer, by=cast.officer, importance="default", rungs=rungs)


def test_quiet_hours_have_both_ends_or_none(cast: Any) -> None:
    assert set_quiet_hours(user=cast.officer, by=cast.officer, quiet_from=time(23), quiet_to=time(6)).quiet_to == time(6)
    for given in ((time(23), None), (None, time(6)), (time(6), time(6))):
        with pytest.raises(Invalid):
            set_quiet_hours(user=cast.officer, by=cast.officer, quiet_from=given[0], quiet_to=given[1])
    with pytest.raises(NotAllowed):
        set_quiet_hours(user=cast.officer, by=cast.dispatcher, quiet_from=None, quiet_to=None)


def test_the_sound_is_muted_for_a_shift_at_most(cast: Any) -> None:
    now = datetime.now(UTC)
    assert mute_sound(user=cast.officer, by=cast.officer, until=now + timedelta(hours=8)).sound_muted_until is not None
    for until in (now + timedelta(hours=9), now - timedelta(minutes=1)):
        with pytest.raises(Invalid):
            mute_sound(user=cast.officer, by=cast.officer, until=until)
    assert mute_sound(user=cast.officer, by=cast.officer, until=None).sound_muted_until is None


def test_contacts_are_kept_by_those_who_manage_alerts_one_operations_room_a_governorate(alerting: Any, cast: Any, places: Any) -> None:
    given = {"name_en": "Desk", "name_ar": "مكتب", "agency": cast.police, "governorate": places.hawalli}
    desk = make_contact(by=cast.supervisor, code="desk", **given)
    with pytest.raises(Conflict):
        make_contact(by=cast.supervisor, code="room", kind=Contact.Kind.OPERATIONS_ROOM, **given)
    with pytest.raises(Conflict):
        make_contact(by=cast.supervisor, code="desk", **given)
    with pytest.raises(NotAllowed):
        change_contact(contact=desk, by=cast.dispatcher, name_en="Mine")
    with pytest.raises(NotFound):
        change_contact(contact=desk, by=cast.supervisor, governorate=places.capital)
    desk.refresh_from_db()
    add_method(by=cast.supervisor, contact=desk, channel="slack", address="")
    assert change_contact(contact=desk, by=cast.supervisor, is_active=False).is_active is False
    assert not is_reachable(desk)
