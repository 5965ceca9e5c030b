"""ING-5: a source's words become our types and severities; what nobody knows is kept, flagged."""

from __future__ import annotations

import pytest
from django.db import transaction

from incidents.models import IncidentType, TypeMapping
from incidents.services.vocabulary import Words, ensure_vocabulary
from incidents.vocabulary import TYPES

pytestmark = pytest.mark.django_db


@pytest.fixture
def words(police_112):
    ensure_vocabulary()
    return Words(police_112)


def test_words_codes_and_names_in_both_languages_find_the_type(words):
    assert {words.type_of(w).code for w in ("Motor Vehicle Theft", "vehicle-theft", "سَرِقة مركبه", "سرقة سيارة")} == {"vehicle-theft"}


def test_an_unknown_word_is_added_once_for_its_source_unreviewed(words, police_112):
    kind = words.type_of("Camel on the motorway")
    assert not kind.is_reviewed and kind.agency == police_112.agency
    assert Words(police_112).type_of("CAMEL  on the motorway") == kind
    assert TypeMapping.objects.get(source=police_112).type == kind


@pytest.mark.django_db(transaction=True)
def test_a_type_that_was_undone_is_not_remembered_where_words_are_shared(police_112):
    words = Words(police_112, is_shared=True)
    with transaction.atomic():
        words.type_of("Camel on the motorway")
        transaction.set_rollback(True)
    with transaction.atomic():
        kind = words.type_of("Camel on the motorway")
        assert words.type_of("camel on the motorway") == kind
    assert IncidentType.objects.get(pk=kind.pk) == kind == words.known_type("Camel on the motorway")


def test_an_unknown_arabic_word_gets_a_stable_code(words, police_112):
    assert words.type_of("جمل").code == Words(police_112).type_of("جمل").code != words.type_of("ناقة").code


def test_severity_words_in_both_languages(words):
    assert [words.severity_of(w) for w in ("Critical", "عالية", "٢", "purple")] == [4, 3, 2, None]


def test_ensuring_twice_changes_nothing_people_edited(words):
    IncidentType.objects.filter(code="theft").update(name_en="Stealing")
    ensure_vocabulary()
    assert IncidentType.objects.get(code="theft").name_en == "Stealing"
    assert IncidentType.objects.filter(is_reviewed=True).count() == len(TYPES)
