"""Celery's shells around this app's verbs."""

from incidents.tasks import importing, pipeline

__all__ = ["importing", "pipeline"]
