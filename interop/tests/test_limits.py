"""INT-2: limits by partner, exact across processes; 429 says when to come back; intake goes on without Redis; every call in the log.
INT-1: what each key did by day."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client

from core.limits import Limiter, Rate, limiter
from core.partitions import Days
from interop.models import KeyUsage, Partner, RateOverride, RatePlan, RequestLog
from interop.scopes import Scope
from interop.services import issue_key
from interop.services.limits import INTAKE, PARTNERS, count_call, forget_plans
from interop.services.request_log import DAYS, Call, RequestLogWriter, count_usage, keep_log, writer
from interop.tests.conftest import Caller, message

pytestmark = pytest.mark.django_db
AWAY = "redis://127.0.0.1:1/0"
SLOW = {"per_minute": 1, "burst": 3}  # a minute to a call: nothing is filled again while a test runs


@pytest.fixture(autouse=True)
def _fresh():
    forget_plans()
    limiter._away_until = 0.0
    limiter._local.clear()
    writer._waiting.clear()
    yield
    limiter._away_until = 0.0
    writer._waiting.clear()


@pytest.fixture
def slow_plan(police_system) -> RatePlan:
    plan = RatePlan.objects.create(name="Slow", **SLOW)
    Partner.objects.filter(pk=police_system.pk).update(rate_plan=plan)
    police_system.refresh_from_db()
    return plan


# --- limits --------------------------------------------------------------------------------------------------------------------------


def test_a_hundred_a_minute_unless_a_plan_says_otherwise_and_more_for_what_is_sent(caller):
    assert (PARTNERS.per_minute, PARTNERS.burst) == (100, 100)
    read = caller.get("incidents")
    assert read["RateLimit-Policy"] == '"partner";q=100;w=60'
    assert read["RateLimit"].startswith('"partner";r=99;t=')
    assert count_call(caller=caller.key, scope="telemetry:write", address=None).answer.rate == INTAKE[Scope.TELEMETRY_WRITE]
    assert INTAKE[Scope.TELEMETRY_WRITE].per_minute >= 60 * 400  # what the positions' benchmark sends


def test_the_call_over_the_limit_is_told_when_to_come_back(caller, slow_plan):
    answers = [caller.get("incidents") for _n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused["Content-Type"] == "application/problem+json" and refused.json()["request_id"]
    assert 50 <= int(refused["Retry-After"]) <= 61
    assert refused["RateLimit"].startswith('"partner";r=0;') and refused["RateLimit-Policy"] == '"partner";q=1;w=60;burst=3'


def test_a_second_key_is_no_second_allowance_and_another_partner_has_its_own(caller, slow_plan, police_system, cast, places):
    for _n in range(3):
        assert caller.get("incidents").status_code == 200
    twin = Caller(*issue_key(partner=police_system, name="2", scopes=["incidents:read"], by=None, all_governorates=True))
    assert twin.get("incidents").status_code == 429
    other = Partner.objects.create(slug="o", name="O", agency=cast.police, region=places.region, rate_plan=slow_plan)
    theirs = Caller(*issue_key(partner=other, name="o", scopes=["incidents:read"], by=None, all_governorates=True))
    assert theirs.get("incidents").status_code == 200


def test_a_scope_with_a_rate_of_its_own_is_counted_apart(caller, slow_plan, places):
    RateOverride.objects.create(plan=slow_plan, scope="incidents:write", per_minute=1, burst=1)
    body = message("moi-incident", places)
    assert caller.post("ingest/moi-incident", body).status_code == 201
    assert caller.post("ingest/moi-incident", body).status_code == 429
    assert caller.get("incidents").status_code == 200


def test_a_call_that_is_refused_for_its_scope_costs_nothing_and_people_have_their_own_limit(caller, slow_plan, cast):
    for _n in range(5):
        assert caller.get("hotspots").status_code == 403
    assert caller.get("incidents")["RateLimit"].startswith('"partner";r=2;')
    client = Client()
    client.force_login(cast.dispatcher, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/v1/incidents")["RateLimit-Policy"].startswith('"person";q=1200')


def test_a_call_for_help_is_never_held_against_a_limit(cast, force, monkeypatch):
    monkeypatch.setattr("interop.services.limits.PEOPLE", Rate(per_minute=1, burst=1))
    client = Client()
    client.force_login(cast.officer, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/v1/incidents").status_code == 200
    assert client.get("/api/v1/incidents").status_code == 429
    for _n in range(3):
        assert (
            client.post("/api/v1/patrol/sos", {"key": str(uuid4()), "is_silent": False}, content_type="application/json").status_code == 201
        )


def test_of_many_calls_at_once_exactly_the_allowed_number_goes_through(settings):
    rate = Rate(per_minute=1, burst=37)
    takers = [Limiter() for _n in range(4)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: takers[n % 4].take("crowd", rate), range(200)))
    assert sum(answer.allowed for answer in answers) == 37 and all(answer.is_exact for answer in answers)
    assert sorted(answer.left for answer in answers if answer.allowed) == list(range(37))


def test_the_bucket_is_filled_again_evenly():
    rate = Rate(per_minute=60_000, burst=2)
    assert [limiter.take("fast", rate).allowed for _n in range(2)] == [True, True]
    threading.Event().wait(0.1)
    assert limiter.take("fast", rate).left == 1


def test_without_redis_reads_are_counted_in_the_process_and_intake_goes_on(caller, slow_plan, places, settings):
    RateOverride.objects.create(plan=slow_plan, scope="incidents:write", per_minute=1, burst=1)
    settings.REDIS_URL = AWAY
    assert [caller.get("incidents").status_code for _n in range(4)] == [200, 200, 200, 429]
    answers = [caller.post("ingest/moi-incident", message("moi-incident", places, report_number=f"R-{n}")) for n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert Client().get("/readyz").json()["limits"] == "per process"


def test_while_redis_is_away_nobody_waits_for_it_again_and_again(settings):
    settings.REDIS_URL = AWAY
    taker = Limiter()
    assert not taker.take("a", PARTNERS).is_exact
    asked = taker._away_until
    taker.take("a", PARTNERS)
    assert taker._away_until == asked and not taker.is_exact


# --- the log -------------------------------------------------------------------------------------------------------------------------


def test_every_call_is_logged_without_what_it_carried(caller, report, cast):
    keep_log()
    incident = report()
    secret_ref = incident.ref
    caller.get(f"incidents/{secret_ref}", {"q": "a-name-of-somebody"})
    Client().get("/api/v1/incidents", headers={"X-API-Key": "wrong.key"})
    Client().get("/api/v1/nowhere/at/all")
    assert writer.flush() == 3
    good, wrong, nowhere = RequestLog.objects.order_by("id")
    assert (good.route, good.status, good.key_id, good.agency_id) == ("api/v1/incidents/<str:ref>", 200, caller.key.pk, cast.police.pk)
    assert good.ms > 0 and good.bytes_out > 100 and good.address == "127.0.0.1" and len(good.request_id) >= 8
    assert (wrong.status, wrong.key_id, nowhere.status) == (401, None, 404)
    everything = str(list(RequestLog.objects.values()))
    assert secret_ref not in everything and "somebody" not in everything and "nowhere" not in everything


def test_a_key_refused_for_its_network_or_its_limit_is_named_in_the_log(caller, slow_plan):
    for _n in range(4):
        caller.get("incidents")
    type(caller.key).objects.filter(pk=caller.key.pk).update(networks=["10.0.0.0/8"])
    caller.get("incidents")
    writer.flush()
    assert list(RequestLog.objects.order_by("id").values_list("status", "key_id"))[-2:] == [(429, caller.key.pk), (403, caller.key.pk)]


def test_a_streamed_answer_is_logged_with_all_its_bytes(rf):
    from django.http import StreamingHttpResponse

    from interop.middleware import ApiMiddleware

    answer: Any = ApiMiddleware(lambda request: StreamingHttpResponse(iter([b"abc", b"defg"])))(rf.get("/api/v1/anything.csv"))
    assert not writer._waiting
    assert b"".join(answer.streaming_content) == b"abcdefg"
    answer.close()
    assert [call.bytes_out for call in writer._waiting] == [7]


def _call(at: datetime, **changes) -> Call:
    facts = {"request_id": "r" * 8, "key_id": None, "partner_id": None, "user_id": None, "agency_id": None, "caller": "", "method": "GET"}
    rest = {"route": "x", "status": 200, "ms": 1.0, "bytes_in": 0, "bytes_out": 1, "address": None}
    return Call(at=at, **{**facts, **rest, **changes})


def test_what_the_database_refuses_to_take_waits_and_the_oldest_go_first():
    held = RequestLogWriter()
    held.note(_call(datetime.now(UTC), method="MUCH-TOO-LONG"))
    held.note(_call(datetime.now(UTC)))
    with pytest.raises(psycopg.DataError), transaction.atomic():
        held.flush()
    assert len(held._waiting) == 2 and held.dropped == 0


def test_days_are_made_ahead_strays_come_home_and_old_days_go(settings):
    now = datetime.now(UTC)
    writer.note(_call(now - timedelta(days=20)))
    writer.flush()
    assert DAYS.strays() == 1
    made = keep_log(now=now)["made"]
    assert (now - timedelta(days=20)).date() in made and now.date() in DAYS.there() and DAYS.strays() == 0
    settings.REQUEST_LOG_KEEP_DAYS = 10
    assert keep_log(now=now)["dropped"] == [(now - timedelta(days=20)).date()]
    assert RequestLog.objects.count() == 0
    assert isinstance(DAYS, Days)


def test_the_log_has_what_its_index_is_for():
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'interop_requestlog'")
        found = " ".join(row[0] for row in cursor.fetchall())
    assert "key_id, at" in found and "brin" in found and "request_id" in found


# --- what each key did ---------------------------------------------------------------------------------------------------------------


def test_the_use_of_a_key_by_day_is_counted_from_the_log(caller, cast):
    now = datetime.now(UTC)
    for n in range(100):
        status = 500 if n == 0 else 429 if n < 3 else 404 if n < 10 else 200
        writer.note(_call(now, key_id=caller.key.pk, status=status, ms=float(n + 1), bytes_out=10))
    writer.note(_call(now, key_id=None))
    writer.flush()
    assert count_usage(now=now) == 1 and count_usage(now=now) == 1  # counted again, not twice
    use = KeyUsage.objects.get()
    assert (use.calls, use.refused, use.limited, use.failed, use.bytes_out) == (100, 9, 2, 1, 1000)
    assert use.p95_ms == pytest.approx(95.05) and use.p50_ms == pytest.approx(50.5)
    root = Client()
    root.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    told = root.get(f"/api/v1/admin/api-keys/{caller.key.pk}/usage").json()
    assert told[0]["calls"] == 100 and told[0]["last_at"]
    for wrong in ("0", "401", "x", "-1"):
        assert root.get(f"/api/v1/admin/api-keys/{caller.key.pk}/usage?days={wrong}").status_code == 422
