"""Devices that send batches, from a process of their own: ``python -m benchmarks.telemetry_client URL BATCH RATE SECONDS``, keys on stdin.

RATE requests a second, or as many as four connections get answered where it is 0. Prints JSON.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

CONNECTIONS = 4


def main(url: str, batch: int, rate: float, seconds: float, keys: list[str]) -> dict[str, object]:
    latencies: list[float] = []
    statuses: Counter[str] = Counter()
    accepted, turns, lock = [0], itertools.count(), threading.Lock()
    started = time.time()
    until = started + seconds
    where = urlsplit(url)

    def send() -> None:
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        while time.time() < until:
            turn = next(turns)
            if rate:
                time.sleep(max(0.0, started + turn / rate - time.time()))
            now = round(time.time(), 3) + turn % 1_000 * 1e-6  # no two batches of a device share an instant
            rows = [{"metric": "temperature", "value": 20 + n % 9, "at": round(now - n * 0.001, 6)} for n in range(batch)]
            body = json.dumps({"readings": rows})
            began = time.perf_counter()
            headers = {"Content-Type": "application/json", "X-Device-Key": keys[turn % len(keys)]}
            connection.request("POST", "/api/v1/iot/readings", body, headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            with lock:
                latencies.append(time.perf_counter() - began)
                statuses[str(answer.status)] += 1
                accepted[0] += told.get("accepted", 0)

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = sorted(latencies)
    return {
        "seconds": time.time() - started,
        "accepted": accepted[0],
        "statuses": dict(statuses),
        "p95_ms": 1_000 * ordered[int(0.95 * (len(ordered) - 1))],
    }


if __name__ == "__main__":
    _program, url, batch, rate, seconds = sys.argv
    print(json.dumps(main(url, int(batch), float(rate), float(seconds), json.load(sys.stdin))))
