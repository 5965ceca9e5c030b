"""The doors providers call: what became of a message, what somebody answered, what a call is to say.

No cookie counts here. Twilio's requests carry its signature over our public address; a gateway shows a secret we share; a browser's worker
names the delivery's key, which only that browser was given. Whatever is not understood is answered calmly, or the other side tries again
for hours.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from alerts.choices import Channel, Through
from alerts.models import AlertState, Delivery
from alerts.services import delivery as deliveries
from alerts.services import replies
from alerts.services.delivery.messages import message_of

MOST_BYTES = 64 * 1024
PROVIDER = "twilio"
log = logging.getLogger(__name__)
Door = Callable[..., HttpResponse]


def _bounded(door: Door) -> Door:
    """A door of machines: POST only, no cookie, no cache, nothing huge."""

    @wraps(door)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            told = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            told = 0
        if told > MOST_BYTES or len(request.body) > MOST_BYTES:
            return HttpResponse(status=413)
        return door(request, *args, **kwargs)

    return csrf_exempt(require_POST(never_cache(guarded)))


def _from_twilio(door: Door) -> Door:
    """Only what Twilio signed, over the address it knows us by."""

    @wraps(door)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        from alerts.channels.twilio_api import is_signed

        url = f"{settings.PUBLIC_URL}{request.get_full_path()}"
        if not is_signed(token=settings.TWILIO_AUTH_TOKEN, url=url, form=request.POST, headers=request.headers):
            log.warning("refused a request to %s that Twilio did not sign", request.path)
            return HttpResponse(status=403)
        return door(request, *args, **kwargs)

    return _bounded(checked)


def _from_gateway(door: Door) -> Door:
    @wraps(door)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not settings.SMS_GATEWAY_SECRET or not hmac.compare_digest(shown.encode(), settings.SMS_GATEWAY_SECRET.encode()):
            return HttpResponse(status=403)
        return door(request, *args, **kwargs)

    return _bounded(checked)


def _key(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) and len(text) <= 40 else None
    except ValueError:
        return None


def _object_in(request: HttpRequest) -> dict[str, Any]:
    try:
        told = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _twiml(content: str = "<Response/>") -> HttpResponse:
    return HttpResponse(content, content_type="text/xml; charset=utf-8")


# --- Twilio -------------------------------------------------------------------------------------------------------------
@_from_twilio
def twilio_status(request: HttpRequest) -> HttpResponse:
    """A message or a call has gone one step further. Repeated, late, in any order, or not known to us yet: kept all the same."""
    told = request.POST
    provider_id = told.get("MessageSid") or told.get("CallSid") or told.get("SmsSid") or ""
    status = told.get("MessageStatus") or told.get("CallStatus") or told.get("SmsStatus") or ""
    if told.get("AnsweredBy", "").startswith(("machine", "fax")):
        status = "machine"  # an answering machine has lifted the phone: nobody heard it
    if provider_id and status:
        deliveries.apply_receipt(
            provider=PROVIDER, provider_id=provider_id, status=status, code=told.get("ErrorCode", ""), key=_key(request.GET.get("key"))
        )
    return HttpResponse(status=200)


@_from_twilio
def twilio_inbound(request: HttpRequest) -> HttpResponse:
    """Somebody wrote to our number, by SMS or WhatsApp."""
    from alerts.channels.twilio_api import message_twiml

    told = request.POST
    sender = told.get("From", "")
    through = Through.WHATSAPP if sender.startswith("whatsapp:") else Through.SMS
    answer = replies.hear(
        number=sender.removeprefix("whatsapp:"), text=told.get("Body", ""), through=through, provider=PROVIDER,
        message_id=told.get("MessageSid", ""),
    )  # fmt: skip
    return _twiml(message_twiml(answer))


def _called(key: UUID) -> Delivery | None:
    rows = Delivery.objects.select_related("alert", "page", "page__user", "page__contact", "page__alert", "method", "subscription")
    return rows.filter(key=key, channel=Channel.VOICE).first()


@_from_twilio
def twilio_voice(request: HttpRequest, key: UUID) -> HttpResponse:
    """The person has lifted the phone: the alert, and one digit asked for."""
    from alerts.channels.twilio_voice import asking, saying, spoken

    called = _called(key)
    if called is None:
        return _twiml(saying(language="ar", text=""))
    with translation.override(called.language):
        if called.alert is not None and called.alert.state != AlertState.FIRING:
            return _twiml(saying(language=called.language, text=_("This alert no longer waits for anybody. Good-bye.")))
        text = spoken(called.subject, message_of(called).text)
    again = request.GET.get("again") == "1"
    path = f"{settings.PUBLIC_URL}/hooks/twilio/voice/{key}/gather"
    return _twiml(asking(language=called.language, text=text, gather_path=path, is_again=again))


@_from_twilio
def twilio_gather(request: HttpRequest, key: UUID) -> HttpResponse:
    """A key was pressed, or none."""
    from alerts.channels.twilio_voice import again, saying

    called = _called(key)
    digit = request.POST.get("Digits", "")
    if called is None:
        return _twiml(saying(language="ar", text=""))
    with translation.override(called.language):
        if digit and (call_id := request.POST.get("CallSid", "")):
            deliveries.apply_receipt(provider=PROVIDER, provider_id=call_id, status="key", key=key)  # a person is there
        if digit not in ("1", "2"):
            return _twiml(again(f"{settings.PUBLIC_URL}/hooks/twilio/voice/{key}?again=1"))
        if called.page is None:
            return _twiml(saying(language=called.language, text=_("Thank you. The test has arrived.")))
        verb = replies.ACKNOWLEDGE if digit == "1" else replies.PASS_ON
        return _twiml(saying(language=called.language, text=replies.act_on(called.page, verb, through=Through.VOICE)))


# --- a gateway or modem beside us ----------------------------------------------------------------------------------------
@_from_gateway
def gateway_receipt(request: HttpRequest) -> HttpResponse:
    """``{"id", "status", "code"}``: what became of a message, by the gateway's id or ours."""
    told = _object_in(request)
    provider_id, status = str(told.get("id", "")), str(told.get("status", ""))
    if provider_id and status:
        deliveries.apply_receipt(
            provider="gateway", provider_id=provider_id, status=status, code=str(told.get("code") or ""), key=_key(provider_id)
        )
    return JsonResponse({})


