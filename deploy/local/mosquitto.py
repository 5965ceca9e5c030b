"""The private MQTT broker. The system's own is never touched.

It listens at five ports of this machine, each with its own accounts and rules, so that a name at one of them means nothing at another:

* inside: our own programs, by password, without rules. A list of rules would make Mosquitto 2.0 forget, at the first reload after a start,
  what it keeps for a program that is away (decision 0285).
* trackers: GPS devices and the fleet systems and camera servers that speak for others, by password.
* sensors over TLS: by a certificate of our own authority; its common name is the device's code. A revoked one is refused.
* sensors: by a password of the device's own, for those that have no certificate.
* networks over TLS: LoRaWAN servers that speak for devices, by a password of their own, under their own prefix alone.

A sensor writes and reads under its own name alone; what it is called here is what its certificate or its password says.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from cryptography import x509

from deploy.local.layout import HOST, Layout, write_private
from deploy.local.services import StartFailed
from iot.ca import Authority
from iot.ca.passwords import hashed
from iot.decoders import lorawan_topics

GATEWAY, FEEDER, CAMERAS = "gateway", "feeder", "frigate"
RESERVED = frozenset({GATEWAY, FEEDER, CAMERAS})
TRACKER_RULES = f"""user {FEEDER}
topic write khareetaty/positions/#

user {CAMERAS}
topic write khareetaty/frigate/#

