"""INT-7: sharing between agencies: signed by both, changed by both, revoked by either."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from accounts.models import Agency, User
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from interop.models import Part, SharingAgreement
from interop.services.sharing import change_agreement, propose_agreement, revoke_agreement, sign_agreement
from interop.services.sharing.agreements import terms_of
from interop.tests.sharing.conftest import person
from interop.tests.sharing.reading import PATH, refs, rows

pytestmark = pytest.mark.django_db


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
    assert [version.terms["parts"] for version in agreement.versions.all()] == [["place"], list(Part.values)]
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
