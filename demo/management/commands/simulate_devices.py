"""Lets synthetic devices speak through the product's own doors."""

from __future__ import annotations

import os
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from demo.devices.driver import Driver
from demo.devices.faults import Fault, faults_from
from demo.devices.protocols import DOORS, Each
from demo.devices.protocols.mqtt import sensor_port
from demo.services.devices import FAULTY, add_devices, known_keys, synthetic
from demo.services.doors import PROFILE_OF, open_doors
from geography.models import Region


class Command(BaseCommand):
    help = (
        "Let synthetic devices speak through the real doors. Without options: the demo's devices, each at its own pace. "
        "All of them are labelled synthetic. Runs until stopped, or for --seconds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--devices", type=int, help="so many of them; more are made where there are fewer")
        parser.add_argument("--rate", type=float, help="messages a second, all together (default: each at its profile's pace)")
        parser.add_argument(
            "--protocol",
            choices=["own", *sorted(DOORS)],
            default="own",
            help="own (the default): each by the one of its kind; lorawan and sms: those devices alone that have a radio or a number",
        )
        parser.add_argument("--faults", default=",".join(Fault), help="what some of them suffer from; empty: nothing")
        parser.add_argument("--faulty", type=float, default=FAULTY, help=f"the share of devices with a fault (default {FAULTY:g})")
        parser.add_argument("--seconds", type=float, help="stop after so long")
        parser.add_argument("--url", default=f"http://127.0.0.1:{os.environ.get('KHAREETATY_PORT') or 8000}")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            faults = faults_from(options["faults"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        if options["rate"] is not None and options["rate"] <= 0:
            raise CommandError("--rate is above nothing.")
        wanted, protocol, has_broker = options["devices"], options["protocol"], sensor_port() is not None
        if protocol == "mqtt" and not has_broker:
            raise CommandError("There is no broker for sensors beside this installation.")
        chosen: dict[str, Any] = {"faults": faults, "share": options["faulty"], "protocol": protocol, "has_broker": has_broker}
        devices = synthetic(keys=known_keys(), **chosen)
        missing = (wanted or 0) - len(devices)
        if missing > 0:
            region = Region.objects.get(is_default=True)
            made = add_devices(missing, region=region, profile=PROFILE_OF.get(protocol, ""))
            self.stdout.write(f"making {made:,} synthetic devices")
            devices = synthetic(keys=known_keys(), **chosen)
        if not devices:
            raise CommandError("There are no synthetic devices: say how many with --devices.")
        words = open_doors({device.pk: device.protocol for device in devices[:wanted]})
        devices = synthetic(keys=known_keys(), words=words, **chosen)[:wanted]  # with what they were given
        driver = Driver(devices, lambda: Each(options["url"]), rate=options["rate"])
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write(f"{len(devices):,} synthetic devices, {driver.rate:.2g} messages a second by {options['protocol']}")
        self.stdout.write(str(driver.run(stop, seconds=options["seconds"])))
