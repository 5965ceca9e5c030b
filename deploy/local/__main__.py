"""``python -m deploy.local run|up|down|reset|exec|tracker|vapid``: a whole installation on this machine, under ``KHAREETATY_VAR``."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import environ

from deploy.local.layout import HOST, ROOT, Layout, is_free, web_port, write_private
from deploy.local.mosquitto import Mosquitto
from deploy.local.services import Postgres, Redis, StartFailed, Streams
from deploy.local.supervisor import Program, Service, Supervisor
from deploy.local.vapid import vapid_pair

DEMO_PROGRAMS = frozenset({"simulator", "patrols", "devices"})
PYTHON = str(ROOT / ".venv/bin/python")


def private_services(layout: Layout, *, throw_away: bool = False) -> list[Service]:
    """The servers we must run ourselves: none for which the environment names a real one."""
    services: list[Service] = []
    if not os.environ.get("DATABASE_URL"):
        services.append(Postgres(layout, throw_away=throw_away))
    if not os.environ.get("REDIS_URL"):
        services.append(Redis(layout, throw_away=throw_away))
        if not os.environ.get("STREAMS_URL") and not throw_away:
            services.append(Streams(layout))
    if not os.environ.get("MQTT_URL") and not throw_away:
        services.append(Mosquitto(layout))
    return services


def environment(layout: Layout, services: list[Service], *, reaches_people: bool = False) -> dict[str, str]:
    """What the programs see: the caller's environment, completed by what this installation made for itself."""
    made = {"KHAREETATY_VAR": str(layout.var), "SECRET_KEY": layout.secrets()["secret_key"], "PYTHONUNBUFFERED": "1"}
    for service in services:
        if isinstance(service, Postgres):
            made["DATABASE_URL"] = service.url
        if isinstance(service, Redis):
            made["STREAMS_URL" if isinstance(service, Streams) else "REDIS_URL"] = service.url
        if isinstance(service, Mosquitto):
            made["MQTT_URL"] = service.gateway_url
    made["KHAREETATY_PORT"] = str(web_port())
    if reaches_people:
        made |= layout.ways_out()
    write_private(layout.env_file, "".join(f"{key}={value}\n" for key, value in made.items() if key != "KHAREETATY_VAR"))
    return made | {key: value for key, value in os.environ.items() if value or key not in made}


def programs() -> list[Program]:
    """The lines of the Procfile, with our Python in place of the bare name."""
    found = []
    for line in (ROOT / "Procfile").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, command = line.split(":", 1)
            words = [os.path.expandvars(word) for word in command.split()]
            found.append(Program(name.strip(), [PYTHON if word == "python" else word for word in words]))
    return found


