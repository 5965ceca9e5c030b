from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from interop.services import count_feeds, forget_old_batches, look_for_silence, sweep_inbox, work_on_batches
from interop.services.downlinks import send_downlinks
from interop.services.request_log import count_usage, keep_log
from interop.services.sharing.reads import keep_reads
from interop.services.systems import forget_old_probes
from interop.services.webhooks import forget_old_deliveries


@shared_task(name="interop.sweep_inbox", queue="critical")
def sweep_inbox_task() -> None:
    """Once a minute: messages that were accepted and not processed. Each row is claimed, so two sweeps do not meet."""
    sweep_inbox()


@shared_task(name="interop.look_for_silence", queue="critical")
def look_for_silence_task() -> None:
    """Twice a minute: feeds that have gone silent, and those that are back."""
    look_for_silence()


@shared_task(name="interop.work_on_batches")
def work_on_batches_task() -> None:
    """When a batch is queued, and every few seconds. Turns are short: what else waits for this worker is not held up by a long batch."""
    work_on_batches(seconds=4)


@shared_task(name="interop.forget_old_batches", queue="bulk")
def forget_old_batches_task() -> None:
    """Once a night."""
    forget_old_batches()


@shared_task(name="interop.forget_old_deliveries", queue="bulk")
def forget_old_deliveries_task() -> None:
    """Once a night: bodies and answers of webhooks whose time is over, and rows whose time is."""
    forget_old_deliveries()


@shared_task(name="interop.keep_request_log")
def keep_request_log() -> None:
    keep_log()


@shared_task(name="interop.count_usage")
def count_key_usage() -> None:
    count_usage()


@shared_task(name="interop.keep_reads")
def keep_reads_task() -> None:
    """Once an hour: days of the record of reads are made ahead, old ones go."""
    keep_reads()


@shared_task(name="interop.count_feeds", queue="bulk")
def count_feeds_task() -> None:
    """Every five minutes: the last hours of every feed."""
    count_feeds()


@shared_task(name="interop.count_feeds_again", queue="bulk")
def count_feeds_again() -> None:
    """Once a night, three days: types looked at meanwhile, pairs decided, messages mended."""
    count_feeds(hours=72)


@shared_task(name="interop.forget_old_probes", queue="bulk")
def forget_old_probes_task() -> None:
    """Once a night."""
    forget_old_probes()


@shared_task(name="interop.send_downlinks")
def send_downlinks_task() -> None:
    """Commands that wait for LoRaWAN devices, to their servers."""
    send_downlinks(now=timezone.now())
