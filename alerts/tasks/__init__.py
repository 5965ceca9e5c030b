"""Celery's shells around this app's verbs: a file a part."""

from alerts.tasks import alerts, delivery, escalation, oncall

__all__ = ["alerts", "delivery", "escalation", "oncall"]
