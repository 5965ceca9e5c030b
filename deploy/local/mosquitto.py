"""The private MQTT broker that GPS devices report to. The system's own is never touched.

Everybody has a password. The gateway reads all positions, the feeder writes any (a fleet system that speaks for its devices); a device
writes ``khareetaty/positions/<its own name>`` and reads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from deploy.local.layout import HOST, Layout, write_private
from deploy.local.services import StartFailed

GATEWAY, FEEDER = "gateway", "feeder"
RULES = f"""user {GATEWAY}
topic read khareetaty/positions/#

user {FEEDER}
topic write khareetaty/positions/#

pattern write khareetaty/positions/%u
"""
# What nobody fetches is written to the disk every few seconds and kept for a week.
SETTINGS = {
    "allow_anonymous": "false",
    "persistence": "true",
    "autosave_interval": "5",
    "autosave_on_changes": "false",
    "persistent_client_expiration": "7d",
    "message_size_limit": "65536",
    "max_inflight_messages": "0",
    "max_queued_messages": "1000000",
    "max_keepalive": "600",
    "connection_messages": "false",
    "log_type": "warning",
}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ITERATIONS = 101  # Mosquitto's own number; the passwords are long and random


class Mosquitto:
    name = "mosquitto"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folder = layout.mosquitto
        self.pid_file = layout.run / "mosquitto.pid"
        self.configuration = self.folder / "mosquitto.conf"
        self.accounts = self.folder / "accounts"
        self.port = layout.port(self.name, in_use_by_us=self.is_running())

    @property
    def gateway_url(self) -> str:
        return self.url(GATEWAY, self.layout.secrets()["mqtt_gateway_password"])

    @property
    def feeder_url(self) -> str:
        return self.url(FEEDER, self.layout.secrets()["mqtt_feeder_password"])

    def url(self, user: str, password: str) -> str:
        return f"mqtt://{quote(user)}:{quote(password)}@{HOST}:{self.port}"

    def server(self) -> int | None:
        try:
            pid = int(self.pid_file.read_text())
            running = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.configuration).encode() in running and running[0].endswith(b"mosquitto") else None

    def is_running(self) -> bool:
        return self.server() is not None

    def start(self) -> None:
        if self.is_running():
            return
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise StartFailed("Mosquitto is not installed (Debian: mosquitto). Install it, or name a broker in MQTT_URL.")
        self.folder.mkdir(parents=True, exist_ok=True)
        own = self.layout.secrets()
        self._write_accounts(self._known() | {GATEWAY: hashed(own["mqtt_gateway_password"]), FEEDER: hashed(own["mqtt_feeder_password"])})
        write_private(self.folder / "rules", RULES)
        settings = {
            "listener": f"{self.port} {HOST}", **SETTINGS, "persistence_location": f"{self.folder}/", "pid_file": self.pid_file,
            "password_file": self.accounts, "acl_file": self.folder / "rules", "log_dest": f"file {self.layout.log / 'mosquitto.log'}",
        }  # fmt: skip
        if os.geteuid() == 0:
            settings["user"] = "root"  # else it becomes a user that cannot read what is ours; it listens to this machine alone
        write_private(self.configuration, "".join(f"{key} {value}\n" for key, value in settings.items()))
        self.pid_file.unlink(missing_ok=True)
        subprocess.run([program, "-c", str(self.configuration), "-d"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        deadline = time.monotonic() + 15
        while not self.is_running():
            if time.monotonic() > deadline:
                raise StartFailed(f"Mosquitto did not start; see {self.layout.log / 'mosquitto.log'}")
            time.sleep(0.05)

    def stop(self) -> None:
        pid = self.server()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)

    def give_account(self, name: str) -> str:
        """A new password for a device, told once; a running broker knows it at once."""
        if not _NAME.fullmatch(name) or name in (GATEWAY, FEEDER):
            raise StartFailed("A device's name is 1 to 64 letters, digits, dots, dashes and underscores.")
        password = secrets.token_urlsafe(24)
        self._write_accounts(self._known() | {name: hashed(password)})
        if (pid := self.server()) is not None:
            os.kill(pid, signal.SIGHUP)
        return password

    def _known(self) -> dict[str, str]:
        try:
            lines = self.accounts.read_text().splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _write_accounts(self, accounts: dict[str, str]) -> None:
        write_private(self.accounts, "".join(f"{name}:{secret}\n" for name, secret in sorted(accounts.items())))


def hashed(password: str) -> str:
    """As ``mosquitto_passwd`` writes it: PBKDF2 with SHA-512."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
