"""Celery's shells around the verbs of force."""

from __future__ import annotations

from celery import shared_task

from patrol.services.duty import close_overrun


@shared_task(name="patrol.close_overrun_duties")
def close_overrun_duties() -> int:
    return close_overrun().closed
