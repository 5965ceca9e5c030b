"""ALR-2: why somebody was paged is kept as what it is, and told in the language of whoever reads it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from alerts.models import Page
from alerts.services import whys
from alerts.services.delivery import page_person
from alerts.services.escalation import start_run
from alerts.services.escalation.running import run_due

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("why", "english", "arabic_has"),
    [
        (whys.of_schedule({"en": "Night desk", "ar": "مكتب الليل"}), "On call in Night desk", "مكتب الليل"),
        (whys.of_team({"en": "Blue", "ar": "الأزرق"}), "On duty in Blue", "الأزرق"),
        (whys.of_role("dispatcher"), "As Dispatcher there", "مرسل"),
        (whys.COMMAND_CENTRE, "In the command centre", ""),
        (whys.OPERATIONS_ROOM, "As the operations room", ""),
        (whys.FALLBACK, "Because nobody else was reached", ""),
        (whys.IN_THE_POLICY, "Named in the policy", ""),
        (whys.IN_THE_ALERT, "Named in the alert", ""),
        (whys.keeps({"en": "Night desk", "ar": "مكتب الليل"}), "Answers for the schedule Night desk", "مكتب الليل"),
        (whys.handed_over("Sara"), "Handed over by Sara", "Sara"),
        (whys.told_by("Sara"), "Told by Sara", "Sara"),
    ],
)
def test_each_reason_is_a_sentence_in_both_languages(why: Any, english: str, arabic_has: str):
    with translation.override("en"):
        assert whys.said(why) == english
    with translation.override("ar"):
        assert whys.said(why) and (not arabic_has or arabic_has in whys.said(why))


def test_what_is_broken_or_old_is_told_as_far_as_it_can_be():
    assert whys.said({}) == "" and whys.said({"code": "nonsense"}) == "" and whys.said({"code": "role", "role": "king"})
    assert whys.said({"code": "schedule", "names": "x"}).endswith("x") and whys.said("as it was written") == "as it was written"
    assert whys.of(Page(why="as it was written")) == "as it was written"


def test_the_paged_person_and_each_reader_are_told_in_their_own_language(alerting: Any, fire: Any, cast: Any):
    cast.supervisor.language = "ar"
    cast.supervisor.save(update_fields=["language"])
    alert = fire()
    start_run(alert=alert, policy=alerting.policy)
    run_due(now=timezone.now())
    page = alert.pages.get(user=cast.supervisor)
    assert page.because["code"] == "schedule" and page.why == ""
    assert "ضابط مناوب حولي" in page.deliveries.get(channel="email").body  # the message: in the paged person's
    reader = Client()
    reader.force_login(cast.dispatcher, backend="django.contrib.auth.backends.ModelBackend")
    for language, words in (("en", "On call in Hawalli duty officer"), ("ar", "ضابط مناوب حولي")):
        cast.dispatcher.language = language
        cast.dispatcher.save(update_fields=["language"])
        reader.cookies["django_language"] = language
        with translation.override("en"):  # what a request switches to ends with the test
            assert words in reader.get(f"/alerts/{alert.pk}/", headers={"Accept-Language": language}).content.decode()
            told = reader.get(f"/api/v1/alerts/{alert.pk}", headers={"Accept-Language": language}).json()["pages"][0]
        assert words in told["why"] and told["why_code"] == "schedule"


def test_a_manual_alert_names_who_told(alerting: Any, fire: Any, cast: Any):
    page = page_person(alert=fire(), user=cast.dispatcher, why=whys.told_by(cast.supervisor))
    assert whys.of(page) == "Told by supervisor"
