"""PAT-11: the shift handover pack: generated, edited, signed by two people, frozen, and missed when it is not signed."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import Event
from patrol.models import RosterEntry, ShiftPack
from patrol.services import packs
from patrol.services import sos as calls
from patrol.services.assignments import assign


@pytest.fixture
def make(cast, force, places):
    def make(by=None, **given):
        facts = {"agency": cast.police, "governorate": places.hawalli, "start": force.shift.starts_at, "end": force.shift.ends_at}
        return packs.make_pack(**{**facts, "by": by or cast.supervisor, **given})

    return make


@pytest.fixture
def second(cast, places):
    """Another supervisor of the same place."""
    user = type(cast.supervisor).objects.create(username="relief", role="supervisor", agency=cast.police)
    user.governorates.set([places.hawalli])
    return user


def sign(pack, by, part):
    pack.refresh_from_db()
    return packs.sign_pack(pack=pack, by=by, part=part, seen=packs.content_hash(pack))


def test_it_holds_what_is_open_who_is_there_and_what_is_wrong(make, cast, force, report, places):
    incident = report()
    assign(unit=force.p1, by=None, kind="incident", incident=incident)
    calls.raise_sos(key=uuid4(), user=cast.officer, pressed_at=timezone.now(), location=places.in_salmiya)
    report(location=places.in_sharq)  # the Capital's
    facts = make().facts
    assert tuple(facts) == packs.SECTIONS
    assert (facts["situation"]["open_incidents"], facts["situation"]["incidents"][0]["ref"]) == (1, incident.ref)
    assert facts["assessment"]["units_by_state"] == {"assigned": 1, "available": 1}
    assert {one["call_sign"] for one in facts["assessment"]["silent_positions"]} == {"P1", "P2"}, "on duty, never heard from"
    assert facts["requests"]["work"][0]["what"] == incident.ref
    assert facts["safety"]["calls_open"][0]["call_sign"] == "P1"
    assert facts["assessment"]["plan"] is None


def test_one_shift_has_one_pack_and_a_shift_to_come_has_none(make, force):
    make()
    with pytest.raises(Conflict, match="a pack of this shift"):
        make()
    with pytest.raises(Invalid, match="not begun"):
        make(start=timezone.now() + timedelta(hours=1), end=timezone.now() + timedelta(hours=9))
    with pytest.raises(Invalid):
        make(start=force.shift.starts_at - timedelta(days=3))


def test_only_those_of_the_place_make_and_sign_it(make, cast):
    with pytest.raises(NotFound):
        make(by=cast.firefighter)
    with pytest.raises(NotAllowed):
        make(by=cast.officer)
    pack = make(by=cast.dispatcher)
    with pytest.raises(NotAllowed):
        sign(pack, cast.dispatcher, "out")
    with pytest.raises(NotFound):
        sign(pack, cast.firefighter, "out")


def test_two_people_sign_what_both_saw(make, cast, second):
    pack = make()
    with pytest.raises(Conflict, match="signs first"):
        sign(pack, second, "in")
    sign(pack, cast.supervisor, "out")
    with pytest.raises(NotAllowed, match="another person"):
        sign(pack, cast.supervisor, "in")
    signed = sign(pack, second, "in")
    assert (signed.state, signed.signed_in_by) == ("signed", second)
    assert signed.content_sha256 == packs.content_hash(ShiftPack.objects.get(pk=pack.pk))
    assert [event.data["part"] for event in Event.objects.filter(type="shift_pack.signed").order_by("id")] == ["out", "in"]


def test_what_was_read_before_it_changed_is_not_signed(make, cast):
    pack = make()
    seen = packs.content_hash(pack)
    packs.note_pack(pack=pack, by=cast.dispatcher, section="safety", text="Dog in the yard of block 4")
    with pytest.raises(Conflict, match="changed since"):
        packs.sign_pack(pack=pack, by=cast.supervisor, part="out", seen=seen)


def test_between_the_signatures_nothing_changes_and_by_any_other_way_it_shows(make, cast, second):
    pack = make()
    sign(pack, cast.supervisor, "out")
    with pytest.raises(Conflict, match="is signed"):
        packs.note_pack(pack=pack, by=cast.supervisor, section="safety", text="x")
    with pytest.raises(Conflict, match="is signed"):
        packs.renew_pack(pack=pack, by=cast.supervisor)
    ShiftPack.objects.filter(pk=pack.pk).update(notes={"safety": "slipped in"})
    with pytest.raises(Conflict, match="not what the outgoing"):
        sign(pack, second, "in")


def test_the_first_signature_can_be_taken_back_with_a_reason(make, cast, second):
    pack = make()
    sign(pack, cast.supervisor, "out")
    with pytest.raises(Invalid):
        packs.return_pack(pack=pack, by=second, reason=" ")
    packs.return_pack(pack=pack, by=second, reason="A unit is missing")
    pack.refresh_from_db()
    assert (pack.state, pack.signed_out_by, pack.content_sha256) == ("draft", None, "")
    with pytest.raises(Conflict):
        packs.return_pack(pack=pack, by=second, reason="again")


@pytest.mark.parametrize("change", [{"notes": {"safety": "later"}}, {"state": "draft"}, {"signed_in_by": None}])
def test_the_database_itself_keeps_what_both_signed(make, cast, second, change):
    pack = make()
    sign(pack, cast.supervisor, "out")
    sign(pack, second, "in")
    with pytest.raises(DatabaseError, match="stays as it is"), transaction.atomic():
        ShiftPack.objects.filter(pk=pack.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        ShiftPack.objects.filter(pk=pack.pk).delete()


def test_facts_generated_anew_mark_what_changed_and_keep_the_notes(make, cast, report):
    pack = make()
    packs.note_pack(pack=pack, by=cast.supervisor, section="situation", text="Quiet")
    report()
    renewed = packs.renew_pack(pack=pack, by=cast.supervisor)
    assert "situation" in renewed.facts["changed"] and "identity" not in renewed.facts["changed"]
    assert renewed.notes == {"situation": "Quiet"} and renewed.generated_at > pack.generated_at


def test_nobodys_words_are_overwritten_unseen(make, cast):
    pack = make()
    packs.note_pack(pack=pack, by=cast.supervisor, section="safety", text="One", seen="")
    with pytest.raises(Conflict, match="meanwhile"):
        packs.note_pack(pack=pack, by=cast.dispatcher, section="safety", text="Two", seen="")
    with pytest.raises(NotFound):
        packs.note_pack(pack=pack, by=cast.supervisor, section="weather", text="x")
    with pytest.raises(Invalid):
        packs.note_pack(pack=pack, by=cast.supervisor, section="safety", text="x" * 4001)


def test_a_missing_signature_is_announced_once_and_says_whose(make, cast, second, force):
    pack = make()
    end = force.shift.ends_at
    assert packs.announce_unsigned(now=end + timedelta(minutes=29)) == 0
    sign(pack, cast.supervisor, "out")
    assert packs.announce_unsigned(now=end + timedelta(minutes=31)) == 1
    assert packs.announce_unsigned(now=end + timedelta(hours=5)) == 0
    assert Event.objects.get(type="shift_pack.unsigned").data == {"pack": pack.pk, "missing": "in"}
    assert sign(pack, second, "in").state == "signed", "late is better than never"


def test_the_pack_of_a_shift_that_ends_is_drawn_up_by_itself_where_somebody_works(cast, force):
    end = force.shift.ends_at
    assert packs.make_due_packs(now=end - timedelta(minutes=20)) == 0, "nobody is on its roster"
    RosterEntry.objects.create(shift=force.shift, member=force.officer, unit=force.p1, starts_at=force.shift.starts_at, ends_at=end)
    assert packs.make_due_packs(now=end - timedelta(minutes=31)) == 0
    assert packs.make_due_packs(now=end - timedelta(minutes=20)) == 1
    assert packs.make_due_packs(now=end - timedelta(minutes=10)) == 0
