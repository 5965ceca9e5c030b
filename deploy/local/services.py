"""The private PostgreSQL cluster and Redis server under ``var/``. The system's own are never touched."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

from deploy.local.layout import HOST, Layout

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
DATABASE = "khareetaty"
POSTGRES_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "512MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "2GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "random_page_cost": "1.1",
    # Compiling PostGIS expressions costs more than the short queries of this product gain.
    "jit": "off",
    "timezone": "UTC",
    "log_min_duration_statement": "1000",
}
# Only for throw-away data: tests survive nothing and need not wait for the disk.
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class StartFailed(Exception):
    """A service did not come up; the message says what to look at."""


class Postgres:
    """A cluster of our own, run by the ``postgres`` user when we are root (PostgreSQL refuses to run as root)."""

    name = "postgres"

    def __init__(self, layout: Layout, *, throw_away: bool = False) -> None:
        self.layout = layout
        self.data = layout.postgres
        self.settings = POSTGRES_SETTINGS | (UNSAFE_SETTINGS if throw_away else {})
        self.password = layout.secrets()["postgres_password"]
        self.port = layout.port(self.name, in_use_by_us=self.is_running())

    @property
    def url(self) -> str:
        return f"postgis://khareetaty:{self.password}@{HOST}:{self.port}/{DATABASE}"

    def _as_owner(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        if subprocess.run([*command, "test", "-x", str(self.layout.var)], check=False).returncode == 0:
            return command
        # The checkout lies in a folder closed to others (a private home, a mktemp folder): let the server pass through it.
        capability = "+dac_override"
        return [*command, f"--inh-caps={capability}", f"--ambient-caps={capability}"]

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._as_owner(), str(POSTGRES_BIN / program), *arguments]
        return subprocess.run(command, text=True, capture_output=True, check=False, cwd="/", stdin=subprocess.DEVNULL)

    def postmaster(self) -> int | None:
        """The process id of our running server, by its own lock file, if that process really is ours."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            running = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.data).encode() in running and running[0].endswith(b"postgres") else None

    def is_running(self) -> bool:
        return self.postmaster() is not None

    def create(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        # Made beside and moved into place, so that a kill half-way leaves nothing that looks like a cluster.
        half_made = self.data.with_name("postgres.new")
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        password_file = self.layout.var / "initdb.password"
        password_file.write_text(self.password)
        password_file.chmod(0o600)
        self._own(half_made)
        self._own(password_file)
        made = self._call(
            "initdb", "-D", str(half_made), "-U", "khareetaty", f"--pwfile={password_file}", "-A", "scram-sha-256",
            "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions",
        )  # fmt: skip
        password_file.unlink()
        if made.returncode:
            raise StartFailed(f"initdb failed: {made.stderr.strip()}")
        half_made.rename(self.data)

    def start(self) -> None:
        self.create()
        if not self.is_running():
            # A lock file of a killed server whose process number somebody else has now would stop ours.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            options = " ".join(f"-c {key}='{value}'" for key, value in (self.settings | {"port": str(self.port)}).items())
            log = self.layout.log / "postgres.log"
            log.touch()
            self._own(log)
            started = self._call("pg_ctl", "-D", str(self.data), "-l", str(log), "-w", "-t", "120", "-o", options, "start")
            if started.returncode:
                raise StartFailed(f"PostgreSQL did not start; see {log}\n{started.stdout[-500:]}{started.stderr[-500:]}")
        self._create_database()

    def _create_database(self) -> None:
        environment = os.environ | {"PGPASSWORD": self.password}

        def psql(database: str, statement: str) -> str:
            command = ["psql", "-h", HOST, "-p", str(self.port), "-U", "khareetaty", "-d", database, "-tAqc", statement]
            return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

        if psql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'") != "1":  # noqa: S608
            psql("postgres", f"CREATE DATABASE {DATABASE}")
        psql(DATABASE, "CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS pg_trgm")

    def stop(self) -> None:
        if self.is_running():
            self._call("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-t", "60", "stop")


class Redis:
    """A server of our own with an append-only file, so that what it acknowledged it still has after a crash, but for its last second."""

    name = "redis"
    append_fsync = "everysec"

    def __init__(self, layout: Layout, *, throw_away: bool = False) -> None:
        self.layout = layout
        self.throw_away = throw_away
        self.password = layout.secrets()["redis_password"]
        self.folder = layout.var / self.name
        self.pid_file = layout.run / f"{self.name}.pid"
        self.port = layout.port(self.name, in_use_by_us=self.is_running())

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def server(self) -> int | None:
        try:
            pid = int(self.pid_file.read_text())
            running = Path(f"/proc/{pid}/cmdline").read_bytes()
            folder = Path(f"/proc/{pid}/cwd").resolve()
        except (OSError, ValueError):
            return None
        return pid if b"redis-server" in running and folder == self.folder else None

    def is_running(self) -> bool:
        return self.server() is not None

    def start(self) -> None:
        if self.is_running():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": HOST, "port": self.port, "requirepass": self.password, "dir": self.folder, "daemonize": "yes",
            "pidfile": self.pid_file, "logfile": self.layout.log / f"{self.name}.log", "save": "",
            "appendonly": "no" if self.throw_away else "yes", "appendfsync": self.append_fsync,
            "aof-load-truncated": "yes", "maxmemory-policy": "noeviction",
        }  # fmt: skip
        configuration = self.folder / "redis.conf"
        configuration.write_text("".join(f'{key} "{value}"\n' for key, value in settings.items()))
        configuration.chmod(0o600)
        subprocess.run(["redis-server", str(configuration)], check=True, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline:
                raise StartFailed(f"Redis did not start; see {self.layout.log / self.name}.log")
            time.sleep(0.05)

    def _answers(self) -> bool:
        command = ["redis-cli", "-h", HOST, "-p", str(self.port), "--no-auth-warning", "ping"]
        environment = os.environ | {"REDISCLI_AUTH": self.password}
        return subprocess.run(command, env=environment, capture_output=True, check=False).stdout.strip() == b"PONG"

    def stop(self) -> None:
        pid = self.server()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)


class Streams(Redis):
    """What devices said and nobody has written yet: on the disk before it is answered (docs/decisions/0270). Apart from the other one,
    whose every write would wait for the disk as well."""

    name = "streams"
    append_fsync = "always"
