"""Celery's shells around this app's verbs."""

from incidents.tasks import importing, pipeline, trust

__all__ = ["importing", "pipeline", "trust"]
