"""Celery's shells of delivery: the rows are the queue, and each of these may be run twice."""
