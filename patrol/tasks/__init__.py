"""Celery's shells around this app's verbs."""

from patrol.tasks import dispatch, force, measure, planning, positions, safety

__all__ = ["dispatch", "force", "measure", "planning", "positions", "safety"]
