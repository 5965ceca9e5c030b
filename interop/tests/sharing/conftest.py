"""One of each side who may share, an agreement to sign, a system that reads."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from incidents.models import IncidentType, Source
from interop.models import Part, Partner, Precision
from interop.services import issue_key
from interop.services.sharing import AgreementTerms, propose_agreement, sign_agreement
from interop.services.sharing.reads import writer
from interop.tests.conftest import Caller

EVERYTHING = tuple(Part.values)


@pytest.fixture(autouse=True)
def _nothing_waits():
    """What other tests read waits in memory, and is not of this one."""
    writer._waiting.clear()


def person(name, agency, role=Role.SUPERVISOR, places=None):
    user = User.objects.create(username=name, role=role, agency=agency, sees_all_governorates=places is None)
    user.governorates.set(places or [])
    return user


@pytest.fixture
def chiefs(cast):
    """One of each side who may share: the police give, the fire service receives."""
    return person("police-chief", cast.police), person("fire-chief", cast.fire)


@pytest.fixture
def fire_system(cast, places):
    return Partner.objects.create(slug="fire-cad", name="Fire CAD", agency=cast.fire, region=places.region)


@pytest.fixture
def fire_key(fire_system):
    def make(precision=Precision.EXACT, governorates=(), scopes=("incidents:read",)):
        return Caller(
            *issue_key(
                partner=fire_system, name="pull", scopes=list(scopes), by=None, governorates=governorates,
                all_governorates=not governorates, precision=precision,
            )
        )  # fmt: skip

    return make


@pytest.fixture
def terms(cast):
    def make(**changes):
        now = timezone.now()
        usual = {
            "title": "Burglaries for the fire service", "purpose": "Joint response, decree 7", "giver": cast.police, "receiver": cast.fire,
            "starts_at": now - timedelta(minutes=1), "ends_at": now + timedelta(days=30), "all_types": True, "all_governorates": True,
            "parts": EVERYTHING, "precision": Precision.EXACT,
        }  # fmt: skip
        return AgreementTerms(**{**usual, **changes})

    return make


@pytest.fixture
def agreed(terms, chiefs):
    """``agreed(precision="area", parts=["place"])``: an agreement that both have signed."""

    def make(**changes):
        giver, receiver = chiefs
        agreement = propose_agreement(terms=terms(**changes), by=giver)
        sign_agreement(agreement=agreement, version=1, by=giver)
        return sign_agreement(agreement=agreement, version=1, by=receiver)

    return make


@pytest.fixture
def fire_report(cast, places, report):
    source = Source.objects.create(slug="fire-112", name="Fire", agency=cast.fire, region=places.region)
    kind = IncidentType.objects.create(code="car-fire", name_en="Car fire", name_ar="حريق مركبة", category="fire", agency=cast.fire)
    return lambda **given: report(**{"source": source, "type": kind, **given})
