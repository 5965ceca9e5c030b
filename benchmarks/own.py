"""Durable services and programs of one's own, for a suite that measures them and for a test that kills them.

``own_services("telemetry", ...)`` starts PostgreSQL and what else is named, each with its data on the disk and on this machine's loopback,
makes the tables and the places, and stops everything at the end. The data stays for the next run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg
import redis

from deploy.local.layout import HOST, Layout, free_port
from deploy.local.mosquitto import Mosquitto
from deploy.local.services import Postgres, Redis, Streams

ROOT = Path(__file__).resolve().parents[1]
Beside = Literal["cache", "streams", "broker"]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Own:
    """What runs, by its place on the disk. A service is made when it is first asked for and started by ``start``."""

    layout: Layout
    beside: tuple[Beside, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(self.layout)

    @cached_property
    def cache(self) -> Redis:
        return Redis(self.layout)

    @cached_property
    def streams(self) -> Streams:
        return Streams(self.layout)

    @cached_property
    def broker(self) -> Mosquitto:
        return Mosquitto(self.layout)

    @property
    def services(self) -> list[Postgres | Redis | Mosquitto]:
        """In the order they are started in."""
        return [self.postgres, *(getattr(self, name) for name in self.beside)]

    @property
    def database(self) -> str:
        """The address of PostgreSQL as its own programs spell it."""
        return self.postgres.url.replace("postgis://", "postgresql://")

    @cached_property
    def environment(self) -> dict[str, str]:
        """What a program of ours needs to work on these services and no others."""
        addresses = {"DATABASE_URL": self.postgres.url, "KHAREETATY_VAR": str(self.layout.var), "IOT_CA_DIR": str(self.layout.ca)}
        if "cache" in self.beside:
            addresses["REDIS_URL"] = self.cache.url
        if "streams" in self.beside:
            addresses["STREAMS_URL"] = self.streams.url
        if "broker" in self.beside:
            addresses["MQTT_URL"] = self.broker.gateway_url
        return {**os.environ, "PYTHONUNBUFFERED": "1", **addresses, **self.settings}

    def manage(self, *command: str) -> str:
        """Run a management command to its end; what it said. ``CalledProcessError`` where it failed."""
        called = [sys.executable, "manage.py", *command]
        return subprocess.run(called, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def shell(self, code: str) -> dict[str, list[str]]:
        """Run Python with the product's tables at hand. By the first word of each printed line, the rest of those lines."""
        told: dict[str, list[str]] = {}
        for line in self.manage("shell", "-v", "0", "-c", code).splitlines():
            word, _space, rest = line.partition(" ")
            told.setdefault(word, []).append(rest)
        return told

    def one(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, or ``None``."""
        with psycopg.connect(self.database) as connection:
            row = connection.execute(sql, values).fetchone()
            return row[0] if row else None

    def waiting(self) -> int:
        """Readings on the stream that no writer has written."""
        with redis.Redis.from_url(self.streams.url) as client:
            told: Any = client.get("iot:readings:waiting")
        return int(told or 0)

    def begin(self, name: str, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start ``manage.py command``; what it says goes to ``name``'s log. The caller ends it."""
        with (self.layout.log / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", *command], cwd=ROOT, env=self.environment | settings, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log,
            )  # fmt: skip

    @contextlib.contextmanager
    def program(self, name: str, *command: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """``manage.py command`` while the block lasts, asked to end after it."""
        process = self.begin(name, *command, **settings)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    @contextlib.contextmanager
    def web(self, name: str = "web") -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        """The web process as the Procfile starts it, once it answers: its address and itself."""
        port = free_port()
        path = self.layout.log / f"{name}.log"
        with path.open("ab") as log:
            web = subprocess.Popen(
                [sys.executable, *web_command(port)], cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        url = f"http://{HOST}:{port}"
        try:
            until_alive(url, web, path)
            yield url, web
        finally:
            web.terminate()
            web.wait(20)


@contextlib.contextmanager
def own_services(where: str | Path, *beside: Beside, **settings: str) -> Iterator[Own]:
    """PostgreSQL with the product's tables and places, and ``beside`` it what is named. A name lies in the benchmarks' own folder."""
    folder = Path(os.environ.get("KHAREETATY_VAR", ROOT / "var/bench")).resolve() / where
    own = Own(Layout(folder), beside, settings)
    own.layout.make()
    with contextlib.ExitStack() as stack:
        for service in own.services:
            stack.callback(service.stop)
            service.start()
        own.manage("migrate", "--verbosity", "0")
        own.manage("load_gazetteer")
        yield own


def web_command(port: int) -> list[str]:
    """How the Procfile starts the web process: what Python is given."""
    line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:"))
    return line.split(":", 1)[1].replace("$KHAREETATY_HOST", HOST).replace("$KHAREETATY_PORT", str(port)).split()[1:]


def until_alive(url: str, web: subprocess.Popen[bytes], log: Path | None = None) -> None:
    """Wait until it answers; ``RuntimeError`` where it ended instead, or took longer than a minute."""
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/livez", timeout=5).status_code == 200:
                return
        if web.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the web process did not start{f'; see {log}' if log else ''}")
        time.sleep(0.1)


def drive(module: str, *words: object, given: Any = None) -> Any:
    """Run ``python -m module words`` with ``given`` as JSON on its input; the JSON it prints."""
    command = [sys.executable, "-m", module, *(str(word) for word in words)]
    said = None if given is None else json.dumps(given)
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, input=said, stdout=subprocess.PIPE, text=True).stdout)


def cpu_seconds(pid: int) -> float:
    """User and system time a process has spent."""
    fields = _stat(Path(f"/proc/{pid}"))
    return (int(fields[11]) + int(fields[12])) / _TICKS


def tree_seconds(pid: int) -> float:
    """User and system time of a process and its children, those that have ended included."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = _stat(entry)
            if int(entry.name) == pid:
                total += sum(int(fields[place]) for place in (11, 12, 13, 14))
            elif int(fields[1]) == pid:
                total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def _stat(entry: Path) -> list[str]:
    return (entry / "stat").read_text().rsplit(")", 1)[1].split()


def rss_mib(pid: int) -> float:
    """Memory a process has in use now; for PostgreSQL and other forking servers the parent's alone."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