@contextlib.contextmanager
def only_one(layout: Layout) -> Iterator[bool]:
    """Hold the installation's lock; the kernel lets go of it whatever way we die, so it is never stale."""
    layout.make()
    with (layout.run / "lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield True


def holder(layout: Layout) -> int | None:
    """The process that holds the lock now."""
    with only_one(layout) as free:
        if free:
            return None
    text = (layout.run / "lock").read_text()
    return int(text) if text.isdigit() else None


def is_ready() -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{web_port()}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def welcome(layout: Layout) -> str:
    lines = ["", f"  Khareetaty is at http://{HOST}:{web_port()}/   (command centre: http://{HOST}:{web_port()}/admin/)", ""]
    with contextlib.suppress(FileNotFoundError, ValueError):
        for account in json.loads(layout.accounts_file.read_text()):
            secret = account.get("password") or f"key {account['api_key']}"
            lines.append(f"    {account['role']:<11} {account.get('username', ''):<12} {secret}")
        lines += ["", f"  These secrets were made for this installation: {layout.accounts_file}", ""]
    return "\n".join(lines)


def run(layout: Layout) -> int:
    with only_one(layout) as free:
        if not free:
            print(f"Khareetaty already runs from {layout.var} (process {holder(layout)}); stop it with: make down")
            return 1
        if not is_free(web_port()):
            print(f"Port {web_port()} is taken by another program; choose one with KHAREETATY_PORT=…")
            return 1
        services = private_services(layout)
        for service in services:
            service.start()
        surroundings = os.environ | environment(layout, services, reaches_people=True)
        try:
            subprocess.run([PYTHON, "manage.py", "prepare", *prepare_options()], cwd=ROOT, env=surroundings, check=True)
        except (subprocess.CalledProcessError, KeyboardInterrupt) as error:
            for service in reversed(services):
                service.stop()
            print(f"Not started: {error}")
            return 1
        print(welcome(layout), flush=True)
        supervisor = Supervisor(services=services, programs=programs_for(surroundings), environment=surroundings, log=layout.log, cwd=ROOT)
        supervisor.run()
    return 0


def prepare_options() -> list[str]:
    zones = os.environ.get("ZONES")
    return ["--zones", str(Path(zones).resolve())] if zones else []


def programs_for(surroundings: dict[str, str]) -> list[Program]:
    os.environ.update({key: surroundings[key] for key in ("KHAREETATY_PORT",)})
    os.environ.setdefault("KHAREETATY_HOST", HOST)
    wanted = programs()
    if surroundings.get("SMS_GATEWAY_KIND") != "smpp":
        wanted = [program for program in wanted if program.name != "gateway"]
    if surroundings.get("KHAREETATY_DEMO", "1") in ("0", "false", "no"):
        wanted = [program for program in wanted if program.name not in DEMO_PROGRAMS]
    return wanted


def up(layout: Layout) -> int:
    if holder(layout) is not None:
        print(f"Khareetaty already runs from {layout.var}.")
        return 0 if wait_until_ready(layout, None) else 1
    layout.make()
    log = layout.log / "stack.log"
    # The welcome in it names the demo's secrets.
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        started = subprocess.Popen(
            [PYTHON, "-m", "deploy.local", "run"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    print(f"starting in the background; its log is {log}", flush=True)
    if not wait_until_ready(layout, started):
        print("".join(f"  {line}\n" for line in log.read_text(errors="replace").splitlines()[-20:]))
        print(f"Khareetaty did not come up; the end of {log} is above.")
        return 1
    print(welcome(layout))
    return 0


def wait_until_ready(layout: Layout, started: subprocess.Popen[bytes] | None, patience_s: float = 600) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if is_ready():
            return True
        if started is not None and started.poll() is not None:
            return False
        time.sleep(0.25)
    return False


def down(layout: Layout) -> int:
    pid = holder(layout)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while holder(layout) is not None and time.monotonic() < deadline:
            time.sleep(0.1)
    # What a killed supervisor left behind is ours to stop as well.
    for service in reversed(private_services(layout)):
        service.stop()
    print("Khareetaty is stopped." if pid is not None else "Nothing was running.")
    return 0


def reset(layout: Layout) -> int:
    if not layout.var.exists():
        print(f"There is nothing in {layout.var}.")
        return 0
    answer = "yes" if os.environ.get("KHAREETATY_YES") == "1" else input(f"Delete everything in {layout.var}? Type yes: ")
    if answer.strip() != "yes":
        print("Nothing was deleted.")
        return 1
    down(layout)
    shutil.rmtree(layout.var)
    print(f"{layout.var} is gone.")
    return 0


def execute(layout: Layout, command: list[str]) -> int:
    """Run a command on services of its own: quick ones for ``make test``, durable ones for ``make bench``."""
    with only_one(layout) as free:
        if not free:
            print(f"Another run uses {layout.var}; set KHAREETATY_VAR to work beside it.")
            return 1
        services = private_services(layout, throw_away=os.environ.get("KHAREETATY_DURABLE") != "1")
        try:
            for service in services:
                service.start()
            return subprocess.run(command, cwd=ROOT, env=os.environ | environment(layout, services), check=False).returncode
        finally:
            for service in reversed(services):
                service.stop()


def tracker(layout: Layout, name: str) -> int:
    """Give a GPS device its own password at our broker. It may write its own topic and read none."""
    print(f"user {name}, password {Mosquitto(layout).give_account(name)}, topic khareetaty/positions/{name}")
    return 0


def main(arguments: list[str]) -> int:
    if arguments[:1] != ["exec"] and (ROOT / ".env").is_file():
        # What tests and benchmarks run on is never what somebody configured for earnest.
        environ.Env.read_env(ROOT / ".env")
    layout = Layout.from_environment()
    os.environ["KHAREETATY_VAR"] = str(layout.var)
    if arguments == ["vapid"]:
        pair = vapid_pair()
        print(f"VAPID_PRIVATE_KEY={pair.private}\nVAPID_PUBLIC_KEY={pair.public}")
        return 0
    verbs = {"run": run, "up": up, "down": down, "reset": reset}
    try:
        if arguments[:1] == ["exec"] and len(arguments) > 1:
            return execute(layout, arguments[1:])
        if arguments[:1] == ["tracker"] and len(arguments) == 2:
            return tracker(layout, arguments[1])
        if len(arguments) == 1 and arguments[0] in verbs:
            return verbs[arguments[0]](layout)
    except StartFailed as error:
        print(error)
        return 1
    print(__doc__)
    return 2


if __name__ == "__main__":
    Path(ROOT).resolve(strict=True)
    sys.exit(main(sys.argv[1:]))
