"""How often whom may call. A plan that is changed holds everywhere within ``PLANS_KNOWN_S`` seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from accounts.models import User
from core.limits import Answer, Rate, limiter
from interop.models import PartnerKey, RatePlan
from interop.scopes import Scope

PLANS_KNOWN_S = 5.0
PARTNERS = Rate(per_minute=100, burst=100)
PEOPLE = Rate(per_minute=1_200, burst=600)
STRANGERS = Rate(per_minute=60, burst=30)  # an address that asks for tokens: behind one may be a whole office
# A report that is refused may be a report that is lost: what is sent in is only held against a system that has run wild.
INTAKE = {
    Scope.INCIDENTS_WRITE: Rate(per_minute=30_000, burst=5_000),
    Scope.TELEMETRY_WRITE: Rate(per_minute=60_000, burst=10_000),
}

_plans: dict[int, tuple[float, Rate, dict[str, Rate]]] = {}


@dataclass(frozen=True)
class Counted:
    """A call that was counted: under which name, and what became of it."""

    policy: str
    answer: Answer

    def headers(self) -> dict[str, str]:
        """The header fields of draft-ietf-httpapi-ratelimit-headers-10."""
        rate, left, full_in_s = self.answer.rate, self.answer.left, self.answer.full_in_s
        burst = "" if rate.burst == rate.per_minute else f";burst={rate.burst}"
        return {
            "RateLimit-Policy": f'"{self.policy}";q={rate.per_minute};w=60{burst}',
            "RateLimit": f'"{self.policy}";r={left};t={max(round(full_in_s + 0.5), 0)}',
        }


def count_call(*, caller: PartnerKey | User | None, scope: str, address: str | None) -> Counted:
    """Count a call against whoever calls. What is sent in goes on while Redis is away; everything else is then counted per process."""
    if isinstance(caller, PartnerKey):
        policy, rate = _rate_of(caller, scope)
        answer = limiter.take(f"partner:{caller.partner_id}:{policy}", rate)
        if not answer.is_exact and not answer.allowed and scope in INTAKE:
            answer = Answer(rate, True, 0, answer.full_in_s, 0.0, is_exact=False)
        return Counted(policy, answer)
    if caller is not None:
        return Counted("person", limiter.take(f"user:{caller.pk}", PEOPLE))
    return Counted("address", limiter.take(f"address:{address or '-'}", STRANGERS))


def _rate_of(key: PartnerKey, scope: str) -> tuple[str, Rate]:
    rest, overrides = _plan(key.partner.rate_plan_id) if key.partner.rate_plan_id else (PARTNERS, {})
    rate = overrides.get(scope) or INTAKE.get(Scope(scope)) if scope else None
    return (scope, rate) if rate is not None else ("partner", rest)


def _plan(plan_id: int) -> tuple[Rate, dict[str, Rate]]:
    known = _plans.get(plan_id)
    if known is None or time.monotonic() - known[0] > PLANS_KNOWN_S:
        plan = RatePlan.objects.prefetch_related("overrides").get(pk=plan_id)
        overrides = {row.scope: Rate(row.per_minute, row.burst) for row in plan.overrides.all()}
        known = _plans[plan_id] = (time.monotonic(), Rate(plan.per_minute, plan.burst), overrides)
    return known[1], known[2]


def forget_plans() -> None:
    _plans.clear()
