"""Background work: three queues, JSON only. The rows are the queue; Celery only makes it quick."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "khareetaty.settings")
app = Celery("khareetaty")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Hours are those of TIME_ZONE (Asia/Kuwait). Read into django-celery-beat's tables at its start.
app.conf.beat_schedule = {
    "pipeline: nightly": {"task": "incidents.run_due_pipelines", "schedule": crontab(hour="2", minute="0"), "options": {"queue": "bulk"}},
    # A night beat slept through is not fired later by itself; the sweep sees that its run is missing. It also takes up steps whose
    # worker died. An entry nobody took within the interval is dropped: the next one does the same.
    "pipeline: sweep": {
        "task": "incidents.run_due_pipelines",
        "schedule": crontab(minute="*/5"),
        "options": {"expire_seconds": 240, "queue": "bulk"},
    },
    # The row is the queue: this is how an uploaded file finds a worker, and how a run whose worker died finds another.
    "imports: sweep": {"task": "incidents.sweep_imports", "schedule": 3.0, "options": {"expire_seconds": 3, "queue": "critical"}},
    "webhooks: kept": {"task": "interop.forget_old_deliveries", "schedule": crontab(hour="3", minute="40"), "options": {"queue": "bulk"}},
    # Predictions whose time has passed, and the two days late reports are given.
    "predictions: scored": {"task": "incidents.score_predictions", "schedule": crontab(minute="20"), "options": {"expire_seconds": 3000}},
    "positions: days": {"task": "patrol.keep_positions", "schedule": crontab(minute="5"), "options": {"expire_seconds": 3000}},
    "readings: days": {"task": "iot.keep_readings", "schedule": crontab(minute="10"), "options": {"expire_seconds": 3000, "queue": "bulk"}},
    "certificates: ending": {"task": "iot.look_after_certificates", "schedule": crontab(minute="25"), "options": {"expire_seconds": 3000}},
    # Who is away and who is back; what was more than a device's limit.
    "devices: sweep": {"task": "iot.look_after_devices", "schedule": 15.0, "options": {"expire_seconds": 14}},
    # What sensors say of places, in parts that fade.
    "zones: risk": {"task": "iot.score_zones", "schedule": 300.0, "options": {"expire_seconds": 240, "queue": "bulk"}},
    # Batteries are noted and looked at once more just before the day is over.
    "devices: ahead": {"task": "iot.look_ahead", "schedule": crontab(minute="55"), "options": {"expire_seconds": 3000, "queue": "bulk"}},
    "commands: LoRaWAN": {"task": "interop.send_downlinks", "schedule": 5.0, "options": {"expire_seconds": 5}},
    "plates: counted": {"task": "iot.count_plates", "schedule": 60.0, "options": {"expire_seconds": 50}},
    "crowds: nightly": {"task": "iot.correlate_crowds", "schedule": crontab(hour="4", minute="25"), "options": {"queue": "bulk"}},
    "profiles: nightly": {"task": "iot.fit_profiles", "schedule": crontab(hour="4", minute="45"), "options": {"queue": "bulk"}},
    "devices: hours": {
        "task": "iot.look_at_hours",
        "schedule": crontab(minute="8,23,38,53"),
        "options": {"expire_seconds": 800, "queue": "bulk"},
    },
    "assignments: closed by time": {"task": "patrol.close_by_time", "schedule": 60.0, "options": {"expire_seconds": 50}},
    # What became of the stops that have ended: again while late positions may come, for the last time once the shift is over.
    "dosage: measured": {
        "task": "patrol.measure_stops",
        "schedule": crontab(minute="*/5"),
        "options": {"expire_seconds": 240, "queue": "bulk"},
    },
    # Duties whose end somebody forgot to say.
    "duty: sweep": {"task": "patrol.close_overrun_duties", "schedule": 300.0, "options": {"expire_seconds": 240}},
    # Calls for help are said again until a person answers; welfare checks warn and escalate. Open command screens do the same.
    "alarms: said again": {"task": "patrol.look_after_alarms", "schedule": 10.0, "options": {"expire_seconds": 9, "queue": "critical"}},
    # Days of units and presence in trials' cells, before the positions are dropped; trials whose time has come are reported.
    "dosage: days": {
        "task": "patrol.measure_days",
        "schedule": crontab(minute="40", hour="*/3"),
        "options": {"expire_seconds": 9000, "queue": "bulk"},
    },
    "plans: sweep": {"task": "patrol.sweep_plans", "schedule": 20.0, "options": {"expire_seconds": 20}},
    # Packs of shifts that are about to end; those that are not signed half an hour after it.
    "packs: due": {"task": "patrol.look_after_packs", "schedule": crontab(minute="*/5"), "options": {"expire_seconds": 240}},
    # The second path beside `manage.py pager`, which does the same many times a second: with the pager dead, steps are ten seconds late.
    "alerts: steps": {"task": "alerts.run_escalations", "schedule": 10.0, "options": {"expire_seconds": 9, "queue": "critical"}},
    "alerts: rungs": {"task": "alerts.climb_pages", "schedule": 10.0, "options": {"expire_seconds": 9, "queue": "critical"}},
    "alerts: messages": {"task": "alerts.send_messages", "schedule": 10.0, "options": {"expire_seconds": 9, "queue": "critical"}},
    "alerts: looked after": {"task": "alerts.look_after", "schedule": 10.0, "options": {"expire_seconds": 9, "queue": "critical"}},
    "alerts: audit": {"task": "alerts.audit", "schedule": 30.0, "options": {"expire_seconds": 25, "queue": "critical"}},
    # What the newest attempts say of each channel.
    "alerts: channels": {"task": "alerts.look_at_channels", "schedule": 15.0, "options": {"expire_seconds": 14}},
    # Holes in on-call schedules that appeared since they were saved: said in the morning, while there is time to fill them.
    "oncall: holes": {"task": "alerts.look_for_holes", "schedule": crontab(hour="7", minute="30"), "options": {"expire_seconds": 43200}},
    "feeds: silence": {"task": "interop.look_for_silence", "schedule": 30.0, "options": {"expire_seconds": 28}},
    "feeds: counted": {
        "task": "interop.count_feeds",
        "schedule": crontab(minute="*/5"),
        "options": {"expire_seconds": 240, "queue": "bulk"},
    },
    "feeds: counted again": {
        "task": "interop.count_feeds_again",
        "schedule": crontab(minute="50", hour="3"),
        "options": {"expire_seconds": 43200, "queue": "bulk"},
    },
    "calls: days": {"task": "interop.keep_request_log", "schedule": crontab(minute="15"), "options": {"expire_seconds": 3000}},
    "systems: old probes": {"task": "interop.forget_old_probes", "schedule": crontab(minute="50", hour="3"), "options": {"queue": "bulk"}},
    "reads: days": {"task": "interop.keep_reads", "schedule": crontab(minute="20"), "options": {"expire_seconds": 3000}},
    "calls: counted": {
        "task": "interop.count_usage",
        "schedule": crontab(minute="*/5"),
        "options": {"expire_seconds": 240, "queue": "bulk"},
    },
    "inbox: sweep": {"task": "interop.sweep_inbox", "schedule": 60.0, "options": {"expire_seconds": 50}},
    "batches: sweep": {"task": "interop.work_on_batches", "schedule": 5.0, "options": {"expire_seconds": 4}},
    "batches: old ones": {"task": "interop.forget_old_batches", "schedule": crontab(minute="35", hour="3"), "options": {"queue": "bulk"}},
}
