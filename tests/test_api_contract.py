"""INT-5: the API does what its document says. Asked by somebody else's client, Schemathesis: no 5xx, no answer outside its schema.

The short walk goes over what partners pull, in `make test`. The whole API, in every phase, as a key, as two people and as nobody, with
a row of everything to be found, is in `make test-faults`; one slice of it is
``make test-faults ARGS="tests/test_api_contract.py -m faults -k 'key and reads'"``, and ``KHAREETATY_WALK='^/api/v1/iot/'`` before it
leaves all other addresses out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from redis import Redis

from alerts.models import Alert, AlertRule
from interop.models import BatchJob, Kind, Partner, RatePlan, Scope, WebhookSubscription
from interop.services import issue_key
from iot.models import Device, DeviceNetwork
from iot.tests.asking import Askable, rows_to_ask
from patrol.models import RoadNetwork
from tests.test_admin_walk import one_of_each

__all__ = ["one_of_each"]  # a fixture

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
TOKEN = "abcdefghijklmnopqrstuvwxyz012345"
# A story is told by all methods together: what one call makes, the next reads and changes; there is no end to them but the clock.
SLICES = {
    "reads": [
        *(part for method in ("POST", "PUT", "PATCH", "DELETE") for part in ("--exclude-method", method)),
        "--phases",
        "examples,coverage,fuzzing",
        "-n",
        "5",
    ],
    "writes": ["--exclude-method", "GET", "--phases", "examples,coverage,fuzzing", "-n", "5"],
    "stories": ["--phases", "stateful", "-n", "5", "--max-time", "300"],
}
ONLY = ["--include-path-regex", walk] if (walk := os.environ.get("KHAREETATY_WALK", "")) else []
SENSORS = "^/api/v1/iot/"
SPEAKERS = ["water", "air", "camera", "plates", *DeviceNetwork.Kind.values]


def explore(site, folder, headers, *arguments):
    """Ask by the committed document; the client's own report where it found something."""
    command = [
        str(Path(sys.executable).with_name("st")), "run", str(settings.BASE_DIR / "docs/openapi.yaml"), "--url", site.url,
        "--checks", ",".join(CHECKS), "--generation-deterministic", "--continue-on-failure", "--no-shrink",
        "--suppress-health-check", "all", "--no-color", "--generation-with-security-parameters", "false",
        *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")), *arguments,
    ]  # fmt: skip
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
    told = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1_500, check=False)
    asked = re.search(r"(\d+) generated", told.stdout)
    assert told.returncode == 0, told.stdout[-12_000:] + told.stderr[-2_000:]
    assert asked and int(asked[1]) > 0, told.stdout
    return int(asked[1])


def known_values(folder, incident, asked_of):
    """What is there to be found, in the client's own settings: without it nearly every address it makes up leads to nothing."""
    words = {
        "ref": [incident.ref],
        "code": [*AlertRule.objects.values_list("code", flat=True), incident.type.code, *asked_of.codes],
        "zone": ["T-SAL", "T-HA"],
        "slug": [incident.source.slug, "contract"],
        "model": ["hotspots", "risk", "forecast"],
        "name": ["incidents", "hotspots", "zones", "alerts"],
        "fid": ["1", incident.ref],
        "identifier": [f"{key}.1" for key in Alert.objects.values_list("key", flat=True)],
        "uid": [str(uid) for uid in WebhookSubscription.objects.values_list("uid", flat=True)],
    }
    numbers = {**{name: [1, 2, 3, "1"] for name in ("id", "unit", "before", "method")}, "column": [3156, 3157], "row": [12991]}
    asked = {
        "governorate": ["T-HA"], "agency": ["police"], "region": ["kw"], "bbox": ["47.8,29.3,48.0,29.4"],
        "metric": ["pressure", "temperature"], "device": asked_of.codes, "group": [asked_of.group],
    }  # fmt: skip
    lines = []
    for place, known, share in (("path", {**words, **numbers}, 0.7), ("query", asked, 0.5)):
        for name, values in known.items():
            lines.append(f"[dictionaries.{place}_{name}]\nvalues = {json.dumps(values)}")
            lines.append(f'[parameters."{place}.{name}"]\ndictionary = "{place}_{name}"\nprobability = {share}')
    (folder / "schemathesis.toml").write_text("\n".join(lines))


@contextmanager
def nobody_waits():
    """People are held to their rate as in earnest; here the buckets are emptied all the time, so that calls are answered."""
    over = threading.Event()
    prefix = f"live-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}:limit"

    def empty():
        with Redis.from_url(settings.REDIS_URL) as redis:
            while not over.wait(0.2):
                for key in redis.scan_iter(f"{prefix}*"):
                    redis.delete(key)

    thread = threading.Thread(target=empty, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def key_of(cast, places):
    plan = RatePlan.objects.create(name="Contract", per_minute=600_000, burst=600_000)
    partner = Partner.objects.create(
        slug="contract", name="Contract", agency=cast.police, region=places.region, kinds=Kind.values, rate_plan=plan
    )
    key, secret = issue_key(partner=partner, name="c", scopes=list(Scope.values), by=None, all_governorates=True)
    BatchJob.objects.update(key=key)
    WebhookSubscription.objects.update(key=key, partner=partner)
    return {"X-API-Key": secret}


def person(user):
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN}


@pytest.fixture
def asked_of(cast, places, one_of_each) -> Askable:
    return rows_to_ask(cast, places, Device.objects.get(code="W-1"))


@pytest.mark.django_db(transaction=True)
def test_what_partners_pull_is_what_the_document_says(live_site, tmp_path, cast, places, report):
    report()
    # The same few each time, however busy the machine is.
    explore(live_site, tmp_path, key_of(cast, places), "--include-path-regex", "^/api/v1/external/", "-n", "2", "--phases", "fuzzing")


@pytest.mark.faults
@pytest.mark.django_db(transaction=True, reset_sequences=True)
@pytest.mark.parametrize("role", ["key", "superadmin", "dispatcher", "nobody"])
@pytest.mark.parametrize("what", SLICES)
def test_the_whole_api_is_what_the_document_says(live_site, tmp_path, cast, places, one_of_each, asked_of, role, what):
    headers = {"key": lambda: key_of(cast, places), "nobody": dict}.get(role, lambda: person(getattr(cast, role)))()
    RoadNetwork.objects.all().delete()  # a row for the command centre, with no roads in it
    known_values(tmp_path, one_of_each, asked_of)
    with nobody_waits():
        asked = explore(live_site, tmp_path, headers, *SLICES[what], *ONLY)
    assert asked > 100


@pytest.mark.faults
@pytest.mark.django_db(transaction=True, reset_sequences=True)
@pytest.mark.parametrize("speaker", SPEAKERS)
def test_what_devices_and_their_networks_are_answered_is_what_the_document_says(live_site, tmp_path, one_of_each, asked_of, speaker):
    known_values(tmp_path, one_of_each, asked_of)
    with nobody_waits():
        asked = explore(live_site, tmp_path, asked_of.headers[speaker], *SLICES["writes"], "--include-path-regex", SENSORS)
    assert asked > 100
