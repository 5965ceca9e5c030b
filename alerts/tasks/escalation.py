"""Celery's shells of escalation: the rows are the queue, and each of these may be run twice."""
