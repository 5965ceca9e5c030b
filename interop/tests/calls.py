"""Rows of keys' use, rate plans and the request log, for the walk through the command centre's screens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from accounts.models import TokenSession
from interop.models import KeyUsage, Partner, RateOverride, RatePlan, RequestLog
from interop.services import issue_key


def rows_of_calls(cast: Any, places: Any) -> None:
    plan = RatePlan.objects.create(name="Generous", per_minute=600, burst=300)
    RateOverride.objects.create(plan=plan, scope="incidents:read", per_minute=60, burst=10)
    partner = Partner.objects.create(slug="walked", name="Walked", agency=cast.police, region=places.region, rate_plan=plan)
    key, _secret = issue_key(partner=partner, name="k", scopes=["incidents:read"], by=None, all_governorates=True)
    now = datetime.now(UTC)
    who = {"key_id": key.pk, "partner_id": partner.pk, "agency_id": cast.police.pk, "caller": str(key)}
    call = {"at": now, "request_id": uuid4().hex, **who}
    RequestLog.objects.create(
        **call, method="GET", route="api/v1/incidents", status=200, ms=4.2, bytes_in=0, bytes_out=312, address="127.0.0.1"
    )
    figures = dict.fromkeys(("calls", "refused", "limited", "failed", "p50_ms", "p95_ms", "bytes_in", "bytes_out"), 1)
    KeyUsage.objects.create(**figures, key=key, day=now.date(), last_at=now, counted_at=now)
    TokenSession.objects.create(user=cast.dispatcher, refresh_id=uuid4(), auth_hash="-", expires_at=now + timedelta(days=1))
