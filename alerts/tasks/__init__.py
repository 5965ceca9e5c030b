"""Celery's shells around this app's verbs: a file a part."""

from alerts.tasks import alerts, channels, delivery, escalation, oncall

__all__ = ["alerts", "channels", "delivery", "escalation", "oncall"]
