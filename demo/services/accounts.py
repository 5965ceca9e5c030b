"""The demo's people and keys. Their secrets are random, made once, and kept in files only their owner reads."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from accounts.models import Agency, User
from accounts.roles import Role
from core import audit
from deploy.local.layout import write_private
from geography.models import Region, Zone
from interop.models import Kind, Partner
from interop.services import issue_key


class Person(NamedTuple):
    role: Role
    agency: str | None
    governorates: tuple[str, ...] | None


# The officer and the dispatcher show what jurisdiction means: one agency, the officer two governorates only.
PEOPLE = (
    Person(Role.SUPERADMIN, None, None),
    Person(Role.SUPERVISOR, None, None),
    Person(Role.ANALYST, None, None),
    Person(Role.DISPATCHER, "police", None),
    Person(Role.OFFICER, "police", ("KW-HA", "KW-KU")),
    Person(Role.AUDITOR, None, None),
)
DESK = "simulator-desk"
SIMULATED = ("police", "traffic", "fire", "ems", "municipality")


def accounts_file() -> Path:
    return Path(settings.VAR_DIR) / "demo-accounts.json"


def simulator_file() -> Path:
    return Path(settings.VAR_DIR) / "simulator-keys.json"


def desk_file() -> Path:
    return Path(settings.VAR_DIR) / "simulator-desk.json"


def create_simulator_desk() -> bool:
    """The supervisor whom the simulated units' desk signs in as; returns whether they were made. Nobody else knows the password."""
    if User.objects.filter(username=DESK).exists():
        return False
    password = secrets.token_urlsafe(24)
    with transaction.atomic():
        user = User(
            username=DESK,
            full_name="Simulator · desk",
            role=Role.SUPERVISOR,
            sees_all_agencies=True,
            sees_all_governorates=True,
            language=User.Language.ENGLISH,
        )
        user.set_password(password)
        user.save()
        audit.record("demo.desk", obj=user)
        write_private(desk_file(), json.dumps({"username": DESK, "password": password}))
    return True


def create_demo_accounts() -> bool:
    """Make one account a role and one partner key; returns whether anything was made. Existing accounts stay untouched."""
    if User.objects.filter(username__in=[person.role.value for person in PEOPLE]).exists():
        return False
    with transaction.atomic():
        listed: list[dict[str, Any]] = [_person(person) for person in PEOPLE]
        partner = _partner("demo-partner", "Demonstration partner", "municipality")
        api_key = _key(partner, ["incidents:read", "incidents:write", "patrol:read"])
        listed.append({"role": Role.PARTNER.value, "username": partner.slug, "api_key": api_key})
        keys = {
            slug: _key(_partner(f"simulator-{slug}"[:24], f"Simulator · {slug}", slug), ["incidents:write", "telemetry:write"])
            for slug in SIMULATED
        }
        audit.record("demo.accounts", after={"usernames": [entry["username"] for entry in listed if "username" in entry]})
        # Written before the commit: an account whose password nobody knows must not remain.
        write_private(simulator_file(), json.dumps(keys, indent=2))
        write_private(accounts_file(), json.dumps(listed, indent=2))
    return True


def _person(person: Person) -> dict[str, Any]:
    password = secrets.token_urlsafe(15)
    user = User(
        username=person.role.value,
        full_name=f"Demo {person.role.value}",
        role=person.role,
        agency=Agency.objects.get(slug=person.agency) if person.agency else None,
        sees_all_agencies=person.agency is None,
        sees_all_governorates=person.governorates is None,
        language=User.Language.ENGLISH,
    )
    user.set_password(password)
    user.save()
    if person.governorates is not None:
        user.governorates.set(Zone.objects.level(Zone.Level.GOVERNORATE).filter(code__in=person.governorates))
    return {"role": person.role.value, "username": user.username, "password": password}


def _partner(slug: str, name: str, agency: str) -> Partner:
    facts = {
        "name": name,
        "agency": Agency.objects.get(slug=agency),
        "region": Region.objects.get(is_default=True),
        "kinds": list(Kind.values),
        "is_synthetic": True,
    }
    return Partner.objects.get_or_create(slug=slug, defaults=facts)[0]


def _key(partner: Partner, scopes: list[str]) -> str:
    return issue_key(partner=partner, name="demo", scopes=scopes, by=None, all_governorates=True)[1]
