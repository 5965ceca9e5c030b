"""Background work: three queues, JSON only. The rows are the queue; Celery only makes it quick."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "khareetaty.settings")
app = Celery("khareetaty")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
