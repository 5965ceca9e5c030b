"""CMD-2, CMD-4, CMD-5: the board and the incident in a real browser: live, held still under the hand, by keyboard, in both directions."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from incidents.lifecycle import State
from incidents.models import Incident
from incidents.services import annotate_incident, close_incident, move_incident

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


@pytest.fixture
def asked(page):
    """Every address the page has asked for."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url))
    return found


@pytest.fixture
def board(page, sign_in, cast, asked):
    """``board(path)`` opens a page as the officer and waits until it is live."""

    def open_(path="/", who=None, size=DESK):
        page.set_viewport_size(size)
        sign_in(page, who or cast.officer)
        page.goto(path)
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        return page

    return open_


def rest(page):
    """Take the hand off the list."""
    page.mouse.move(700, 20)
    page.evaluate("document.activeElement.blur()")


def refs(page):
    return page.locator("#cards .card").evaluate_all("cards => cards.map(card => card.dataset.ref)")


def test_a_new_incident_comes_in_at_the_top_by_itself(board, report, live_site, asked):
    first = report()
    page = board()
    rest(page)
    second = report()
    expect(page.locator("#cards .card").first).to_have_attribute("data-ref", second.ref)
    assert refs(page) == [second.ref, first.ref]
    expect(page.locator("#board-count")).to_have_text("2 open")
    expect(page.locator("#figures .kpi").first.locator("b")).to_have_text("2")
    assert all(url.startswith((live_site.url, "data:", "blob:")) for url in asked)


def test_under_the_hand_nothing_moves_and_what_is_new_waits(board, report, cast):
    first, second = report(), report()
    page = board()
    page.locator("#cards .card").first.hover()
    third, fourth = report(), report()
    expect(page.locator("#board-new")).to_have_text("2 new")
    assert refs(page) == [second.ref, first.ref]
    # What is on screen changes in its place; what has ended is dimmed, and stays until the hand has left.
    move_incident(incident=first, to=State.DISPATCHED, by=cast.supervisor)
    expect(page.locator(f"#incident-{first.pk} .pill")).to_have_text("Dispatched")
    close_incident(incident=second, by=cast.supervisor, disposition="resolved")
    expect(page.locator(f"#incident-{second.pk}")).to_have_class(re.compile("is-gone"))
    assert refs(page) == [second.ref, first.ref]
    page.locator("#board-new").click()
    rest(page)
    expect(page.locator(f"#incident-{second.pk}")).to_have_count(0)
    assert refs(page) == [fourth.ref, third.ref, first.ref]
    expect(page.locator("#board-new")).to_be_hidden()


def test_when_the_hand_leaves_the_list_catches_up_by_itself(board, report):
    report()
    page = board()
    page.locator("#cards .card").first.hover()
    report()
    expect(page.locator("#board-new")).to_have_text("1 new")
    rest(page)
    expect(page.locator("#cards .card")).to_have_count(2)
    expect(page.locator("#board-new")).to_be_hidden()


def test_a_filtered_list_takes_in_what_matches_and_lets_go_what_no_longer_does(board, report, cast):
    from incidents.services import classify_incident

    stays = report(priority=1)
    page = board("/?priority=1")
    rest(page)
    report(priority=3)
    becomes = report(priority=3)
    classify_incident(incident=becomes, by=cast.supervisor, priority=1, reason="weapon seen")
    expect(page.locator("#cards .card")).to_have_count(2)
    assert refs(page) == [becomes.ref, stays.ref]
    classify_incident(incident=stays, by=cast.supervisor, priority=4, reason="calm again")
    expect(page.locator("#cards .card")).to_have_count(1)
    assert refs(page) == [becomes.ref]


def test_words_are_judged_by_the_server_while_the_page_is_open(board, report):
    page = board("/?q=smoke")
    rest(page)
    expect(page.get_by_text("Nothing matches these filters")).to_be_visible()
    report(description="quiet street")
    fits = report(description="Smoke on the third floor")
    expect(page.locator("#cards .card")).to_have_count(1)
    assert refs(page) == [fits.ref]


