"""CMD-4: a page in a real browser that follows the log ends as the database is, whatever gets lost on the way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from incidents.lifecycle import FINAL, next_states
from incidents.models import Incident
from incidents.services import close_incident, mark_duplicate, move_incident, reopen_incident

pytestmark = pytest.mark.browser

ROWS = """() => Object.fromEntries([...document.querySelectorAll("li.card[id^=incident-]")]
    .map((card) => [Number(card.id.slice(9)), `${card.dataset.state} ${card.dataset.priority}`]))"""


def rows_of(page: Any) -> dict[int, str]:
    return {int(pk): state for pk, state in page.evaluate(ROWS).items()}


def rows_in_the_database(viewer: Any) -> dict[int, str]:
    return {i.pk: f"{i.state} {i.priority}" for i in Incident.objects.visible_to(viewer).open()}


def ends_as_the_database(page: Any, viewer: Any, *, within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    expected = rows_in_the_database(viewer)
    while (found := rows_of(page)) != expected:
        if time.monotonic() > deadline:
            wrong = {pk: (found.get(pk), expected.get(pk)) for pk in found.keys() | expected.keys() if found.get(pk) != expected.get(pk)}
            raise AssertionError(f"{len(wrong)} of {len(expected)} rows differ (page, database): {dict(list(wrong.items())[:5])}")
        page.wait_for_timeout(100)


def reaches(page: Any, state: str, *, within_ms: int = 15_000) -> dict[str, Any]:
    found = page.wait_for_function(  # seen and told in one: the next state may follow at once
        "(state) => { const now = window.live?.state; return now?.state === state && {...now, since: now.since.getTime()}; }",
        arg=state, timeout=within_ms,
    )  # fmt: skip
    return found.json_value()


class City:
    """Incidents that come, move, close, repeat one another and are opened again, at random but repeatably."""

    def __init__(self, report: Callable[..., Incident], seed: int, places: Any) -> None:
        self.report, self.rng, self.places = report, random.Random(seed), places
        self.incidents: list[Incident] = []

    def live_a_little(self) -> None:
        if len(self.incidents) < 5 or self.rng.random() < 0.4:
            where = self.rng.choice([self.places.in_salmiya, self.places.in_jabriya, self.places.in_sharq])
            self.incidents.append(self.report(location=where, priority=self.rng.randint(1, 5)))
            return
        incident = self.rng.choice(self.incidents)
        to = self.rng.choice(next_states(incident.state))
        if to == "reopened":
            reopen_incident(incident=incident, by=None, reason="again")
        elif to == "closed":
            close_incident(incident=incident, by=None, disposition="resolved")
        elif to == "duplicate":
            original = next((i for i in self.incidents if i.state not in FINAL and i.pk != incident.pk), None)
            if original is not None:
                mark_duplicate(incident=incident, original=original, by=None)
        else:
            move_incident(incident=incident, to=to, by=None, reason="so it went")


def lose_a_fifth(page: Any, rng: random.Random) -> dict[str, int]:
    """Between the page and the server one message in five is lost, in both directions."""
    counted = {"passed": 0, "lost": 0}

    def between(socket: Any) -> None:
        server = socket.connect_to_server()

        def passes(onward: Callable[[Any], None]) -> Callable[[Any], None]:
            def pass_on(message: Any) -> None:
                is_lost = rng.random() < 0.2
                counted["lost" if is_lost else "passed"] += 1
                if not is_lost:
                    onward(message)

            return pass_on

        server.on_message(passes(socket.send))
        socket.on_message(passes(server.send))

    page.route_web_socket("**/ws/live*", between)
    return counted


def test_an_open_page_shows_what_happens_without_being_asked(page, sign_in, cast, report, places):
    before = report()
    sign_in(page, cast.officer)
    page.goto("/test/page")
    reaches(page, "live")
    assert set(rows_of(page)) == {before.pk}
    after, _foreign = report(), report(location=places.in_sharq)
    move_incident(incident=before, to="dispatched", by=None)
    ends_as_the_database(page, cast.officer)
    close_incident(incident=after, by=None, disposition="resolved")
    ends_as_the_database(page, cast.officer)
    assert set(rows_of(page)) == {before.pk}
    assert page.evaluate("window.heard") == sorted(page.evaluate("window.heard"))


def test_a_page_that_loses_a_fifth_of_its_messages_and_its_relay_ends_as_the_database(live_site, page, sign_in, cast, report, places):
    live_site.stop_own_relay()
    relay = live_site.start_relay()
    counted = lose_a_fifth(page, random.Random(4))
    sign_in(page, cast.officer)
    page.goto("/")  # the board itself
    city = City(report, seed=7, places=places)
    city.live_a_little()
    ends_as_the_database(page, cast.officer, within_s=60)  # the relay leads
    for step in range(90):
        city.live_a_little()
        page.wait_for_timeout(20)
        if step == 45:
            relay.kill()
            relay.wait()
        elif step == 60:
            relay = live_site.start_relay()
    ends_as_the_database(page, cast.officer, within_s=60)
    assert counted["lost"] > 10


def test_an_older_list_put_into_the_page_never_hides_what_came_after(page, sign_in, cast, report):
    incident = report()
    sign_in(page, cast.officer)
    page.goto("/test/page")
    reaches(page, "live")
    page.evaluate("window.old = document.querySelector('#list').outerHTML")
    close_incident(incident=incident, by=None, disposition="resolved")
    page.wait_for_function("() => window.heard.length === 1")
    page.evaluate("document.querySelector('#list').outerHTML = window.old")
    assert set(rows_of(page)) == {incident.pk}
    page.evaluate("document.querySelector('#list').dispatchEvent(new CustomEvent('htmx:afterSettle', {bubbles: true}))")
    page.wait_for_function("() => window.heard.length === 2")


def test_a_silent_feed_is_said_to_be_stale_and_since_when(page, sign_in, cast):
    silent: list[bool] = []

    def between(socket: Any) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if silent else socket.send(message))

    page.clock.install()
    page.route_web_socket("**/ws/live*", between)
    sign_in(page, cast.officer)
    page.goto("/test/page")
    reaches(page, "live")
    silent.append(True)
    heard_before = page.evaluate("Date.now()")
    page.clock.fast_forward(20_000)
    told = reaches(page, "stale")
    assert told["reason"] == "silent" and told["since"] <= heard_before + 5_000
    silent.clear()
    page.clock.fast_forward(20_000)
    reaches(page, "live")


def test_a_page_whose_sockets_do_not_get_through_polls_and_returns_to_the_socket(page, sign_in, cast, report):
    blocked = [True]

    def between(socket: Any) -> None:
        if blocked:
            socket.close(code=1011)
        else:
            socket.connect_to_server()

    page.route_web_socket("**/ws/live*", between)
    sign_in(page, cast.officer)
    page.goto("/test/page")
    reaches(page, "polling")
    report()
    ends_as_the_database(page, cast.officer)
    blocked.clear()
    reaches(page, "live")
    report()
    ends_as_the_database(page, cast.officer)


def test_a_page_outlives_the_web_process(live_site, page, sign_in, cast, report):
    sign_in(page, cast.officer)
    page.goto("/test/page")
    reaches(page, "live")
    live_site.stop_web()
    missed = report()
    live_site.start_web()
    ends_as_the_database(page, cast.officer, within_s=20)
    assert missed.pk in rows_of(page)
    reaches(page, "live")


def test_a_page_whose_session_ended_says_so_and_stays_away(page, sign_in, cast):
    sign_in(page, cast.officer)
    page.goto("/test/page")
    reaches(page, "live")
    cast.officer.is_active = False
    cast.officer.save(update_fields=["is_active"])
    assert reaches(page, "stale")["reason"] == "signed-out"


def test_a_page_without_a_network_says_so_and_is_live_again_when_it_returns(page, sign_in, cast):
    sign_in(page, cast.officer)
    page.goto("/test/page")
    reaches(page, "live")
    page.context.set_offline(True)
    assert reaches(page, "stale")["reason"] == "offline"
    page.context.set_offline(False)
    reaches(page, "live", within_ms=4_000)
