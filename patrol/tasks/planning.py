"""Celery's shells around the verbs of planning. Nothing here retries: a plan that was cut off is a row, and the sweep goes on with it."""

from __future__ import annotations

from celery import shared_task

from patrol.models import Plan
from patrol.services import plans


@shared_task(name="patrol.make_plan")
def make_plan(plan_id: int) -> None:
    """Make a plan that waits. Safe to call twice: a plan is claimed by one."""
    plan = Plan.objects.filter(pk=plan_id).first()
    if plan is not None:
        plans.execute_plan(plan=plan)


@shared_task(name="patrol.sweep_plans")
def sweep_plans() -> None:
    """Hand out what nobody works on."""
    for plan_id in plans.waiting_plans():
        make_plan.apply_async(args=[plan_id], queue="bulk", expires=240)
