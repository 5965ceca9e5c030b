"""INT-5, "Bad input" on the real server: the API's pages in a real browser, and bodies that are too large, announced or not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from django.db import connection

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("path", "landmark"), [("docs", ".opblock-summary"), ("redoc", "[data-role=redoc-summary], h1, h2")])
def test_the_documents_pages_work_under_the_policy_and_ask_no_other_host(page, live_site, path, landmark):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/api/v1/{path}")
    page.wait_for_selector(landmark, timeout=30_000)
    # The first operation: so many of them are drawn only as one comes to them.
    page.wait_for_function("() => document.body.innerText.includes('ambulance-deployment')", timeout=30_000)
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith((live_site.url, "data:", "blob:"))] == []


def test_fifty_megabytes_are_refused_whether_announced_or_not(live_site):
    def drip() -> Iterator[bytes]:
        for _ in range(50):
            yield b" " * 2**20

    for content in (b" " * (50 * 2**20), drip()):
        answer = httpx.post(f"{live_site.url}/api/v1/ingest/moi-incident", content=content, timeout=60)
        assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert httpx.get(f"{live_site.url}/livez").status_code == 200


def test_a_form_is_no_larger_than_what_is_held_in_memory(live_site):
    """What plate readers send touches no disk. Below the limit the caller is looked at first: nobody."""
    for size, status in ((6 * 2**20, 413), (2**20, 401)):
        form = {"upload": ("p.jpg", b"x" * size, "image/jpeg")}
        answer = httpx.post(f"{live_site.url}/api/v1/iot/lpr-hits", data={"json": "{}"}, files=form, timeout=60)
        assert answer.status_code == status


@pytest.mark.django_db(transaction=True)
def test_a_database_that_hung_up_is_asked_anew_and_nobody_notices(live_site):
    with httpx.Client(base_url=live_site.url, timeout=30) as client:
        assert [client.get("/readyz").status_code for _ in range(15)] == [200] * 15
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query NOT LIKE 'LISTEN%%'"
            )
            assert cursor.fetchone()[0] >= 1
        time.sleep(0.5)
        assert [client.get("/readyz").status_code for _ in range(15)] == [200] * 15
