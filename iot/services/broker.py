"""Whom the broker lets in, written from the tables of devices and networks: accounts, and certificates that open nothing any more.

A broker reads files; it is told when they changed. Nothing else configures a device at the broker: its rules go by its name alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from iot.models import Device, DeviceCredential, DeviceNetwork
from iot.services.certificates import authority, not_to_be_let_in

logger = logging.getLogger("telemetry")

RENEW_AFTER = timedelta(days=1)  # the list says until when it holds
LOOK_EVERY_S = 1.0


def bring_up_to_date(*, now: datetime, folder: Path | None = None, pid_file: Path | None = None) -> bool:
    """Write what changed and tell the broker; whether there was anything. Nothing where the broker is not beside us."""
    folder = settings.IOT_BROKER_DIR if folder is None else folder
    if not folder.is_dir():
        return False
    accounts, networks, refused = _accounts(now), _networks(), not_to_be_let_in(now=now)
    signer = authority()
    standing = [accounts, networks, [[f"{r.serial:x}", r.is_held] for r in refused], signer.pem.decode()]
    said = hashlib.sha256(json.dumps(standing).encode()).hexdigest()
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_written(folder, said, now):
            return False
        _write(folder / "accounts", accounts.encode())
        _write(folder / "networks", networks.encode())
        _write(folder / "crl.pem", signer.revocations(refused, now=now))
        _write(folder / "written.json", json.dumps({"said": said, "at": now.isoformat()}).encode())
    return tell_broker(pid_file or settings.IOT_BROKER_PID_FILE) or True


def keep_up_to_date(stop: Event) -> None:
    """Until told to stop. Looking takes a fiftieth of the time at most, however many devices there are."""
    while not stop.is_set():
        began = time.monotonic()
        try:
            if bring_up_to_date(now=timezone.now()):
                logger.info("the broker has the newest accounts and revocations")
        except (DatabaseError, InterfaceError, OSError) as error:
            logger.warning("the broker goes by what it has: %s", str(error).strip().split("\n")[0])
            connection.close()
        stop.wait(max(LOOK_EVERY_S, 50 * (time.monotonic() - began)))
    connection.close()


def tell_broker(pid_file: Path) -> bool:
    """Have a broker on this machine read its files again."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"mosquitto"):
            os.kill(pid, signal.SIGHUP)
            return True
    return False


def _accounts(now: datetime) -> str:
    rows = DeviceCredential.objects.usable(now).filter(kind=DeviceCredential.Kind.MQTT, device__state=Device.State.ACTIVE)
    known = dict(rows.order_by("pk").values_list("device__code", "digest"))
    return "".join(f"{code}:{digest}\n" for code, digest in sorted(known.items()) if ":" not in code)


def _networks() -> str:
    return "".join(
        f"{network.broker_account}:{network.broker_digest}\n" for network in DeviceNetwork.objects.let_in_by_broker().order_by("pk")
    )


def _is_written(folder: Path, said: str, now: datetime) -> bool:
    try:
        written = json.loads((folder / "written.json").read_text())
        lasts = datetime.fromisoformat(written["at"]) > now - RENEW_AFTER
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return written.get("said") == said and lasts and all((folder / name).exists() for name in ("accounts", "networks", "crl.pem"))


def _write(path: Path, text: bytes) -> None:
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(path)
