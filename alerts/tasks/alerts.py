"""Celery's shells of alerts: the rows are the queue, and each of these may be run twice."""
