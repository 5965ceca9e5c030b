"""Celery's shells around this app's verbs."""

from incidents.tasks import pipeline

__all__ = ["pipeline"]
