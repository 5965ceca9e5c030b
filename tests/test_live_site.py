"""OPS-1: the fixtures that drive the real product: a web process, a browser, a session."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def test_a_browser_reaches_the_running_product_on_the_tests_own_database(page, sign_in, cast, live_site):
    sign_in(page, cast.superadmin)
    page.goto("/admin/")
    assert "sessionid" in {cookie["name"] for cookie in page.context.cookies()}
    assert page.url == f"{live_site.url}/admin/"
