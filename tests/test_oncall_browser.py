"""ALR-2, ALR-3: the on-call calendar and "How I am told" as their user meets them: by click, mirrored, on a phone.

The ``page`` fixture fails a test on any breach of the content security policy and on any error nobody caught.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.models import ContactMethod, LayerMember, OnCallOverride
from alerts.services.oncall import make_override, on_call_now
from tests.live_server import PATIENCE_MS

pytestmark = pytest.mark.browser
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def speak(page, person, settings, live_site, language, theme="dark"):
    type(person).objects.filter(pk=person.pk).update(language=language, theme=theme)
    page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": live_site.url}])


@pytest.fixture
def rota(alerting, cast):
    """The supervisor and the officer a week each, and a hole of a day from tomorrow."""
    LayerMember.objects.create(layer=alerting.schedule.layers.get(), position=2, user=cast.officer)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    make_override(schedule=alerting.schedule, by=None, user=None, reason="closed", starts_at=tomorrow, ends_at=tomorrow + timedelta(days=1))
    return alerting.schedule


def test_a_hole_is_filled_by_pressing_on_it(page, sign_in, cast, rota):
    sign_in(page, cast.supervisor)
    page.set_default_navigation_timeout(4 * PATIENCE_MS)  # the web process's first page is its slowest
    page.goto("/alerts/oncall/")
    page.locator("a.bar.is-gap").first.click()
    page.wait_for_selector("#override:target")
    page.select_option("#override select[name=person]", str(cast.dispatcher.pk))
    page.click("#override button[type=submit]")
    page.wait_for_selector("#override input[name=over_others]")  # another override stands there: it asks
    page.select_option("#override select[name=person]", str(cast.dispatcher.pk))
    page.check("#override input[name=over_others]")
    page.click("#override button[type=submit]")
    page.wait_for_selector(".toasts .note.good")
    made = OnCallOverride.objects.latest("pk")
    assert made.user == cast.dispatcher
    assert on_call_now(schedule_id=rota.pk, at=made.starts_at) == [cast.dispatcher.pk]


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ar", "dark")])
def test_the_pages_fit_desk_and_phone_in_both_languages(language, theme, page, sign_in, cast, rota, settings, live_site):
    ContactMethod.objects.create(user=cast.supervisor, channel="voice", address="+96550000001")
    sign_in(page, cast.supervisor)
    page.set_default_navigation_timeout(4 * PATIENCE_MS)
    speak(page, cast.supervisor, settings, live_site, language, theme)
    for address in ("/alerts/oncall/?weeks=4", "/alerts/me/", "/alerts/contacts/"):
        page.goto(address)
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            assert page.evaluate(FITS), (address, size)
    page.goto("/alerts/oncall/")
    bar, lane = page.locator(".is-final .bar").first.bounding_box(), page.locator(".is-final .lane-bars").first.bounding_box()
    assert bar and lane
    starts_left = abs(bar["x"] - lane["x"]) < 4
    assert starts_left == (language == "en")  # the week runs the way one reads
