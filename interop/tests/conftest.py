"""The partners of the cast: the police's own system, and how to call the API as they do."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from django.test import Client

from interop.messages import MESSAGES
from interop.models import Kind, Partner, PartnerKey
from interop.services import issue_key
from interop.services.feeds import forget


@pytest.fixture(autouse=True)
def _fresh_feeds():
    forget()


@pytest.fixture
def police_system(cast, places) -> Partner:
    return Partner.objects.create(slug="police-cad", name="Police CAD", agency=cast.police, region=places.region, kinds=Kind.values)


@dataclass
class Caller:
    """A partner's system: it posts JSON and reads the answer."""

    key: PartnerKey
    secret: str

    def headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"X-API-Key": self.secret, **more}

    def post(self, path: str, body: Any, raw: bool = False, content_type: str = "application/json", **headers: str) -> Any:
        data = body if raw else orjson.dumps(body)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        client = Client(raise_request_exception=False)
        return client.post(f"/api/v1/{path}", data, content_type=content_type, headers=self.headers(names))

    def get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        return Client(raise_request_exception=False).get(f"/api/v1/{path}", params or {}, headers=self.headers({}))


@pytest.fixture
def caller(police_system) -> Caller:
    key, secret = issue_key(
        partner=police_system, name="test", scopes=["incidents:write", "incidents:read"], by=None, all_governorates=True
    )
    return Caller(key, secret)


@pytest.fixture
def burglary_report(places) -> dict[str, Any]:
    """A well-formed MOI report of a burglary in Salmiya."""
    return message(Kind.MOI_INCIDENT, places)


def message(kind: str, places: Any, **changes: Any) -> dict[str, Any]:
    """The documented example of ``kind``, moved into the test's Salmiya."""
    body = copy.deepcopy(MESSAGES[kind].example)
    body["location"] = {"longitude": places.in_salmiya.x, "latitude": places.in_salmiya.y}
    return {**body, **changes}
