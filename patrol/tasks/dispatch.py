"""Celery's shells around the verbs of dispatch."""
