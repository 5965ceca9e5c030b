"""INT-5: the API does what its document says. Asked by somebody else's client, Schemathesis: no 5xx, no answer outside its schema.

The short walk goes over what partners pull, in `make test`; the whole API as a key, as a person and as nobody is in `make test-faults`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from interop.models import Kind, Partner, Scope
from interop.services import issue_key

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
TOKEN = "abcdefghijklmnopqrstuvwxyz012345"


def explore(site, folder, headers, *arguments, seconds):
    """Ask by the committed document; the client's own report where it found something."""
    command = [
        str(Path(sys.executable).with_name("st")), "run", str(settings.BASE_DIR / "docs/openapi.yaml"), "--url", site.url,
        "--checks", ",".join(CHECKS), "--generation-deterministic", "--continue-on-failure", "--no-shrink", "--max-time", str(seconds),
        "--suppress-health-check", "all", "--no-color", "--generation-with-security-parameters", "false",
        *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")), *arguments,
    ]  # fmt: skip
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
    told = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds + 240, check=False)
    asked = re.search(r"(\d+) generated", told.stdout)
    assert told.returncode == 0, told.stdout[-12_000:] + told.stderr[-2_000:]
    assert asked and int(asked[1]) > 0, told.stdout
    return int(asked[1])


def key_of(cast, places):
    partner = Partner.objects.create(slug="contract", name="Contract", agency=cast.police, region=places.region, kinds=Kind.values)
    return {"X-API-Key": issue_key(partner=partner, name="c", scopes=list(Scope.values), by=None, all_governorates=True)[1]}


def person(user):
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN}


@pytest.mark.django_db(transaction=True)
def test_what_partners_pull_is_what_the_document_says(live_site, tmp_path, cast, places, report):
    report()
    # As many as there is time for: on a machine that is busy with other tests, a few.
    explore(
        live_site, tmp_path, key_of(cast, places), "--include-path-regex", "^/api/v1/external/", "-n", "1", "--phases", "fuzzing", seconds=8
    )


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", ["key", "superadmin", "dispatcher", "nobody"])
@pytest.mark.parametrize("what", ["reads", "writes"])
def test_the_whole_api_is_what_the_document_says(live_site, tmp_path, cast, places, report, role, what):
    report()
    headers = {"key": lambda: key_of(cast, places), "nobody": dict}.get(role, lambda: person(getattr(cast, role)))()
    asked = explore(
        live_site, tmp_path, headers, "--include-method" if what == "reads" else "--exclude-method", "GET", "-n", "5",
        "--phases", "examples,coverage,fuzzing,stateful", seconds=300,
    )  # fmt: skip
    assert asked > 100
