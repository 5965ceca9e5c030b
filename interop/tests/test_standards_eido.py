"""INT-6: incidents as NENA EIDO, judged by NENA's own schema."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.test import Client

from interop.models import Precision
from interop.services import issue_key

EIDO = Path(os.environ.get("KHAREETATY_SHARED", "/nowhere")) / "data/iot-payloads/eido"


@pytest.fixture(scope="module")
def judge():
    """NENA's OpenAPI schema as a JSON schema; the NIEM parts it points to (people, vehicles) are not brought and take anything."""
    if not (EIDO / "eido_openapi.yaml").exists():
        pytest.skip("needs the shared data's eido_openapi.yaml")
    import yaml
    from jsonschema import Draft202012Validator, FormatChecker

    document = yaml.safe_load((EIDO / "eido_openapi.yaml").read_text(encoding="utf-8-sig"))

    def whole(part):
        if isinstance(part, dict):
            if "minItems" in part:  # stands as "1," in the published file
                part = {**part, "minItems": int(str(part["minItems"]).strip(","))}
            return {} if "nc.yaml" in str(part.get("$ref", "")) else {name: whole(one) for name, one in part.items()}
        return [whole(one) for one in part] if isinstance(part, list) else part

    schema = {"$ref": "#/components/schemas/EmergencyIncidentDataObjectType", "components": whole(document["components"])}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def read(police_system, ref, **given):
    made = {"partner": police_system, "name": "eido", "scopes": ["incidents:read"], "by": None, "all_governorates": True} | given
    secret = issue_key(**made)[1]
    return Client(raise_request_exception=False).get(f"/api/v1/eido/incidents/{ref}", headers={"X-API-Key": secret})


def test_an_incident_is_what_nenas_schema_asks_for(judge, police_system, report):
    told = read(police_system, report(description="Window & door\x0b broken", address_parts={"address_street": "Street 5"}).ref)
    assert told.status_code == 200 and "eido+json" in told["Content-Type"]
    document = told.json()
    assert list(judge.iter_errors(document)) == []
    place = document["locationComponent"][0]["locationByValue"]
    assert "29.35 47.92" in place and "Street 5" in place
    named = {part["$id"] for parts in document.values() if isinstance(parts, list) for part in parts}
    assert {one["$ref"] for one in document["incidentComponent"]["locationReference"]} <= named


def test_the_schema_takes_nenas_sample_and_refuses_a_broken_one(judge, police_system, report):
    assert list(judge.iter_errors(json.loads((EIDO / "sample_call_transfer_eido.json").read_text(encoding="utf-8-sig")))) == []
    document = read(police_system, report().ref).json()
    del document["agencyComponent"]
    assert list(judge.iter_errors(document)) != []


def test_made_up_data_says_so_and_less_precise_keys_are_told_less(police_system, report, places):
    incident = report(is_synthetic=True, description="Behind the school", address_parts={"address_street": "Street 5"})
    exact, grid, area = (read(police_system, incident.ref, precision=how).json() for how in Precision.values)
    assert exact["notesComponent"][0]["notesActionComments"].startswith("TEST") and len(exact["notesComponent"]) == 2
    for coarse in (grid, area):
        assert "Street 5" not in json.dumps(coarse) and "school" not in json.dumps(coarse)
    assert "gs:Circle" in grid["locationComponent"][0]["locationByValue"] and "47.92<" not in json.dumps(grid)
    assert "gml:pos" not in area["locationComponent"][0]["locationByValue"] and "Salmiya" in area["locationComponent"][0]["locationByValue"]


def test_a_foreign_reference_and_a_key_without_the_scope_are_refused(police_system, report, places):
    ref = report().ref
    assert read(police_system, ref, all_governorates=False, governorates=[places.capital]).status_code == 404
    assert read(police_system, "KW-26-99999999").status_code == 404
    assert read(police_system, "../x").status_code == 404
    assert read(police_system, ref, scopes=["alerts:read"]).status_code == 403
