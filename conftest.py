"""A small cast, on real services: one region with two governorates, three areas, two agencies, one person of each role."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.gis.geos import MultiPolygon, Point, Polygon
from redis import Redis

from accounts.models import Agency, User
from accounts.roles import Role
from geography.models import Region, Zone
from geography.services import rebuild_pieces
from incidents.models import Incident, IncidentType, Source
from incidents.services import open_incident

pytest_plugins = [
    "tests.database",
    "tests.live_server",
    "tests.wire",
    "iot.tests.sensing",
    "iot.tests.watching",
    "iot.tests.fleet",
    "interop.tests.iot_cast",
    "patrol.tests.force",
    "patrol.tests.planning",
    "alerts.tests.alerting",
    "alerts.tests.servers.fixtures",
]

# A property that fails, fails each time and for everybody; `HYPOTHESIS_PROFILE=explore make test` looks for new examples.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
hypothesis.settings.register_profile("explore", deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# Playwright's synchronous driver runs a loop in the thread that also uses the ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(autouse=True)
def _own_cache(request: pytest.FixtureRequest, settings: Any) -> None:
    """Each test keeps its cache apart from the others' (clearing it would empty the whole Redis); passwords are hashed quickly."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": f"test-{uuid4().hex}"}}
    settings.RATE_LIMIT_PREFIX = f"limit-{uuid4().hex}"
    settings.IOT_STREAM_PREFIX = f"iot-{uuid4().hex}"
    settings.IOT_DEVICES_KNOWN_S = 0
    settings.KEYS_KNOWN_S = 0  # what a test does to a key holds in its next line; tests/test_key_faults.py goes by the product's own
    settings.REQUEST_LOG_EVERY_S = 0  # no thread that writes beside the test: it asks for what it wants written
    if "live_site" in request.fixturenames:
        live = f"live-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"  # what this process's own web process keeps
        with Redis.from_url(settings.REDIS_URL) as redis:
            for key in redis.scan_iter(f"{live}:*", count=10_000):
                redis.delete(key)


