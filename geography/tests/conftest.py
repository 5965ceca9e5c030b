"""Kuwait from the gazetteer, drawn once for a module (it takes seconds) and rolled back after it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from geography.models import Region
from geography.services import load_gazetteer

SHARED = Path(os.environ.get("KHAREETATY_SHARED") or Path(settings.BASE_DIR).parent / "shared") / "data"


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"the shared file {name} is not here")
    return path


@pytest.fixture(scope="module")
def _drawn(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        load_gazetteer()
        yield
        transaction.set_rollback(True)


@pytest.fixture
def kuwait(_drawn, db) -> Region:
    return Region.objects.get(code="kw")


@pytest.fixture(scope="session")
def neighbourhoods() -> list[dict]:
    return json.loads(shared("kuwait-geo/neighbourhoods.geojson").read_text(encoding="utf-8"))["features"]
