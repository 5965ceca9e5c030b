"""Waking a worker. The row is the queue: a wake-up may be lost, and a sweep then finds the row."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def wake(task: str, *args: Any, queue: str = "default", times: int = 1) -> None:
    """Ask a worker (``times``: so many of them), once the caller's transaction has committed, to run ``task`` with plain ``args``.

    Work that must not be lost is a row its task claims; a broker that does not answer is logged, and never fails the caller.
    """

    def send() -> None:
        try:
            for _n in range(times):
                current_app.send_task(task, args=args, queue=queue, retry=False)
        except OperationalError:
            logger.warning("the broker did not take %s; the sweep will find its row", task)

    transaction.on_commit(send)