def test_choosing_filters_narrows_the_list_and_the_address_without_a_new_page(board, report):
    worst, _low = report(severity=4), report(severity=1)
    page = board()
    page.evaluate("window.stillHere = true")
    page.keyboard.press("f")
    page.get_by_label("Critical", exact=True).check()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#cards .card")).to_have_count(1)
    assert refs(page) == [worst.ref]
    assert page.url.endswith("/?severity=4")
    page.locator("#board .chip.set", has_text="Critical").click()
    expect(page.locator("#cards .card")).to_have_count(2)
    page.go_back()
    expect(page.locator("#cards .card")).to_have_count(1)
    assert page.evaluate("window.stillHere")
    rest(page)
    later = report(severity=4)
    expect(page.locator("#cards .card").first).to_have_attribute("data-ref", later.ref)


def test_one_tap_moves_it_on_and_the_board_follows(board, report):
    incident = report()
    page = board()
    page.locator("#cards .card a").click()
    panel = page.locator("#side #incident")
    panel.get_by_role("button", name="Dispatched").click()
    expect(panel.get_by_role("button", name="En route")).to_be_visible()
    expect(page.locator(f"#incident-{incident.pk} .pill")).to_have_text("Dispatched")
    incident.refresh_from_db()
    assert incident.state == State.DISPATCHED


def test_the_panel_follows_its_incident_but_never_takes_a_form_out_of_the_hand(board, report, cast):
    incident = report()
    page = board(f"/#{incident.ref}")
    panel = page.locator("#side #incident")
    annotate_incident(incident=incident, by=cast.dispatcher, text="first note")
    expect(panel.get_by_text("first note")).to_be_visible()
    panel.locator("input[name=text]").fill("half a sentence")
    annotate_incident(incident=incident, by=cast.dispatcher, text="second note")
    expect(panel.get_by_text("This incident has changed.")).to_be_visible()
    expect(panel.locator("input[name=text]")).to_have_value("half a sentence")
    panel.locator("#incident-changed button").click()
    expect(panel.get_by_text("second note")).to_be_visible()


def test_a_step_somebody_else_took_meanwhile_is_shown_and_not_overridden(board, report, cast, page):
    incident = report()
    board(f"/incidents/{incident.ref}/")
    page.evaluate("document.querySelectorAll('.steps [name=expected]').forEach(field => field.value = 'received')")
    page.locator("input[name=text]").fill("typing")  # keeps the page from refreshing itself
    move_incident(incident=incident, to=State.QUEUED, by=cast.dispatcher)
    expect(page.get_by_text("This incident has changed.")).to_be_visible()
    page.locator(".step-row").get_by_role("button", name="Dispatched").click()
    expect(page.get_by_role("alert")).to_contain_text("It is now “Queued”")
    expect(page.locator(".timeline .is-new")).to_have_count(1)


