"""Celery's shells of oncall: the rows are the queue, and each of these may be run twice."""
