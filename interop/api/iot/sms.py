"""Text messages of devices as Twilio delivers them, by its signature over our public address."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from core.errors import DomainError
from iot.services.texts import hear_text

MOST_BYTES = 2**16
SILENCE = "<Response/>"  # nothing is said back to a device
logger = logging.getLogger("telemetry")


@csrf_exempt
@require_POST
@never_cache
def twilio_sms(request: HttpRequest) -> HttpResponse:
    """Whatever cannot be used is answered calmly, or Twilio tries again for hours; what could not be kept safe is 503."""
    from alerts.channels.twilio_api import is_signed

    told = request.META.get("CONTENT_LENGTH") or "0"
    if not told.isdigit() or int(told) > MOST_BYTES or len(request.body) > MOST_BYTES:
        return HttpResponse(status=413)
    url = f"{settings.PUBLIC_URL}{request.get_full_path()}"
    if not is_signed(token=settings.TWILIO_AUTH_TOKEN, url=url, form=request.POST, headers=request.headers):
        logger.warning("refused a request to %s that Twilio did not sign", request.path)
        return HttpResponse(status=403)
    form = request.POST
    if not form.get("MessageSid") or not form.get("From"):
        return HttpResponse(SILENCE, content_type="text/xml; charset=utf-8")
    try:
        hear_text(
            provider="twilio", message_id=form["MessageSid"], number=form["From"].removeprefix("whatsapp:"), text=form.get("Body", ""),
            now=timezone.now(),
        )  # fmt: skip
    except DomainError as refusal:
        headers = {"Retry-After": str(refusal.retry_after_s)} if refusal.retry_after_s is not None else {}
        return HttpResponse(status=refusal.status, headers=headers)
    return HttpResponse(SILENCE, content_type="text/xml; charset=utf-8")
