"""The limiter (``core.limits``): exact across processes, what a call costs, and what becomes of it while Redis is away.

First the limiter alone, in processes that do nothing else; then a key hammered through two web processes, and revoked in a third.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.own import Own, own_services
from benchmarks.report import Report
from deploy.local.services import Redis

ROOT = Path(__file__).resolve().parents[1]
SECTION = "Limits"
PROCESSES = 4
BURST = 5_000
SLOW = (1, BURST)  # a minute to a call: what passes is what the bucket holds, and perhaps one call more
FAST = (60_000, 100)  # a thousand a second
SECONDS = float(os.environ.get("KHAREETATY_BENCH_SECONDS", "20")) / 4
SETUP = """
from accounts.models import Agency
from geography.models import Region
from incidents.services.vocabulary import ensure_vocabulary
from interop.models import Partner, RatePlan
from interop.services import issue_key
ensure_vocabulary()
region, police = Region.objects.get(is_default=True), Agency.objects.get(slug="police")
plan = RatePlan.objects.get_or_create(name="Hammered", defaults={"per_minute": 1, "burst": 500})[0]
partner = Partner.objects.get_or_create(slug="hammered", defaults={"name": "Hammered", "agency": police, "region": region})[0]
Partner.objects.filter(pk=partner.pk).update(rate_plan=plan)
print("KEY", issue_key(partner=partner, name="bench", scopes=["incidents:read"], by=None, all_governorates=True)[1])
"""


def run(report: Report) -> None:
    with own_services("limits", "cache") as own:
        _alone(report, own.cache)
        _away(report, own.cache)
        _by_http(report, own)


# --- the limiter alone -------------------------------------------------------------------------------------------------------------------


def _hammer(redis_url: str, bucket: str, rate: tuple[int, int], processes: int, *, calls: int = 0, seconds: float = 0) -> list[Any]:
    """What each process saw that took from one bucket as fast as it could."""
    began_at = time.time() + 3  # all at once, when each is ready
    command = [sys.executable, "-m", "benchmarks.limits", bucket, *map(str, rate), str(calls), str(seconds), str(began_at)]
    takers = [
        subprocess.Popen(command, cwd=ROOT, env=os.environ | {"REDIS_URL": redis_url}, stdout=subprocess.PIPE, text=True)
        for _n in range(processes)
    ]
    return [json.loads(taker.communicate()[0]) for taker in takers]


def _alone(report: Report, redis: Redis) -> None:
    (one,) = _hammer(redis.url, "one", (600_000, 600_000), 1, calls=5_000)
    report.row(SECTION, "a call, one process, p50", one["p50_us"], "µs", f"p95 {one['p95_us']:.0f}, p99 {one['p99_us']:.0f} µs")
    report.row(SECTION, "processor time of a call", one["cpu_us"], "µs", "in the caller's process, its import apart")
    bucket = f"exact-{time.time_ns():x}"
    told = _hammer(redis.url, bucket, SLOW, PROCESSES, calls=BURST)
    passed = sum(one["passed"] for one in told)
    due = BURST + int((max(one["ended"] for one in told) - min(one["began"] for one in told)) / 60)
    how = f"{PROCESSES} processes take {BURST:,} times each from a bucket of {BURST:,}; {min(one['passed'] for one in told):,} to "
    report.row(SECTION, "passed of a bucket all share", passed, "calls", how + f"{max(one['passed'] for one in told):,} a process")
    report.row(SECTION, "took", sum(one["calls"] for one in told) / max(one["seconds"] for one in told), "calls/s", "all of them together")
    if not BURST <= passed <= due:
        raise AssertionError(f"{passed} passed, {due} may")
    bucket = f"refill-{time.time_ns():x}"
    told = _hammer(redis.url, bucket, FAST, PROCESSES, seconds=SECONDS)
    passed = sum(one["passed"] for one in told)
    span = max(one["ended"] for one in told) - min(one["began"] for one in told)
    may = FAST[1] + span * FAST[0] / 60
    report.row(SECTION, "passed of a bucket that is filled again", passed, "calls", f"at most {may:,.0f} may in {span:.1f} s")
    if passed > may + 1:
        raise AssertionError(f"{passed} passed, {may:.0f} may")


def _away(report: Report, redis: Redis) -> None:
    """Redis hangs (it takes connections and answers nothing), then is gone."""
    server = redis.server()
    assert server is not None
    os.kill(server, signal.SIGSTOP)
    try:
        told = _hammer(redis.url, "hangs", SLOW, 2, calls=BURST + 100)
    finally:
        os.kill(server, signal.SIGCONT)
    note = f"2 processes, {BURST + 100:,} calls each; {told[0]['passed']:,} and {told[1]['passed']:,} passed: each process counts by itself"
    report.row(SECTION, "Redis hangs: longest call", max(one["longest_ms"] for one in told), "ms", note)
    report.row(SECTION, "Redis hangs: a call, p50", told[0]["p50_us"], "µs", "it is asked again every two seconds, by one call")
    redis.stop()
    (gone,) = _hammer(redis.url, "gone", SLOW, 1, calls=BURST + 100)
    report.row(SECTION, "Redis gone: longest call", gone["longest_ms"], "ms", f"{gone['passed']:,} passed")
    redis.start()
    (back,) = _hammer(redis.url, "back", SLOW, 1, calls=10)
    if any(one["passed"] != BURST for one in (*told, gone)) or back["exact"] != 10:
        raise AssertionError("a process that counts by itself let another number pass than one bucket holds")


def take(bucket: str, per_minute: str, burst: str, calls: str, seconds: str, at: str) -> dict[str, Any]:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "khareetaty.settings")
    django.setup()
    from core.limits import Limiter, Rate

    limiter, rate = Limiter(), Rate(per_minute=int(per_minute), burst=int(burst))
    limiter.take(f"{bucket}-warm", rate)  # the connection
    limiter._away_until = 0.0
    took: list[float] = []
    passed = exact = 0
    time.sleep(max(0.0, float(at) - time.time()))
    began, started, spent = time.time(), time.perf_counter(), time.process_time()
    until = started + float(seconds)
    while len(took) < int(calls) or (not int(calls) and time.perf_counter() < until):
        sent = time.perf_counter()
        answer = limiter.take(bucket, rate)
        took.append(time.perf_counter() - sent)
        passed += answer.allowed
        exact += answer.is_exact
    spent = time.process_time() - spent
    ordered = sorted(took)

    def at_share(share: float) -> float:
        return ordered[int(len(ordered) * share)] * 1e6

    return {
        "calls": len(took), "passed": passed, "exact": exact, "began": began, "ended": time.time(),
        "seconds": time.perf_counter() - started,
        "p50_us": at_share(0.5), "p95_us": at_share(0.95), "p99_us": at_share(0.99), "longest_ms": ordered[-1] * 1e3,
        "cpu_us": spent / len(took) * 1e6,
    }  # fmt: skip


# --- a key, through web processes --------------------------------------------------------------------------------------------------------


def _by_http(report: Report, own: Own) -> None:
    secret = own.shell(SETUP)["KEY"][0]
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(own.web(f"web-{n}"))[0] for n in range(2)]
        code = "import sys, json, httpx; c = httpx.Client(headers={'X-API-Key': sys.argv[2]}); "
        code += "print(json.dumps([c.get(sys.argv[1] + '/api/v1/external/incidents').status_code for _n in range(400)]))"
        clients = [
            subprocess.Popen([sys.executable, "-c", code, webs[n % 2], secret], stdout=subprocess.PIPE, text=True) for n in range(PROCESSES)
        ]
        answers = [status for client in clients for status in json.loads(client.communicate()[0])]
        passed = answers.count(200)
        how = f"{PROCESSES} clients, 400 calls each, through 2 web processes; the others: {sorted(set(answers) - {200})}"
        report.row(SECTION, "answered 200 of a key that may 500 times", passed, "calls", how)
        _until_refused(report, own, webs, secret)
    if not 500 <= passed <= 505 or set(answers) != {200, 429}:
        raise AssertionError(f"{passed} of 500 passed: {set(answers)}")


def _until_refused(report: Report, own: Own, webs: list[str], secret: str) -> None:
    """A key is ended by a process of its own, while both web processes are asked without a pause."""
    code = "import time\nfrom interop.models import PartnerKey\nfrom interop.services import revoke_key\n"
    code += f"revoke_key(key=PartnerKey.objects.get(prefix={secret.split('.')[0]!r}), by=None)\nprint('AT', time.time())"
    ending = _begun(own.environment, code)
    refused_at: dict[str, float] = {}
    while len(refused_at) < len(webs):
        for web in webs:
            asked_at = time.time()
            status = httpx.get(f"{web}/api/v1/external/health", headers={"X-API-Key": secret}).status_code
            if status == 401:
                refused_at.setdefault(web, asked_at)
    at = float(_ended(ending).split("AT ", 1)[1].split()[0])
    longest = max(0.0, max(refused_at.values()) - at)
    report.row(SECTION, "a revoked key is refused by both web processes", longest, "s", "after the commit in a third process; aim: under 1")


def _begun(environment: dict[str, str], code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", code]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _ended(process: subprocess.Popen[str]) -> str:
    told = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"the shell ended with {process.returncode}")
    return told


if __name__ == "__main__":
    print(json.dumps(take(*sys.argv[1:])))
