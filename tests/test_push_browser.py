"""ALR-3: push messages in a real browser: its worker shows them, says so, and its button acknowledges.

A headless Chromium without internet reaches no push service, so its own subscription cannot be made here: that the page says so is tested.
What a service would deliver is handed to the browser's worker by the developer tools, and the message itself (sealed, signed) goes to a
push service of ours in alerts/tests/test_channel_internet.py. What no test presses is the operating system's own notification.
"""

from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from alerts.models import Alert, AlertState, Delivery, DeliveryState
from alerts.services.delivery import page_person

pytestmark = pytest.mark.browser
NO_SERVICE = "This browser reaches no push service. On a network without internet there is none."


def until(true, within_s=30):
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_a_browser_shows_what_is_pushed_and_its_button_acknowledges(page, live_site, sign_in, cast, alerting, fire):
    paged = page_person(alert=fire(), user=cast.supervisor, now=timezone.now())
    pushed = Delivery.objects.create(
        key=uuid4(), alert=paged.alert, page=paged, rung_no=9, channel="push", address="https://push.example/1", language="ar",
        state=DeliveryState.SENT, provider="push",
    )  # fmt: skip
    Delivery.objects.filter(pk=pushed.pk).update(provider_id=str(pushed.key))
    page.context.grant_permissions(["notifications"], origin=live_site.url)
    sign_in(page, cast.supervisor)
    page.goto("/alerts/channels/")
    box = page.locator("[data-push]")
    expect(box.locator("button")).to_have_text("Push to this browser")
    tools = page.context.new_cdp_session(page)
    found: dict[str, str] = {}
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.update({one["scopeURL"]: one["registrationId"] for one in told["registrations"]}),
    )
    tools.send("ServiceWorker.enable")
    box.locator("button").click()
    expect(box.locator("[data-push-said]")).to_have_text(NO_SERVICE)
    scope = f"{live_site.url}/alerts/push/"
    until(lambda: page.wait_for_timeout(50) or scope in found)

    words = {
        "key": str(pushed.key),
        "title": "دخان فوق السوق",
        "text": "السالمية",
        "level": "critical",
        "url": "/alerts/7/",
        "language": "ar",
    }
    push = {"origin": live_site.url, "registrationId": found[scope], "data": json.dumps(words)}
    tools.send("ServiceWorker.deliverPushMessage", push)
    until(lambda: Delivery.objects.get(pk=pushed.pk).state == DeliveryState.DELIVERED)
    shown = page.evaluate(
        """async (scope) => (await (await navigator.serviceWorker.getRegistration(scope)).getNotifications())
           .map((one) => [one.title, one.body, one.dir, one.requireInteraction])""",
        scope,
    )
    assert shown == [["دخان فوق السوق", "السالمية", "rtl", True]]

    tools.send("ServiceWorker.deliverPushMessage", push | {"data": "not what we send"})
    (worker,) = [one for one in page.context.service_workers if one.url.endswith("/alerts/push/worker.js")]
    press = """async () => {
        const [one] = (await registration.getNotifications()).filter((it) => it.data?.key);
        dispatchEvent(new NotificationEvent("notificationclick", { notification: one, action: "acknowledge" }));
    }"""
    worker.evaluate(press)
    until(lambda: Alert.objects.get(pk=paged.alert_id).state == AlertState.ACKNOWLEDGED)
    assert Alert.objects.get(pk=paged.alert_id).acknowledged_through == "push"
    # The officer's worker, of another scope, is not disturbed.
    assert page.evaluate("async () => (await navigator.serviceWorker.getRegistration('/patrol/me/')) === undefined")
