from __future__ import annotations

from django.urls import URLPattern, path, re_path

from dashboard.views import alert_channels, alert_hooks, alert_push

urlpatterns: list[URLPattern] = [
    path("alerts/channels/", alert_channels.page, name="channels"),
    path("alerts/channels/part/", alert_channels.part, name="channels-part"),
    re_path(r"^alerts/channels/(?P<channel>[a-z_]{2,8})/(?P<verb>test|off|on)/$", alert_channels.act, name="channels-act"),
    path("alerts/push/worker.js", alert_push.worker, name="mypages-push-worker"),
    path("alerts/push/subscribe/", alert_push.subscribe, name="mypages-push-subscribe"),
    path("alerts/push/unsubscribe/", alert_push.unsubscribe, name="mypages-push-unsubscribe"),
    # What providers call. No slash at the end: their signature is over the address as it is written here.
    path("hooks/twilio/status", alert_hooks.twilio_status, name="hooks-twilio-status"),
    path("hooks/twilio/inbound", alert_hooks.twilio_inbound, name="hooks-twilio-inbound"),
    path("hooks/twilio/voice/<uuid:key>", alert_hooks.twilio_voice, name="hooks-twilio-voice"),
    path("hooks/twilio/voice/<uuid:key>/gather", alert_hooks.twilio_gather, name="hooks-twilio-gather"),
    path("hooks/gateway/receipt", alert_hooks.gateway_receipt, name="hooks-gateway-receipt"),
    path("hooks/gateway/inbound", alert_hooks.gateway_inbound, name="hooks-gateway-inbound"),
    path("hooks/push/shown", alert_hooks.push_shown, name="hooks-push-shown"),
    path("hooks/push/acknowledge", alert_hooks.push_acknowledge, name="hooks-push-acknowledge"),
]
