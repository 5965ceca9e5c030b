"""OPS-1: one command starts it, one stops it, and nothing that was killed keeps the next start from working."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest

from deploy.local.layout import ROOT, free_port

pytestmark = pytest.mark.faults


class Stack:
    """A whole installation of its own, empty (no demo), in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.port = free_port()
        taken = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "KHAREETATY_VAR")
        self.environment = {key: value for key, value in os.environ.items() if key not in taken} | {
            "KHAREETATY_VAR": str(self.var), "KHAREETATY_PORT": str(self.port), "KHAREETATY_DEMO": "0", "KHAREETATY_YES": "1",
        }  # fmt: skip

    def do(self, verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploy.local", verb], cwd=ROOT, env=self.environment, text=True, capture_output=True, check=False
        )

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def wait_until_ready(self, patience_s: float = 60) -> None:
        deadline = time.monotonic() + patience_s
        while not self.is_ready():
            assert time.monotonic() < deadline, (self.var / "log/stack.log").read_text()[-3_000:]
            time.sleep(0.2)

    def processes(self) -> dict[int, str]:
        """Everything that runs in our folder, or with it in its environment or on its command line."""
        found = {}
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                line = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                surroundings = (proc / "environ").read_bytes()
                folder = str((proc / "cwd").resolve())
            except OSError:
                continue
            ours = str(self.var) in line or folder.startswith(str(self.var)) or f"KHAREETATY_VAR={self.var}".encode() in surroundings
            if int(proc.name) != os.getpid() and ours:
                found[int(proc.name)] = line
        return found

    def kill(self, word: str) -> int:
        victims = [pid for pid, line in self.processes().items() if word in line]
        assert victims, f"no {word} among {self.processes()}"
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        return len(victims)

    def count(self, table: str) -> int:
        env = dict(line.split("=", 1) for line in (self.var / "local.env").read_text().splitlines())
        with psycopg.connect(env["DATABASE_URL"].replace("postgis://", "postgresql://")) as connection:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert row is not None
            return int(row[0])


@pytest.fixture
def new_stack():
    """Folders of our own: pytest's are swept away by any other run of pytest on the machine, whoever still uses them."""
    made = []

    def make() -> Stack:
        made.append(Stack(Path(tempfile.mkdtemp(prefix="khareetaty-stack-"))))
        return made[-1]

    yield make
    for stack in made:
        stack.do("down")
    left = [stack.processes() for stack in made]
    for stack in made:
        shutil.rmtree(stack.var.parent)
    assert not any(left)


@pytest.fixture
def stack(new_stack):
    return new_stack()


def test_up_answers_down_stops_everything_and_a_second_start_keeps_the_data(stack):
    assert stack.do("up").returncode == 0 and stack.is_ready()
    zones, people = stack.count("geography_zone"), stack.count("accounts_user")
    assert zones > 190 and people == 0
    assert not (stack.var / "demo-accounts.json").exists()
    assert stack.do("up").returncode == 0, "up on a running copy says so and is no error"
    assert stack.do("down").returncode == 0
    assert not stack.processes() and not stack.is_ready()
    assert stack.do("up").returncode == 0
    assert stack.count("geography_zone") == zones


def test_any_program_or_server_killed_comes_back(stack):
    assert stack.do("up").returncode == 0
    for word in ("uvicorn", "relay", "beat", "redis-server", "postgres"):
        stack.kill(word)
        time.sleep(2)
        stack.wait_until_ready()
    time.sleep(12)
    running = " ".join(stack.processes().values())
    assert all(word in running for word in ("uvicorn", "manage.py relay", "celery -A khareetaty worker", "celery -A khareetaty beat"))


def test_everything_killed_at_once_as_by_a_power_cut_starts_again(stack):
    assert stack.do("up").returncode == 0
    for _ in range(3):
        for pid in stack.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.3)
    assert not stack.is_ready()
    assert stack.do("up").returncode == 0, (stack.var / "log/stack.log").read_text()[-3_000:]
    assert stack.is_ready()


def test_two_copies_run_side_by_side(stack, new_stack):
    other = new_stack()
    assert stack.do("up").returncode == 0
    assert other.do("up").returncode == 0
    assert stack.is_ready() and other.is_ready()
    assert json.loads((stack.var / "ports.json").read_text()) != json.loads((other.var / "ports.json").read_text())
    other.do("down")
    assert stack.is_ready() and not other.is_ready()


def test_secrets_are_their_owners_alone(stack):
    assert stack.do("up").returncode == 0
    for name in ("secrets.json", "local.env", "log/stack.log"):
        assert (stack.var / name).stat().st_mode & 0o077 == 0, name


def test_reset_wipes_only_its_folder(stack):
    assert stack.do("up").returncode == 0
    keep = stack.var.parent / "keep"
    keep.write_text("x")
    assert stack.do("reset").returncode == 0
    assert not stack.var.exists() and keep.read_text() == "x" and not stack.processes()
