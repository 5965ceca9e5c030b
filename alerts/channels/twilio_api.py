"""What the three channels of Twilio share: the client over our own network, and what its error codes mean to us.

Twilio takes no idempotency key for a message or a call. So the delivery's key travels in the status callback's address: where an answer
was lost on the way, the callback itself tells which of ours was taken, and under what id.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import SIGNATURE_SETTINGS_HEADER, RequestValidator, get_signature_algorithm
from twilio.rest import Client
from twilio.twiml.messaging_response import MessagingResponse

from alerts.channels import codes, web
from alerts.channels.base import Failure, Message, PermanentFailure, TemporaryFailure

PROVIDER = "twilio"
STATUS_PATH = "/hooks/twilio/status"

# Theirs or the network's, and it passes: queues full, limits, a handset that is off.
HEALS = frozenset({14107, 20429, 20500, 20503, 20504, 21611, 30001, 30003, 30008, 63017, 63018, 63038})


# Refused before anything was done: it has not been taken, and may be asked again.
NOT_NOW = frozenset({429, 503})


def heals(status: int, code: int) -> bool:
    return code in HEALS or status == 429 or status >= 500


class OurHttp(HttpClient):
    """Twilio's client, speaking through ``web.call``: one deadline for the whole exchange, and no redirect."""

    def __init__(self) -> None:
        self.is_async = False
        self.timeout = None

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        given = dict(headers or {})
        if auth is not None:
            given["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        url = f"{uri}?{urlencode(params, doseq=True)}" if params else uri
        answer = web.call(url, body=urlencode(data or {}, doseq=True).encode(), headers=given, method=method)
        if not answer.text.lstrip().startswith("{"):
            # A proxy's page, not Twilio: after a 2xx nobody knows whether they have it.
            raise TemporaryFailure(
                _("The answer was not from Twilio (HTTP %(status)s).") % {"status": answer.status},
                code=f"http {answer.status}",
                retry_after_s=answer.retry_after_s,
                may_have_been_taken=answer.status < 400,
            )
        if answer.status in NOT_NOW and answer.retry_after_s is not None:
            # The vendor's client drops the header that says when to come again.
            raise TemporaryFailure(answer.text[:200], code=f"http {answer.status}", retry_after_s=answer.retry_after_s)
        return Response(answer.status, answer.text, headers=dict(answer.headers))


class Account:
    """Who we are to Twilio. ``call`` runs one request of its client and turns what went wrong into our two kinds of failure."""

    def __init__(self, sid: str, token: str, api_url: str, public_url: str) -> None:
        self.client = Client(sid, token, http_client=OurHttp())
        self.client.api.base_url = api_url
        self.public_url = public_url

    def status_callback(self, message: Message) -> str | None:
        base = message.callback_url or (f"{self.public_url}{STATUS_PATH}" if self.public_url else "")
        if not base:
            return None
        return base if "key=" in base else f"{base}{'&' if '?' in base else '?'}key={message.key}"

    def call(self, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except Failure:
            raise
        except TwilioRestException as refused:
            raise failure_of(refused.status, int(refused.code or 0), str(refused.msg)) from refused
        except (TwilioException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TemporaryFailure(
                _("Twilio's answer could not be understood."), code=type(error).__name__, may_have_been_taken=True
            ) from error


def failure_of(status: int, code: int, said: str) -> Failure:
    detail = f"{code or status} {said}".strip()
    if heals(status, code):
        return TemporaryFailure(detail, code=str(code or status), may_have_been_taken=status >= 500 and status not in NOT_NOW)
    return PermanentFailure(detail, code=str(code or status), is_address_bad=code in codes.TWILIO)


def is_signed(*, token: str, url: str, form: Any, headers: Any) -> bool:
    """Whether Twilio sent this request to ``url`` (as they know it), by the vendor's own validator."""
    algorithm = get_signature_algorithm(headers.get(SIGNATURE_SETTINGS_HEADER, ""))
    return bool(token) and RequestValidator(token).validate(url, form, headers.get("X-Twilio-Signature", ""), algorithm)


def message_twiml(text: str) -> str:
    """What Twilio is to answer somebody who wrote; nothing for an empty text."""
    response = MessagingResponse()
    if text:
        response.message(text)
    return str(response)
