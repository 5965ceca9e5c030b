"""Celery's shell around the channels' health."""

from __future__ import annotations

from celery import shared_task

from alerts.services.channels import look_at_health


@shared_task(name="alerts.look_at_channels", ignore_result=True)
def look_at_channels() -> None:
    look_at_health()