@pytest.fixture
def this_minute(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """``NOW`` in the asking module is when this test began: when the module was read may be most of an hour ago, and yesterday."""
    monkeypatch.setattr(request.module, "NOW", datetime.now(UTC).replace(second=0, microsecond=0))


def square(west: float, south: float, east: float, north: float) -> MultiPolygon:
    return MultiPolygon(Polygon.from_bbox((west, south, east, north)), srid=4326)


@dataclass
class Places:
    """Two governorates side by side: Hawalli (47.9-48.0 E) with Salmiya and Jabriya, Capital (47.8-47.9 E) with Sharq; 29.3-29.4 N."""

    region: Region
    hawalli: Zone
    capital: Zone
    salmiya: Zone
    jabriya: Zone
    sharq: Zone
    in_salmiya: Point = field(default_factory=lambda: Point(47.92, 29.35, srid=4326))
    in_jabriya: Point = field(default_factory=lambda: Point(47.97, 29.35, srid=4326))
    in_sharq: Point = field(default_factory=lambda: Point(47.85, 29.35, srid=4326))
    at_sea: Point = field(default_factory=lambda: Point(48.9, 29.35, srid=4326))


@pytest.fixture
def places(db: None) -> Places:
    region, _ = Region.objects.update_or_create(
        code="kw", defaults={"name_en": "Kuwait", "name_ar": "الكويت", "time_zone": "Asia/Kuwait", "metric_srid": 32638, "is_default": True}
    )
    Zone.objects.filter(region=region).update(is_active=False)

    def zone(level: str, code: str, en: str, ar: str, box: tuple[float, float, float, float], parent: Zone | None) -> Zone:
        boundary = square(*box)
        return Zone(
            region=region,
            level=level,
            code=code,
            name_en=en,
            name_ar=ar,
            boundary=boundary,
            label_point=boundary.point_on_surface,
            parent=parent,
        )

    # A row at a time, this scene and the cast took longer than most of the tests that ask for it.
    [country] = Zone.objects.bulk_create([zone("country", "T-KW", "Kuwait", "الكويت", (47.8, 29.3, 48.0, 29.4), None)])
    hawalli, capital = Zone.objects.bulk_create(
        [
            zone("governorate", "T-HA", "Hawalli", "حولي", (47.9, 29.3, 48.0, 29.4), country),
            zone("governorate", "T-KU", "Capital", "العاصمة", (47.8, 29.3, 47.9, 29.4), country),
        ]
    )
    salmiya, jabriya, sharq = Zone.objects.bulk_create(
        [
            zone("area", "T-SAL", "Salmiya", "السالمية", (47.9, 29.3, 47.95, 29.4), hawalli),
            zone("area", "T-JAB", "Jabriya", "الجابرية", (47.95, 29.3, 48.0, 29.4), hawalli),
            zone("area", "T-SHA", "Sharq", "شرق", (47.8, 29.3, 47.9, 29.4), capital),
        ]
    )
    rebuild_pieces(zone_ids=Zone.objects.values_list("pk", flat=True))
    return Places(region, hawalli, capital, salmiya, jabriya, sharq)


@dataclass
class Cast:
    """Police and fire; people of the police see Hawalli unless their name says otherwise."""

    police: Agency
    fire: Agency
    superadmin: User
    supervisor: User
    analyst: User
    dispatcher: User
    officer: User
    auditor: User
    stranger: User  # an officer of the police who sees the Capital only
    firefighter: User  # a dispatcher of the fire service, every governorate


PASSWORD = "correct horse battery staple"
_hashed = functools.cache(make_password)  # a slow hash on purpose: ten people a test would take three seconds


@pytest.fixture
def cast(places: Places) -> Cast:
    police, _ = Agency.objects.get_or_create(slug="police", defaults={"kind": "police", "name_en": "Police", "name_ar": "الشرطة"})
    fire, _ = Agency.objects.get_or_create(slug="fire", defaults={"kind": "fire", "name_en": "Fire", "name_ar": "الإطفاء"})

    seen: dict[str, list[Zone]] = {}  # by username

    def person(username: str, role: str, agency: Agency | None, governorates: list[Zone] | None, *, all_agencies: bool = False) -> User:
        seen[username] = governorates or []
        return User(
            username=username,
            role=role,
            agency=agency,
            sees_all_agencies=all_agencies,
            sees_all_governorates=governorates is None,
            language="en",
            password=_hashed(PASSWORD),
        )

    here = [places.hawalli]
    people = User.objects.bulk_create(
        [
            person("root", Role.SUPERADMIN, None, None, all_agencies=True),
            person("supervisor", Role.SUPERVISOR, police, here),
            person("analyst", Role.ANALYST, police, here, all_agencies=True),
            person("dispatcher", Role.DISPATCHER, police, here),
            person("officer", Role.OFFICER, police, here),
            person("auditor", Role.AUDITOR, None, None, all_agencies=True),
            person("stranger", Role.OFFICER, police, [places.capital]),
            person("firefighter", Role.DISPATCHER, fire, None),
        ]
    )
    Sees = User.governorates.through
    Sees.objects.bulk_create([Sees(user_id=one.pk, zone_id=zone.pk) for one in people for zone in seen[one.username]])
    return Cast(police, fire, *people)


@pytest.fixture
def burglary(cast: Cast) -> IncidentType:
    return IncidentType.objects.get_or_create(
        code="burglary",
        defaults={"name_en": "Burglary", "name_ar": "سرقة منزل", "category": "property", "agency": cast.police, "default_priority": 2},
    )[0]


@pytest.fixture
def police_112(cast: Cast, places: Places) -> Source:
    return Source.objects.get_or_create(slug="test-112", defaults={"name": "112", "agency": cast.police, "region": places.region})[0]


@pytest.fixture
def report(police_112: Source, burglary: IncidentType, places: Places) -> Callable[..., Incident]:
    """``report()`` opens one burglary in Salmiya an hour ago; any argument of ``open_incident`` may be given."""
    count = 0

    def make(**given: Any) -> Incident:
        nonlocal count
        count += 1
        details: dict[str, Any] = {
            "source": police_112,
            "type": burglary,
            "occurred_at": datetime.now(UTC) - timedelta(hours=1),
            "kind": "moi-incident",
            "raw": {"n": count},
            "by": None,
            "external_id": f"M-{count}",
            "location": places.in_salmiya,
        }
        return open_incident(**{**details, **given}).incident

    return make
