"""PAT-10: a trial drawn, sealed by another person, and its effect read, by page, document and API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from patrol.models import Trial
from patrol.services.trials import due_at, report_trial
from patrol.tests.test_trials import crimes, drawn, happened, history, sealed  # noqa: F401 fixtures

DAY = timedelta(days=1)
API = "/api/v1/patrol/trials"


def enter(client, person):
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def asked():
    start = (datetime.now(UTC) + 3 * DAY).date()
    return {
        "name": "Stops in the evening",
        "hypothesis": "Fewer burglaries.",
        "category": "",
        "starts_on": start.isoformat(),
        "days": 28,
        "cells": 16,
        "holdout_percent": 50,
        "strata": 2,
        "buffer_cells": 1,
        "baseline_days": 90,
    }


def test_an_analyst_draws_and_a_supervisor_seals(client, cast, force, history, asked):  # noqa: F811
    enter(client, cast.analyst)
    assert "trials/new" in client.get("/patrol/trials/").content.decode()
    answer = client.post("/patrol/trials/new/?agency=police&governorate=T-HA", asked)
    assert answer.status_code == 302, answer.context["form"].errors
    trial = Trial.objects.get()
    assert answer.status_code == 302 and answer.url.endswith(f"/patrol/trials/{trial.pk}/")
    assert "You drew it" in client.get(answer.url).content.decode()
    refused = client.post(f"/patrol/trials/{trial.pk}/seal/")
    assert refused.status_code == 403 and "Another person seals it" in refused.content.decode()
    enter(client, cast.supervisor)
    assert client.post(f"/patrol/trials/{trial.pk}/seal/").status_code == 302
    trial.refresh_from_db()
    assert trial.state == "sealed"
    page = client.get(f"/patrol/trials/{trial.pk}/").content.decode()
    assert trial.sealed_sha256 in page and "holds" in page and "Too early to say" in page
    assert client.post(f"/patrol/trials/{trial.pk}/report/").status_code == 409
    assert client.post(f"/patrol/trials/{trial.pk}/stop/", {"reason": ""}).status_code == 422


def test_what_is_wrong_is_said_beside_its_field(client, cast, force, history, asked):  # noqa: F811
    enter(client, cast.supervisor)
    answer = client.post("/patrol/trials/new/", {**asked, "days": 3, "holdout_percent": 99})
    assert answer.status_code == 422
    assert {"days", "holdout_percent"} <= set(answer.context["form"].errors)
    assert client.post("/patrol/trials/new/", {**asked, "starts_on": "no day"}).status_code == 422
    assert not Trial.objects.exists()


def test_the_effect_is_read_as_page_and_document_in_both_languages(client, cast, sealed, happened, monkeypatch):  # noqa: F811
    crimes(sealed, happened, treated=2, control=12)
    report_trial(trial=sealed, by=None, now=due_at(sealed) + DAY)
    enter(client, cast.supervisor)
    page = client.get(f"/patrol/trials/{sealed.pk}/").content.decode()
    assert "Fewer incidents where patrols went" in page and "There was no treatment" not in page
    assert "there was no treatment whose effect this could be" in page
    client.cookies["django_language"] = cast.supervisor.language = "ar"
    cast.supervisor.save(update_fields=["language"])
    assert 'dir="rtl"' in client.get(f"/patrol/trials/{sealed.pk}/").content.decode()
    answer = client.get(f"/patrol/trials/{sealed.pk}/report.pdf")
    assert answer.status_code == 200 and answer.content.startswith(b"%PDF-")


def test_no_effect_is_said_in_so_many_words(client, cast, sealed, happened):  # noqa: F811
    crimes(sealed, happened, treated=6, control=6)
    report_trial(trial=sealed, by=None, now=due_at(sealed) + DAY)
    page = enter(client, cast.analyst).get(f"/patrol/trials/{sealed.pk}/").content.decode()
    assert "No effect found" in page and "This does not prove that there is none" in page


def test_too_few_are_called_too_few_and_no_ratio_is_shown(client, cast, sealed, happened):  # noqa: F811
    crimes(sealed, happened, treated=0, control=1)
    report_trial(trial=sealed, by=None, now=due_at(sealed) + DAY)
    page = enter(client, cast.analyst).get(f"/patrol/trials/{sealed.pk}/").content.decode()
    assert "Too few incidents to say" in page and "Ratio " not in page


def test_doors_are_shut_to_those_who_may_not(client, cast, drawn):  # noqa: F811
    enter(client, cast.officer)
    for address in ("/patrol/trials/", f"/patrol/trials/{drawn.pk}/", "/patrol/trials/new/", API, f"{API}/{drawn.pk}"):
        assert client.get(address).status_code == 403, address
    enter(client, cast.dispatcher)
    assert client.get(f"/patrol/trials/{drawn.pk}/").status_code == 200
    assert client.get("/patrol/trials/new/").status_code == 403
    for verb in ("seal", "stop", "report"):
        assert client.post(f"/patrol/trials/{drawn.pk}/{verb}/", {"reason": "x"}).status_code == 403
        assert client.post(f"{API}/{drawn.pk}/{verb}", {"reason": "x"}, content_type="application/json").status_code == 403
    enter(client, cast.firefighter)
    assert client.get(f"/patrol/trials/{drawn.pk}/").status_code == 404
    assert client.get(f"{API}/{drawn.pk}").status_code == 404
    assert client.get("/patrol/trials/999999999999999999999/").status_code == 404
    assert Trial.objects.get().state == "draft"


def test_the_api_draws_seals_and_reads(client, cast, history, asked):  # noqa: F811
    enter(client, cast.analyst)
    start = datetime.now(UTC) + 3 * DAY
    body = {
        "name": "By API", "hypothesis": "Fewer.", "starts_at": start.isoformat(), "ends_at": (start + 28 * DAY).isoformat(), "cells": 16,
        "strata": 2,
    }  # fmt: skip
    made = client.post(f"{API}?agency=police&governorate=T-HA", body, content_type="application/json")
    assert made.status_code == 201 and len(made.json()["cells"]) == 16 * 9 and made.json()["seal_holds"] is None
    pk = made.json()["id"]
    assert client.post(f"{API}/{pk}/seal").status_code == 403
    enter(client, cast.supervisor)
    assert client.post(f"{API}/{pk}/seal").json()["seal_holds"] is True
    assert client.get(API).json()["results"][0]["state"] == "sealed"
    assert client.post(f"{API}/{pk}/report").status_code == 409
    wrong = client.post(API, {**body, "cells": 2}, content_type="application/json")
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "cells"


def test_the_page_of_a_trial_pins_its_questions(client, cast, sealed, django_assert_max_num_queries):  # noqa: F811
    enter(client, cast.supervisor).get(f"/patrol/trials/{sealed.pk}/")
    with django_assert_max_num_queries(18):
        client.get(f"/patrol/trials/{sealed.pk}/")
    with django_assert_max_num_queries(18):
        client.get("/patrol/trials/")


def test_what_no_longer_matches_its_seal_is_said(client, cast, sealed):  # noqa: F811
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE patrol_trial DISABLE TRIGGER trial_stays")
        cursor.execute("UPDATE patrol_trial SET hypothesis = 'Another' WHERE id = %s", [sealed.pk])
        cursor.execute("ALTER TABLE patrol_trial ENABLE TRIGGER trial_stays")
    assert "does not hold" in enter(client, cast.supervisor).get(f"/patrol/trials/{sealed.pk}/").content.decode()
