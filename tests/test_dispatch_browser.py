"""PAT-5, PAT-8 as their user meets them: whom to send, sending by keyboard alone, steps by tap on a phone, the task list by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.gis.geos import Point
from django.utils import timezone

from conftest import Cast
from incidents.models import Incident
from patrol.models import Assignment, Duty, MutualAid, RunCard, RunCardLine, Unit, UnitPosition
from patrol.services.assignments import assign, move_assignment
from patrol.services.targets import ensure_default_targets
from patrol.tests.force import Force

pytestmark = pytest.mark.browser


@pytest.fixture
def incident(cast: Cast, force: Force, report: Callable[..., Incident], burglary: Any, places: Any) -> Incident:
    """A burglary whose run card asks for two units and a diver; five units about, one on another incident, one silent, one off duty."""
    now = timezone.now()
    card = RunCard.objects.create(agency=cast.police, type=burglary)
    RunCardLine.objects.create(card=card, count=2)
    RunCardLine.objects.create(card=card, skill=force.water_rescue, within_minutes=20)
    of = {"agency": cast.police, "governorate": places.hawalli}
    more = [Unit.objects.create(**of, station=force.salmiya_station, call_sign=f"P{n}") for n in (3, 4, 5)]
    for unit in more[:2]:
        Duty.objects.create(unit=unit, **of, started_at=now - timedelta(hours=2))
    for unit, lon, age in ((force.p1, 47.925, 0), (force.p2, 47.95, 0), (more[0], 47.94, 0), (more[1], 47.93, 400), (more[2], 47.93, 0)):
        # A position a little ahead: a slow machine must not make it stale before it is asked for.
        at = now + timedelta(seconds=25) - timedelta(seconds=age)
        UnitPosition.objects.create(unit=unit, at=at, location=Point(lon, 29.35), source="http")
    ensure_default_targets()
    assign(unit=more[0], incident=report(external_id="elsewhere"), kind="incident", by=cast.supervisor)
    return report()


@pytest.fixture
def opened(page: Any, sign_in: Callable[..., None]) -> Callable[..., Any]:
    def go(person: Any, path: str, *, language: str = "en", theme: str = "dark", width: int = 1280, height: int = 900) -> Any:
        person.language, person.theme = language, theme
        person.save(update_fields=["language", "theme"])
        sign_in(page, person)
        cookie = page.context.cookies()[0]
        page.context.add_cookies([{"name": "django_language", "value": language, "domain": cookie["domain"], "path": "/"}])
        page.set_viewport_size({"width": width, "height": height})
        page.goto(path)
        return page

    return go


def shoot(page: Any, name: str) -> None:
    """A picture for people, where a folder is named for it."""
    if folder := os.environ.get("KHAREETATY_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_dispatcher_sends_the_advised_unit_by_keyboard_alone(opened, cast, incident, force):
    page = opened(cast.dispatcher, f"/incidents/{incident.ref}/")
    ask = page.get_by_role("button", name="Whom to send?")
    ask.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send P1").wait_for()
    assert "No unit with Water rescue within 20 minutes." in page.locator("#dispatch").inner_text()
    shoot(page, "advice-desk-en-dark")
    page.get_by_role("button", name="Send P1").focus()
    page.keyboard.press("Enter")
    page.locator("#dispatch-units .sent", has_text="P1").wait_for()
    page.get_by_text("Dispatched", exact=True).first.wait_for()  # the panel follows its incident by the live feed
    assert Assignment.objects.open().get(incident=incident).unit == force.p1
    shoot(page, "sent-desk-en-dark")


def test_arabic_on_a_phone_in_the_light_fits_and_a_step_is_one_tap(opened, cast, incident, force):
    sent = assign(unit=force.p1, incident=incident, kind="incident", by=cast.dispatcher)
    page = opened(cast.dispatcher, f"/incidents/{incident.ref}/", language="ar", theme="light", width=390, height=844)
    page.locator("#dispatch form.ask button").click()
    page.locator(".candidates").first.wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    shoot(page, "advice-phone-ar-light")
    page.locator("#dispatch-units .sent-acts form button").nth(1).click()  # on its way
    page.locator("#dispatch-units .state-en_route").wait_for()
    sent.refresh_from_db()
    assert sent.state == "en_route"


def test_the_task_list_is_worked_by_hand(opened, cast, incident, force):
    assign(unit=force.p1, kind="task", title="Check the barrier", note="North gate", by=cast.supervisor, due_at=timezone.now())
    assign(unit=force.p2, incident=incident, kind="incident", by=cast.dispatcher)
    page = opened(cast.dispatcher, "/patrol/tasks/")
    row = page.locator(".task", has_text="Check the barrier")
    row.get_by_role("button", name="Accepted").click()
    page.locator(".task", has_text="Check the barrier").locator(".state-accepted").wait_for()
    shoot(page, "tasks-desk-en-dark")
    page.get_by_text("New task…").click()
    shoot(page, "tasks-new-desk-en-dark")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("ar", "dark", 390)])
def test_response_times_and_aid_fit_their_screens(opened, cast, incident, force, language, theme, width):
    now = timezone.now()
    for unit in (force.p1, force.p2):
        sent = assign(unit=unit, incident=incident, kind="incident", by=cast.dispatcher)
        Assignment.objects.filter(pk=sent.pk).update(assigned_at=now - timedelta(minutes=20))
        sent.refresh_from_db()
        for to, ago in (("en_route", 19), ("on_scene", 12), ("done", 2)):
            move_assignment(assignment=sent, to=to, by=cast.dispatcher, at=now - timedelta(minutes=ago))
    MutualAid.objects.create(
        lender=cast.fire, borrower=cast.police, starts_at=now, ends_at=now + timedelta(days=30), borrower_consent_by=cast.supervisor
    )
    page = opened(cast.supervisor, "/patrol/intervals/", language=language, theme=theme, width=width)
    page.locator("table.figures").first.wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    shoot(page, f"intervals-{language}-{theme}-{width}")
    page.goto("/patrol/aid/")
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    page.locator("details.more-step > summary").click()
    shoot(page, f"aid-{language}-{theme}-{width}")
