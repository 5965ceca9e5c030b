"""Where a local installation keeps its things: folders, ports, secrets, and the environment its programs see."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.local.vapid import vapid_pair

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Layout:
    """The folders and files below ``KHAREETATY_VAR``; nothing else on the machine is written to."""

    var: Path

    @classmethod
    def from_environment(cls) -> Layout:
        var = Path(os.environ.get("KHAREETATY_VAR") or "var")
        return cls((var if var.is_absolute() else ROOT / var).resolve())

    @property
    def postgres(self) -> Path:
        return self.var / "postgres"

    @property
    def redis(self) -> Path:
        return self.var / "redis"

    @property
    def mosquitto(self) -> Path:
        return self.var / "mosquitto"

    @property
    def ca(self) -> Path:
        """The authority that signs devices' certificates. Whoever has its key can be any device."""
        return self.var / "ca"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def run(self) -> Path:
        return self.var / "run"

    @property
    def mail(self) -> Path:
        """What would have been e-mailed, where no mail server is named."""
        return self.var / "mail"

    @property
    def static(self) -> Path:
        """Empty here, where the web process finds the files itself; `collectstatic` fills it for a server in front."""
        return self.var / "static"

    @property
    def env_file(self) -> Path:
        """What ``manage.py`` reads when it is called by hand."""
        return self.var / "local.env"

    @property
    def accounts_file(self) -> Path:
        return self.var / "demo-accounts.json"

    def make(self) -> None:
        for folder in (self.var, self.log, self.run, self.static):
            folder.mkdir(parents=True, exist_ok=True)

    def remembered(self, name: str, initial: dict[str, object]) -> dict[str, object]:
        """A small private JSON file, made once and read ever after."""
        path = self.var / f"{name}.json"
        try:
            known = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            known = {}
        missing = {key: value for key, value in initial.items() if key not in known}
        if missing:
            known |= missing
            write_private(path, json.dumps(known, indent=2))
        return known

    def secrets(self) -> dict[str, str]:
        names = (
            "secret_key",
            "postgres_password",
            "redis_password",
            "mqtt_gateway_password",
            "mqtt_feeder_password",
            "mqtt_cameras_password",
        )
        made = {key: secrets.token_urlsafe(40) for key in names}
        return {key: str(value) for key, value in self.remembered("secrets", dict(made)).items()}

    def ways_out(self) -> dict[str, str]:
        """How alerts leave an installation that nobody has configured: mail into files, push by keys of its own, links to this machine.
        The caller's environment stands above them."""
        self.mail.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = self.remembered("vapid", {})
        if not {"private", "public"} <= known.keys():
            pair = vapid_pair()
            known = self.remembered("vapid", {"private": pair.private, "public": pair.public})
        return {
            "EMAIL_URL": f"filemail://{self.mail}",
            "VAPID_PRIVATE_KEY": str(known["private"]),
            "VAPID_PUBLIC_KEY": str(known["public"]),
            "PUBLIC_URL": f"http://{HOST}:{web_port()}",
        }

    def port(self, name: str, *, in_use_by_us: bool) -> int:
        """The port this installation uses for a private service; a new one when a stranger took it meanwhile."""
        ports = self.remembered("ports", {})
        port = ports.get(name)
        if isinstance(port, int) and (in_use_by_us or is_free(port)):
            return port
        ports[name] = free_port()
        write_private(self.var / "ports.json", json.dumps(ports, indent=2))
        return int(str(ports[name]))


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def web_port() -> int:
    return int(os.environ.get("KHAREETATY_PORT") or "8000")
