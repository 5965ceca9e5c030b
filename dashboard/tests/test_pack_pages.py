"""PAT-11: the handover pack's pages and document, in both languages, and who may do what there."""

from __future__ import annotations

import pytest
from django.test import Client

from conftest import PASSWORD
from patrol.models import ShiftPack
from patrol.services import packs


def enter(person, language="en", **options) -> Client:
    client = Client(**options)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    client.cookies["django_language"] = language
    return client


@pytest.fixture
def pack(cast, force, places, report):
    report()
    return packs.make_pack(
        agency=cast.police, governorate=places.hawalli, start=force.shift.starts_at, end=force.shift.ends_at, by=cast.supervisor
    )


@pytest.fixture
def second(cast, places):
    user = type(cast.supervisor)(username="relief", role="supervisor", agency=cast.police)
    user.password = cast.supervisor.password
    user.save()
    user.governorates.set([places.hawalli])
    return user


def test_a_shift_without_a_pack_gets_one_from_the_page(cast, force):
    client = enter(cast.supervisor)
    assert "Draw up the pack" in client.get("/patrol/packs/").content.decode()
    made = client.post("/patrol/packs/", {"shift": force.shift.pk}, follow=True)
    assert made.redirect_chain and "Draft" in made.content.decode()
    assert client.post("/patrol/packs/", {"shift": force.shift.pk}).status_code == 404, "it has one now"
    assert enter(cast.officer).get("/patrol/packs/").status_code == 404
    assert enter(cast.analyst).post("/patrol/packs/", {"shift": "x"}).status_code == 404


@pytest.mark.parametrize(("language", "words"), [("en", ["Situation", "1 open incident", "Salmiya"]), ("ar", ["الموقف", "السالمية"])])
def test_the_page_and_the_document_speak_both_languages(pack, cast, language, words):
    client = enter(cast.supervisor, language)
    page = client.get(f"/patrol/packs/{pack.pk}/").content.decode()
    for word in words:
        assert word in page
    document = client.get(f"/patrol/packs/{pack.pk}.pdf")
    assert document.content.startswith(b"%PDF-") and f"handover-{pack.pk}-{language}.pdf" in document.headers["Content-Disposition"]


def test_both_sign_on_the_page_with_their_passwords(pack, cast, second):
    def sign(person, part, password=PASSWORD):
        client = enter(person)
        seen = client.get(f"/patrol/packs/{pack.pk}/").context["seen"]
        return client.post(f"/patrol/packs/{pack.pk}/sign-{part}/", {"password": password, "seen": seen})

    assert sign(cast.supervisor, "out", "wrong").status_code == 403
    assert sign(cast.supervisor, "out").status_code == 302
    assert sign(cast.supervisor, "in").status_code == 403
    assert sign(second, "in").status_code == 302
    assert ShiftPack.objects.get().state == "signed"
    assert "Keep the note" not in enter(cast.supervisor).get(f"/patrol/packs/{pack.pk}/").content.decode()


def test_a_note_that_lost_the_race_is_still_in_its_field(pack, cast):
    client = enter(cast.supervisor)
    address = f"/patrol/packs/{pack.pk}/note/"
    assert client.post(address, {"section": "safety", "text": "<b>Dog</b>", "seen": ""}).status_code == 302
    late = enter(cast.dispatcher).post(address, {"section": "safety", "text": "My words", "seen": ""})
    assert late.status_code == 409 and "My words" in late.content.decode()
    assert "&lt;b&gt;Dog" in client.get(f"/patrol/packs/{pack.pk}/").content.decode()
    assert client.post(f"/patrol/packs/{pack.pk}/renew/").status_code == 302


def test_a_foreign_pack_is_not_there(pack, cast):
    client = enter(cast.firefighter)
    for address in (f"/patrol/packs/{pack.pk}/", f"/patrol/packs/{pack.pk}.pdf"):
        assert client.get(address).status_code == 404
    assert client.post(f"/patrol/packs/{pack.pk}/renew/").status_code == 404
    assert enter(cast.supervisor, enforce_csrf_checks=True).post(f"/patrol/packs/{pack.pk}/renew/").status_code == 403
