"""The limit at the API's door. What was counted is left on the request, from where the middleware writes it into the answer's head."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import User
from core.middleware import network_address
from interop.models import PartnerKey
from interop.services.limits import Counted, count_call


class Limited(BaseThrottle):
    counted: Counted

    def allow_request(self, request: Request, view: Any) -> bool:
        caller: PartnerKey | User | None = None
        if isinstance(request.auth, PartnerKey):
            caller = request.auth
        elif isinstance(request.user, User):
            caller = request.user
        elif not getattr(view, "limits_strangers", False):
            return True
        self.counted = count_call(caller=caller, scope=str(getattr(view, "scope", "")), address=network_address(request))
        request._request.counted = self.counted  # type: ignore[attr-defined]
        return self.counted.answer.allowed

    def wait(self) -> float:
        return max(self.counted.answer.wait_s, 1.0)
