"""The demo's duty officer: sees to it that each police shift that runs has a plan in force."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from core.errors import DomainError
from patrol.models import Plan, Shift
from patrol.services.plans import ask_for_plan, publish_plan, review_plan

logger = logging.getLogger(__name__)

AHEAD = timedelta(minutes=20)
LEAST_LEFT = timedelta(hours=1)
ASKED_ONCE = ("police",)


def keep_planned(*, now: datetime) -> str:
    """Take one step: ask for a plan that is missing, or put one that was made in force. Returns what was done, "" for nothing.

    One plan at a time is asked for, so that the analytics' workers are not taken up by the demo.
    """
    running = Shift.objects.filter(
        is_synthetic=True, agency__slug__in=ASKED_ONCE, starts_at__lte=now + AHEAD, ends_at__gt=now + LEAST_LEFT
    ).order_by("starts_at", "pk")
    for shift in running.select_related("agency", "governorate"):
        newest = shift.plans.order_by("-version").first()
        try:
            if newest is None:
                ask_for_plan(shift=shift, by=None)
                return "asked"
            if newest.making in {Plan.Making.WAITING, Plan.Making.MAKING}:
                return "waiting"
            if (
                newest.state == Plan.State.DRAFT
                and newest.created_by_id is None
                and newest.making == Plan.Making.MADE
                and not newest.verdict
            ):
                reviewed = review_plan(plan=newest, by=None, edition=newest.edition)
                publish_plan(plan=reviewed, by=None)
                return "published"
        except DomainError as refusal:
            logger.info("no plan for %s %s: %s", shift.governorate.code, shift, refusal.message)
    return ""
