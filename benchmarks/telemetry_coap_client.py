"""The load of ``benchmarks.telemetry_coap``: modules that hold a DTLS session each, a few messages ahead of their answers, and say again
what nobody answered within two seconds.

Standard input: what each module shows (certificate, key and authority as PEM), as JSON. Arguments: host, port, readings a second in all
(0: as many as they go), seconds. Prints one JSON object: what was acknowledged, refused and said again, and how long answers took.
"""

from __future__ import annotations

import json
import selectors
import sys
import time
from dataclasses import dataclass, field

from demo.devices.protocols.coap import answer_of, post
from demo.devices.protocols.dtls import Line

WINDOW = 8
AGAIN_AFTER_S = 2.0
MOST_TRIES = 5
MOST_PER_S = 45.0  # below what a session may send
KNOCK_EVERY_S = 0.25
BEGIN_WITHIN_S = 120.0
FINISH_WITHIN_S = 30.0


@dataclass
class Module:
    """``waits``: by number, when it was first said, when last, how often, and the datagram."""

    line: Line
    number: int
    due: float = 0.0
    said: int = 0
    waits: dict[int, tuple[float, float, int, bytes]] = field(default_factory=dict)


class Load:
    def __init__(self, modules: list[Module], rate: float) -> None:
        self.modules = modules
        self.each_s = max(len(modules) / rate if rate else 0.0, 1 / MOST_PER_S)
        self.acknowledged = self.refused = self.again = self.lost = 0
        self.answers: list[float] = []
        self.ready = selectors.DefaultSelector()
        for module in modules:
            self.ready.register(module.line, selectors.EVENT_READ, module)

    def begin(self) -> float:
        """All shake hands; how long it took."""
        began, knocked = time.perf_counter(), 0.0
        arriving = {module.number for module in self.modules}
        while arriving:
            now = time.perf_counter()
            assert now - began < BEGIN_WITHIN_S, f"{len(arriving)} were not let in"
            came = {key.data.number for key, _events in self.ready.select(0.05)} & arriving
            if now - knocked > KNOCK_EVERY_S:
                came, knocked = set(arriving), now
            arriving -= {number for number in came if self.modules[number].line.begin()}
        return time.perf_counter() - began

    def run(self, seconds: float) -> float:
        """For so long, and until everything is answered or given up; how long it took."""
        began = time.perf_counter()
        over = began + seconds
        for module in self.modules:
            module.due = began + self.each_s * (module.number % 97) / 97
        looked = began
        while (now := time.perf_counter()) < over or (any(module.waits for module in self.modules) and now < over + FINISH_WITHIN_S):
            if now < over:
                for module in self.modules:
                    if module.due <= now and len(module.waits) < WINDOW:
                        self._say(module, now)
            if now - looked > 0.2:
                looked = now
                for module in self.modules:
                    self._insist(module, now)
            for key, _events in self.ready.select(0.005):
                self._hear(key.data)
        return time.perf_counter() - began

    def _say(self, module: Module, now: float) -> None:
        # A session that was held up does not make up for it in one go: it would be taken for a flood.
        module.due = max(module.due + self.each_s, now - 1.0)
        module.said += 1
        mid = module.said % 0xFFFF + 1
        text = f'{{"metric": "temperature", "value": {20 + module.said % 9}, "at": {time.time_ns() / 1e9:.6f}, "note": "'
        datagram = post(mid, (text + "x" * max(0, 198 - len(text)) + '"}').encode())
        module.waits[mid] = (now, now, 1, datagram)
        module.line.say(datagram)

    def _insist(self, module: Module, now: float) -> None:
        for mid, (first, last, tries, datagram) in list(module.waits.items()):
            if now - last < AGAIN_AFTER_S * 2 ** (tries - 1):
                continue
            if tries >= MOST_TRIES:
                del module.waits[mid]
                self.lost += 1
                continue
            self.again += 1
            module.waits[mid] = (first, now, tries + 1, datagram)
            module.line.say(datagram)

    def _hear(self, module: Module) -> None:
        now = time.perf_counter()
        for datagram in module.line.heard():
            told = answer_of(datagram)
            waited = module.waits.pop(told[0], None) if told is not None else None
            if told is None or waited is None:
                continue
            self.answers.append(now - waited[0])
            is_taken = told[1] == "2.04"
            self.acknowledged += is_taken
            self.refused += not is_taken


def main() -> None:
    host, port, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    words = json.load(sys.stdin)
    load = Load([Module(Line(host, port, word), number) for number, word in enumerate(words)], rate)
    handshakes_s = load.begin()
    took = load.run(seconds)
    for module in load.modules:
        module.line.close()
    ordered = sorted(load.answers)
    told = {
        "acknowledged": load.acknowledged, "refused": load.refused + load.lost, "again": load.again, "seconds": took,
        "handshakes_s": handshakes_s, "p95_ms": 1_000 * ordered[int(0.95 * (len(ordered) - 1))] if ordered else 0.0,
    }  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    main()
