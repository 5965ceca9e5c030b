"""Threads that hand messages over: a few for each channel, so that a provider who does not answer holds up nobody else's messages."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections

from alerts.choices import Channel
from core.connections import drop_dead_connections, keep_connections


class Pool:
    """Made when first needed; each thread keeps its own database connection until ``close``."""

    def __init__(self) -> None:
        self._executors: dict[str, ThreadPoolExecutor] = {}
        self._busy: Counter[str] = Counter()
        self._idle = threading.Condition()
        self._connections: dict[int, Any] = {}  # of each thread

    def room(self, workers: int) -> dict[str, int]:
        """How many more messages each channel could be given now without waiting in line."""
        with self._idle:
            return {channel: workers - self._busy[channel] for channel in Channel.values}

    def submit(self, channel: str, workers: int, work: Callable[..., None], *given: Any) -> None:
        with self._idle:
            self._busy[channel] += 1
            executor = self._executors.get(channel)
            if executor is None:
                executor = self._executors[channel] = ThreadPoolExecutor(
                    workers, thread_name_prefix=f"send-{channel}", initializer=keep_connections
                )
        executor.submit(self._run, channel, work, *given)

    def _run(self, channel: str, work: Callable[..., None], *given: Any) -> None:
        try:
            drop_dead_connections()
            close_old_connections()  # one that failed; a good one is kept
            self._connections.setdefault(threading.get_ident(), connections[DEFAULT_DB_ALIAS])
            work(*given)
        finally:
            with self._idle:
                self._busy[channel] -= 1
                self._idle.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Until nothing is under way."""
        with self._idle:
            return self._idle.wait_for(lambda: not any(self._busy.values()), timeout_s)

    def close(self) -> None:
        """Let what is under way finish, and give the threads' connections back."""
        with self._idle:
            executors, self._executors = list(self._executors.values()), {}
        for executor in executors:
            executor.shutdown(wait=True)
        kept, self._connections = list(self._connections.values()), {}
        for one in kept:
            one.inc_thread_sharing()  # its own thread has ended
            one.close()


POOL = Pool()