pattern write khareetaty/positions/%u
"""
SENSOR_RULES = """pattern write khareetaty/sensors/%u/up
pattern write khareetaty/sensors/%u/status
pattern write khareetaty/sensors/%u/ack
pattern read khareetaty/sensors/%u/down
"""
NETWORK_RULES = "".join(
    f"pattern {may} {lorawan_topics.ROOT}%u/{name}\n"
    for may, names in (("write", lorawan_topics.WRITTEN), ("read", lorawan_topics.READ))
    for name in names
)
RENEW_BEFORE = timedelta(days=30)
# What nobody fetches is written to the disk every few seconds and kept for a week.
SETTINGS = {
    "persistence": "true",
    "autosave_interval": "5",
    "autosave_on_changes": "false",
    "persistent_client_expiration": "7d",
    "per_listener_settings": "true",
    "message_size_limit": "65536",
    "max_inflight_messages": "0",
    "set_tcp_nodelay": "true",
    "max_queued_messages": "1000000",
    "max_keepalive": "600",
    "connection_messages": "false",
    "log_type": "warning",
}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Mosquitto:
    name = "mosquitto"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folder = layout.mosquitto
        self.pid_file = layout.run / "mosquitto.pid"
        self.configuration = self.folder / "mosquitto.conf"
        self.accounts = self.folder / "accounts"
        self.inside_accounts = self.folder / "inside"
        self.sensors = self.folder / "sensors"
        running = self.is_running()
        self.port = layout.port(self.name, in_use_by_us=running)
        self.inside_port = layout.port("mosquitto_inside", in_use_by_us=running)
        self.sensor_port = layout.port("mosquitto_sensors", in_use_by_us=running)
        self.tls_port = layout.port("mosquitto_tls", in_use_by_us=running)
        self.network_port = layout.port("mosquitto_networks", in_use_by_us=running)

    @property
    def gateway_url(self) -> str:
        return self._url(GATEWAY, self.layout.secrets()["mqtt_gateway_password"], self.inside_port)

    @property
    def feeder_url(self) -> str:
        return self.url(FEEDER, self.layout.secrets()["mqtt_feeder_password"])

    @property
    def cameras_url(self) -> str:
        return self.url(CAMERAS, self.layout.secrets()["mqtt_cameras_password"])

    def url(self, user: str, password: str) -> str:
        return self._url(user, password, self.port)

    def sensor_url(self, user: str, password: str) -> str:
        return self._url(user, password, self.sensor_port)

    def _url(self, user: str, password: str, port: int) -> str:
        return f"mqtt://{quote(user)}:{quote(password)}@{HOST}:{port}"

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
        known = self._known()
        known.pop(GATEWAY, None)
        bridges = {FEEDER: hashed(own["mqtt_feeder_password"]), CAMERAS: hashed(own["mqtt_cameras_password"])}
        self._write_accounts(known | bridges)
        write_private(self.inside_accounts, f"{GATEWAY}:{hashed(own['mqtt_gateway_password'])}\n")
        write_private(self.folder / "rules", TRACKER_RULES)
        write_private(self.sensors / "rules", SENSOR_RULES)
        write_private(self.sensors / "network-rules", NETWORK_RULES)
        self._certify()
        write_private(self.configuration, self._configured())
        self.pid_file.unlink(missing_ok=True)
        subprocess.run([program, "-c", str(self.configuration), "-d"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        deadline = time.monotonic() + 15
        while not self.is_running():
            if time.monotonic() > deadline:
                raise StartFailed(f"Mosquitto did not start; see {self.layout.log / 'mosquitto.log'}")
            time.sleep(0.05)

    def _configured(self) -> str:
        general = {
            **SETTINGS, "persistence_location": f"{self.folder}/", "pid_file": self.pid_file,
            "log_dest": f"file {self.layout.log / 'mosquitto.log'}",
        }  # fmt: skip
        if os.geteuid() == 0:
            general["user"] = "root"  # else it becomes a user that cannot read what is ours; it listens to this machine alone
        # Whoever comes from outside has one session, named after them: nobody takes another's, or ours, by its name, and a new connection
        # ends the old one.
        own_session = {"use_username_as_clientid": "true", "allow_anonymous": "false"}
        of_sensor = {"acl_file": self.sensors / "rules", **own_session}
        shown = {"certfile": self.sensors / "server.pem", "keyfile": self.sensors / "server.key", "tls_version": "tlsv1.2"}
        listeners: list[tuple[int, dict[str, object]]] = [
            (self.inside_port, {"password_file": self.inside_accounts, "allow_anonymous": "false"}),
            (self.port, {"password_file": self.accounts, **own_session, "acl_file": self.folder / "rules"}),
            (self.sensor_port, {"password_file": self.sensors / "accounts", **of_sensor}),
            (
                self.tls_port,
                {
                    "cafile": self.sensors / "ca.pem", "crlfile": self.sensors / "crl.pem", "require_certificate": "true",
                    "use_identity_as_username": "true", **shown, **of_sensor,
                },
            ),
            (
                self.network_port,
                {**shown, "password_file": self.sensors / "networks", "acl_file": self.sensors / "network-rules", **own_session},
            ),
        ]  # fmt: skip
        lines = [f"{key} {value}" for key, value in general.items()]
        for port, settings in listeners:
            lines += [f"listener {port} {HOST}", *(f"{key} {value}" for key, value in settings.items())]
        return "\n".join(lines) + "\n"

    def _certify(self) -> None:
        """What the TLS port shows, and what it judges others by. Lists that the application wrote stand; at first nobody is in them."""
        now = datetime.now(UTC)
        authority = Authority.kept_in(self.layout.ca, now=now)
        ours = self.sensors / "ca.pem"
        is_ours = ours.exists() and ours.read_bytes() == authority.pem
        shown = self.sensors / "server.pem"
        if not is_ours or not shown.exists() or x509.load_pem_x509_certificate(shown.read_bytes()).not_valid_after_utc < now + RENEW_BEFORE:
            certificate, key = authority.for_server(["localhost", HOST], now=now)
            write_private(self.sensors / "server.key", key.decode())
            write_private(shown, certificate.decode())
            write_private(ours, authority.pem.decode())
        listed = self.sensors / "crl.pem"
        if not is_ours or not listed.exists():
            write_private(listed, authority.revocations([], now=now).decode())
        for name in ("accounts", "networks"):
            if not (self.sensors / name).exists():
                write_private(self.sensors / name, "")

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
        if not _NAME.fullmatch(name) or name in RESERVED:
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