@_from_gateway
def gateway_inbound(request: HttpRequest) -> HttpResponse:
    """``{"id", "from", "text"}``: somebody's SMS; what to answer comes back as ``{"reply"}``."""
    told = _object_in(request)
    answer = replies.hear(
        number=str(told.get("from", "")), text=str(told.get("text", "")), through=Through.SMS, provider="gateway",
        message_id=str(told.get("id") or ""),
    )  # fmt: skip
    return JsonResponse({"reply": answer})


# --- a browser's worker --------------------------------------------------------------------------------------------------
@_bounded
def push_shown(request: HttpRequest) -> HttpResponse:
    """The browser has shown it: as good as delivered. The key is the proof, since only that browser could open the message."""
    key = _key(_object_in(request).get("key"))
    if key is not None and Delivery.objects.filter(key=key, channel=Channel.PUSH).exists():
        deliveries.apply_receipt(provider="push", provider_id=str(key), status="shown", key=key)
    return JsonResponse({})


@_bounded
def push_acknowledge(request: HttpRequest) -> HttpResponse:
    """The button on the notification."""
    key = _key(_object_in(request).get("key"))
    rows = Delivery.objects.select_related("page__alert", "page__user", "page__contact")
    found = rows.filter(key=key, channel=Channel.PUSH).first() if key is not None else None
    if found is None or found.page is None:
        return JsonResponse({"text": ""}, status=404)
    with translation.override(found.language):
        return JsonResponse({"text": replies.act_on(found.page, replies.ACKNOWLEDGE, through=Through.PUSH)})
