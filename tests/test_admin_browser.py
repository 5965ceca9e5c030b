"""CMD-1, CMD-4, CMD-5, ING-4, ACC-4: the command centre as its user meets it: live, mirrored, in both themes, on its own files alone.

The ``page`` fixture fails a test on any breach of the content security policy and on any error nobody caught.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.urls import reverse

from incidents.models import ImportRun, Incident, IncidentType, RejectedRow
from tests.test_admin_walk import one_of_each

pytestmark = pytest.mark.browser
__all__ = ["one_of_each"]  # a fixture


@pytest.fixture
def only_ours(page, live_site):
    """Every address the page asked for; the test fails where one of them is not ours."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield asked
    own = (live_site.url, live_site.websocket_url, "data:", "blob:")
    assert not [address for address in asked if not address.startswith(own)]


def speak(page, person, settings, live_site, language, theme="dark"):
    type(person).objects.filter(pk=person.pk).update(language=language, theme=theme)
    page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": live_site.url}])


def test_the_first_page_is_live_and_shows_a_new_incident_without_a_reload(page, sign_in, cast, report, places, only_ours):
    report()
    sign_in(page, cast.supervisor)
    page.goto("/admin/")
    page.wait_for_selector('#live[data-state="live"]')
    page.wait_for_selector("#newest .card")
    fresh, hidden = report(severity=4), report(location=places.in_sharq)
    page.wait_for_selector(f"#incident-{fresh.pk}")
    assert page.locator("#newest .card").first.get_attribute("data-id") == str(fresh.pk)
    assert page.locator(f"#incident-{hidden.pk}").count() == 0
    page.wait_for_selector(".maplibregl-canvas")


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ar", "dark")])
def test_every_kind_of_page_keeps_the_policy_and_fits_its_width(
    language, theme, page, sign_in, cast, one_of_each, places, settings, live_site, only_ours
):
    sign_in(page, cast.superadmin)
    speak(page, cast.superadmin, settings, live_site, language, theme)
    mapping = "admin:incidents_typemapping"
    run, row = ImportRun.objects.get(), RejectedRow.objects.get()
    kind = IncidentType.objects.get(code="burglary")
    for address in (
        "/admin/",
        "/admin/incidents/",
        reverse("admin:incidents_incident_changelist") + "?severity__exact=2&occurred_at__year=2026",
        reverse("admin:incidents_incident_add"),
        reverse("admin:incidents_incident_change", args=[one_of_each.pk]),
        reverse("admin:incidents_incident_history", args=[one_of_each.pk]),
        reverse("admin:incidents_importrun_add"),
        reverse("admin:incidents_importrun_change", args=[run.pk]),
        reverse("admin:incidents_rejectedrow_change", args=[row.pk]),
        reverse("admin:incidents_incidenttype_change", args=[kind.pk]),
        reverse("admin:incidents_incidenttype_delete", args=[kind.pk]),
        reverse(f"{mapping}_export"),
        reverse(f"{mapping}_import"),
        reverse("admin:accounts_user_add"),
        reverse("admin:geography_zone_change", args=[places.salmiya.pk]),
        reverse("admin:django_celery_beat_periodictask_add"),
        reverse("admin:core_auditentry_changelist"),
    ):
        answer = page.goto(address)
        assert answer.status == 200, address
        root = page.locator("html")
        assert (root.get_attribute("dir"), root.get_attribute("data-theme")) == ("rtl" if language == "ar" else "ltr", theme)
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390, address
        page.set_viewport_size({"width": 1280, "height": 800})


def test_a_place_is_picked_on_the_map_and_the_numbers_follow(page, sign_in, cast, burglary, only_ours):
    sign_in(page, cast.supervisor)
    page.goto(reverse("admin:incidents_incident_add"))
    page.wait_for_function("() => document.querySelector('[data-pick]')?.adminMap?.loaded()")
    page.locator(".admin-map canvas").click()
    assert float(page.locator("#id_location_lon").input_value()) > 40
    page.locator("#id_location_lon").fill("47.92")
    page.locator("#id_location_lat").fill("29.35")
    page.locator("#id_agency").select_option(label="Police")
    page.locator(".field-type .select2-selection").click()
    page.locator(".select2-search__field").fill("burg")
    page.locator(".select2-results__option", has_text="Burglary").click()
    page.locator('input[name="_save"]').click()
    page.wait_for_url("**/admin/incidents/incident/")
    incident = Incident.objects.get()
    assert incident.location is not None and incident.location.coords == (47.92, 29.35)


def test_who_is_not_signed_in_is_led_to_the_one_door_and_back(page, live_site, cast):
    page.goto(reverse("admin:incidents_incident_changelist"))
    assert page.url.startswith(f"{live_site.url}/sign-in/?next=/admin/incidents/incident/")


def test_a_file_is_brought_in_by_a_worker_and_its_bad_row_mended(page, sign_in, cast, police_112, burglary, live_site, tmp_path, only_ours):
    file = tmp_path / "november.csv"
    file.write_text("ref,kind,when,x,y\nA-1,burglary,2026-11-01 10:00,47.92,29.35\nA-2,burglary,2026-11-01 11:00,48.9,29.35\n")
    sign_in(page, cast.supervisor)
    page.goto(reverse("admin:incidents_importrun_add"))
    page.set_input_files("#id_file", str(file))
    page.locator("#id_source").select_option(value=str(police_112.pk))
    page.locator("input.default").click()
    page.wait_for_url("**/prepare/")
    for target, column in {"external_id": "ref", "type": "kind", "occurred_at": "when", "lon": "x", "lat": "y"}.items():
        page.locator(f"#id_map_{target}").select_option(value=column)
    page.locator('button[name="look"]').click()
    assert page.locator(".preview .tag-ok").count() == 1 and page.locator(".preview .tag-warn").count() == 1
    page.locator('button[name="start"]').click()
    page.wait_for_selector("#progress[hx-trigger]")
    run = ImportRun.objects.get()
    # The worker's own function, in a process of its own, as a Celery worker would call it.
    code = (
        "import django; django.setup(); from incidents.models import ImportRun; "
        f"from incidents.services.importing import execute_import; execute_import(run=ImportRun.objects.get(pk={run.pk}))"
    )
    root = Path(__file__).resolve().parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, env=live_site.environment, check=True, timeout=60)
    page.wait_for_selector("#progress:not([hx-trigger]) .tallies .ok dd:text('1')")
    page.get_by_role("link", name="Mend rejected rows").click()
    page.locator("#result_list tbody th a").click()
    page.locator("#id_lon").fill("47.93")
    page.locator('input.default[type="submit"]').click()
    page.wait_for_url("**/rejectedrow/?*")
    assert Incident.objects.count() == 2 and RejectedRow.objects.get().status == "corrected"
