"""INT-5: the API's document is valid, up to date, and its pages keep to the policy with no other host."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import URLResolver, get_resolver
from openapi_spec_validator import validate

from interop.messages import OF_INCIDENTS


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((settings.BASE_DIR / "docs/openapi.yaml").read_text())


def test_the_committed_document_is_valid_openapi(document):
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_the_committed_document_is_what_the_code_says(tmp_path, document):
    call_command("spectacular", file=str(tmp_path / "now.yaml"), fail_on_warn=True)
    assert yaml.safe_load((tmp_path / "now.yaml").read_text()) == document


def test_each_kind_is_documented_with_its_fields_an_example_and_its_problems(document):
    for kind in OF_INCIDENTS:
        operation = document["paths"][f"/api/v1/ingest/{kind}"]["post"]
        content = operation["requestBody"]["content"]["application/json"]
        name = content["schema"]["$ref"].rsplit("/", 1)[1]
        assert all("description" in field or "allOf" in field for field in document["components"]["schemas"][name]["properties"].values())
        assert content["examples"]
        assert {"200", "201", "202", "400", "401", "403", "409", "413", "415", "422", "default"} <= set(operation["responses"])
        assert list(operation["responses"]["422"]["content"]) == ["application/problem+json"]
        assert operation["security"] == [{"X-API-Key": []}, {"Token": []}]


def views_below(resolver: Any) -> Iterator[Any]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from views_below(entry)
        elif (view := getattr(entry.callback, "cls", None)) is not None:
            yield view


def test_each_answer_that_comes_in_pages_is_documented_as_pages(document):
    operations = {told.get("operationId"): told for path in document["paths"].values() for method, told in path.items() if method == "get"}
    checked = 0
    for view in set(views_below(get_resolver())):
        get = getattr(view, "get", None)
        if get is None or not view.__module__.startswith("interop.") or "get_paginated_response" not in inspect.getsource(get):
            continue
        words = inspect.getsource(view)
        operation = next((told for name, told in operations.items() if f'operation_id="{name}"' in words), None)
        if operation is None:  # its id is made by a class it shares with others
            continue
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert "Paginated" in schema.get("$ref", ""), (view, schema)
        checked += 1
    assert checked > 10


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_the_documents_pages_allow_nothing_inline_and_no_other_host(page):
    answer = Client().get(f"/api/v1/{page}")
    policy = answer["Content-Security-Policy"]
    assert answer.status_code == 200
    assert "unsafe" not in policy and "http" not in policy
    assert b"style=" not in answer.content and b"//cdn" not in answer.content


def test_the_reader_asks_no_other_host_for_its_logo(db):
    script = Client().get("/api/v1/redoc.js")
    assert script.status_code == 200 and b"cdn.redoc.ly" not in script.content
