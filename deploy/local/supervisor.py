"""Runs the programs of a local installation: starts them, restarts what dies, passes their lines on, stops only its own."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

PR_SET_PDEATHSIG = 1
HEAD_START_S = 3.0
COLOURS = (36, 35, 34, 33, 32, 96, 95, 94)


class Service(Protocol):
    """A private server that outlives a killed supervisor and is taken over by the next."""

    name: str

    def is_running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Program:
    name: str
    command: list[str]
    started_at: float = 0.0
    failures: int = 0
    not_before: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    rest: bytes = field(default=b"", repr=False)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Keeps ``programs`` running on top of ``services`` until told to stop by SIGINT or SIGTERM."""

    def __init__(self, *, services: list[Service], programs: list[Program], environment: dict[str, str], log: Path, cwd: Path) -> None:
        self.services = services
        self.programs = programs
        self.environment = environment
        self.log = log
        self.cwd = cwd
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.width = max(len(name) for name in [*(p.name for p in programs), "postgres"])

    def say(self, name: str, line: str) -> None:
        prefix = f"{name:<{self.width}} |"
        if sys.stdout.isatty():
            index = next((i for i, program in enumerate(self.programs) if program.name == name), len(self.programs))
            prefix = f"\x1b[{COLOURS[index % len(COLOURS)]}m{prefix}\x1b[0m"
        try:
            print(prefix, line, flush=True)
        except (BrokenPipeError, OSError):
            self.stopping = True

    def _start(self, program: Program) -> None:
        program.process = subprocess.Popen(
            program.command, cwd=self.cwd, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent,  # noqa: PLW1509
        )  # fmt: skip
        program.started_at = time.monotonic()
        assert program.process.stdout is not None
        os.set_blocking(program.process.stdout.fileno(), False)
        self.selector.register(program.process.stdout, selectors.EVENT_READ, program)

    def _pass_on(self, stream: IO[bytes], program: Program) -> None:
        chunk = stream.read()
        if chunk == b"":
            self.selector.unregister(stream)
            return
        *lines, program.rest = (program.rest + (chunk or b"")).split(b"\n")
        for line in lines:
            self.say(program.name, line.decode(errors="replace"))

    def _look_after(self, program: Program) -> None:
        now = time.monotonic()
        if program.process is not None and program.process.poll() is not None:
            lived = now - program.started_at
            program.failures = 1 if lived > 60 else program.failures + 1
            wait_s = min(30.0, 0.5 * 2 ** (program.failures - 1))
            program.not_before = now + wait_s
            self.say(program.name, f"ended with {program.process.returncode} after {lived:.0f} s; starting again in {wait_s:.1f} s")
            program.process = None
        if program.process is None and now >= program.not_before:
            self._start(program)

    def run(self) -> None:
        def stop(*_: Any) -> None:
            self.stopping = True

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGHUP, stop)
        # The first is the one people wait for: on a small machine all at once would each take as long as all together.
        for program in self.programs[1:]:
            program.not_before = time.monotonic() + HEAD_START_S
        checked_at = time.monotonic()
        try:
            while not self.stopping:
                for key, _ in self.selector.select(timeout=0.2):
                    self._pass_on(key.fileobj, key.data)  # type: ignore[arg-type]
                for program in self.programs:
                    self._look_after(program)
                if time.monotonic() - checked_at > 1:
                    checked_at = time.monotonic()
                    for service in self.services:
                        if not service.is_running() and not self.stopping:
                            self.say(service.name, "is gone; starting it again")
                            service.start()
        finally:
            self.stop()

    def stop(self) -> None:
        for signal_number, patience_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            alive = [p for p in self.programs if p.process is not None and p.process.poll() is None]
            for program in alive:
                assert program.process is not None
                # Each program leads a session of its own: its children (Celery's pool) go with it.
                os.killpg(program.process.pid, signal_number)
            deadline = time.monotonic() + patience_s
            while any(p.process is not None and p.process.poll() is None for p in alive) and time.monotonic() < deadline:
                for key, _ in self.selector.select(timeout=0.05):
                    self._pass_on(key.fileobj, key.data)  # type: ignore[arg-type]
        for service in reversed(self.services):
            self.say(service.name, "stopping")
            service.stop()
