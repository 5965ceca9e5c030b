"""How these tests read what is shared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from django.test import Client

PATH = "external/incidents"


def rows(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def refs(answer):
    return [row["ref"] for row in rows(answer)]


def follow(caller, url):
    parts = urlsplit(url)
    return Client().get(f"{parts.path}?{parts.query}", headers=caller.headers({}))


def at(minutes):
    return datetime(2026, 3, 14, 12, 0, tzinfo=UTC) - timedelta(minutes=minutes)