def test_everything_by_keyboard(board, report):
    first, second = report(), report()
    page = board()
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('.card').dataset.ref") == first.ref
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("#side #incident")).to_have_attribute("data-ref", second.ref)
    expect(page.locator(f"#incident-{second.pk}")).to_have_attribute("aria-current", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#side #incident")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type(first.ref)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{first.ref}/")
    page.keyboard.press("Control+k")
    assert page.evaluate("document.activeElement.id") == "command"


def test_the_search_box_takes_commands(board, report):
    report(severity=1)
    critical = report(severity=4)
    page = board()
    page.keyboard.press("Control+k")
    expect(page.locator("#commands")).to_be_visible()
    page.keyboard.type("crit")
    expect(page.locator("#commands li:visible")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?severity=4")
    assert refs(page) == [critical.ref]
    page.keyboard.press("/")
    page.keyboard.type("smoke")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=smoke")
    expect(page.locator("#cards .card")).to_have_count(0)


def test_focus_is_always_visible(board, report):
    report()
    page = board()
    unseen = []
    for _ in range(25):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
                const here = document.activeElement;
                if (!here || here === document.body) return null;
                const shows = (node) => {
                    const style = node && getComputedStyle(node);
                    return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                };
                return [shows(here) || shows(here.closest(".card, .picks label")), here.outerHTML.slice(0, 80)];
            }"""
        )
        if found and not found[0]:
            unseen.append(found[1])
    assert not unseen


def test_when_the_feed_stops_the_page_says_since_when_and_finds_its_way_back(board, report):
    first = report()
    page = board()
    page.context.set_offline(True)
    expect(page.locator("#live")).to_have_attribute("data-state", "stale")
    expect(page.locator("#live .words")).to_have_text(re.compile(r"Stale since \d\d:\d\d:\d\d"))
    expect(page.get_by_text("No connection. What you see is from before.")).to_be_visible()
    assert refs(page) == [first.ref], "what was known stays readable"
    page.context.set_offline(False)
    rest(page)
    second = report()
    expect(page.locator("#cards .card").first).to_have_attribute("data-ref", second.ref)


def test_ages_tick(board, report):
    report()
    page = board()
    age = page.locator("#cards .card .age")
    before = age.inner_text()
    expect(age).not_to_have_text(before, timeout=70_000 if "h" in before else 5_000)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_long_words_break_nothing(board, report, cast, burglary, language):
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
    burglary.name_en = burglary.name_ar = word[:120]
    burglary.save()
    incident = report(description=word * 5, address=word[:250], raw={"word": word * 20})
    page = board()
    page.context.add_cookies([{"name": "django_language", "value": language, "url": page.url}])
    for path in ("/", f"/incidents/{incident.ref}/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        for size in (DESK, {"width": 1024, "height": 768}, PHONE, {"width": 320, "height": 640}):
            page.set_viewport_size(size)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, size)
            wide = page.evaluate(
                """() => [...document.querySelectorAll("main :is(h1,h2,p,a,button,dd,li,summary)")].filter(element => {
                    const box = element.getBoundingClientRect();
                    const isApart = element.closest(".figures, .visually-hidden, .kmap");
                    return box.width && !isApart && (box.right > innerWidth + 1 || box.left < -1);
                }).map(element => element.outerHTML.slice(0, 90))"""
            )
            assert not wide, (path, size, wide)


def test_on_a_phone_the_list_comes_first_and_what_is_pressed_is_large_enough(board, report):
    incident = report()
    page = board(size=PHONE)
    small = page.evaluate(
        """() => [...document.querySelectorAll(".tabs a, .button, .card, .menu > summary")].filter(element => {
            const box = element.getBoundingClientRect();
            return box.height && box.height < 36;
        }).map(element => element.outerHTML.slice(0, 90))"""
    )
    assert not small
    page.locator("#cards .card a").tap() if page.evaluate("navigator.maxTouchPoints") else page.locator("#cards .card a").click()
    page.wait_for_url(f"**/incidents/{incident.ref}/")
    step = page.locator(".step-row .primary").bounding_box()
    assert step["height"] >= 44
    page.locator(".step-row").get_by_role("button", name="Dispatched").click()
    expect(page.locator(".incident .pill").first).to_have_text("Dispatched")
    assert Incident.objects.get(pk=incident.pk).state == State.DISPATCHED


def test_words_from_outside_never_run(board, report, burglary):
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    burglary.name_en = evil[:110]
    burglary.save()
    incident = report(description=evil, address=evil, raw={"text": evil})
    page = board(f"/#{incident.ref}")
    expect(page.locator("#side #incident")).to_be_visible()
    report(description=evil, address=evil)
    rest(page)
    expect(page.locator("#cards .card")).to_have_count(2)
    assert "owned" not in page.title()
    assert page.locator("main img").count() == 0


def test_without_javascript_the_board_the_incident_and_a_step_work(browser, live_site, cast, report):
    from tests.live_server import session_of

    incident = report()
    context = browser.new_context(base_url=live_site.url, java_script_enabled=False, locale="en-GB")
    context.add_cookies([{"name": "sessionid", "value": session_of(cast.officer), "url": live_site.url}])
    page = context.new_page()
    page.goto("/?filters=1")
    page.locator("#cards .card a").click()
    page.wait_for_url(f"**/incidents/{incident.ref}/")
    page.locator(".step-row").get_by_role("button", name="Dispatched").click()
    expect(page.locator(".toasts")).to_contain_text("Now: Dispatched.")
    context.close()


def test_signing_in_choosing_arabic_and_light_and_signing_out(page, cast):
    from conftest import PASSWORD

    page.goto("/incidents/KW-26-000001/")
    page.get_by_role("button", name="العربية").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    page.locator("#id_username").fill("officer")
    page.locator("#id_password").fill(PASSWORD)
    page.locator(".panel button[type=submit]").click()
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("dir", "ltr")  # the officer's own language is English
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(243, 245, 248)"
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/")
