"""The load of ``benchmarks.telemetry_tcp``: so many connections, each writes lines (or frames) ahead of their answers, up to a window.

Standard input: the keys, as JSON. Arguments: host, port, form (lines or frames), readings a second in all (0: as many as they go), seconds.
Prints one JSON object: what was acknowledged, what was refused, how long answers took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque

from iot.gateways import tcp_frame

WINDOW = 256
PAD = '", "firmware": "'


class Load:
    def __init__(self, form: str, rate: float, seconds: float, connections: int) -> None:
        self.form, self.seconds = form, seconds
        self.each_s = connections / rate if rate else 0.0
        self.acknowledged = self.refused = 0
        self.waits: list[float] = []
        self.newest_ms: dict[int, int] = {}
        self.began = 0.0

    async def device(self, host: str, port: int, key: str, number: int, begin: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"AUTH {key}\n".encode())
        assert (await reader.readline()).startswith(b"OK")
        await begin.wait()
        sent: deque[float] = deque()
        room = asyncio.Semaphore(WINDOW)
        over = self.began + self.seconds
        answers = asyncio.create_task(self._answers(reader, sent, room))
        due, said = time.perf_counter() + (self.each_s * (number % 97) / 97), 0
        while (now := time.perf_counter()) < over:
            if self.each_s and now < due:
                await asyncio.sleep(due - now)
                continue
            due += self.each_s
            await room.acquire()
            sent.append(time.perf_counter())
            said += 1
            writer.write(self._message(number, said))
            if said % 16 == 0 or self.each_s:
                await writer.drain()
        while sent:
            await asyncio.sleep(0.02)
        answers.cancel()
        writer.close()

    def _message(self, number: int, said: int) -> bytes:
        at_us = time.time_ns() // 1_000
        if self.form == "frames":
            # A frame's time is in whole milliseconds: no two of a device have the same, or one of them would be a repeat.
            at_ms = self.newest_ms[number] = max(self.newest_ms.get(number, 0) + 1, at_us // 1_000)
            return tcp_frame.write(said, at_ms, [(0, 20.0 + said % 9)])
        text = f'{{"metric": "temperature", "value": {20 + said % 9}, "at": {at_us / 1e6:.6f}, "note": "'
        return (text + "x" * max(0, 197 - len(text)) + '"}\n').encode()

    async def _answers(self, reader: asyncio.StreamReader, sent: deque[float], room: asyncio.Semaphore) -> None:
        while True:
            if self.form == "frames":
                status, _seq, _taken = tcp_frame.read_answer(await reader.readexactly(tcp_frame.ANSWER_BYTES))
                is_taken = status == 0
            else:
                is_taken = (await reader.readline()).startswith(b"OK")
            self.waits.append(time.perf_counter() - sent.popleft())
            room.release()
            self.acknowledged += is_taken
            self.refused += not is_taken


async def main() -> None:
    host, port, form, rate, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), float(sys.argv[5])
    keys = json.load(sys.stdin)
    load, begin = Load(form, rate, seconds, len(keys)), asyncio.Event()
    devices = [asyncio.create_task(load.device(host, port, key, number, begin)) for number, key in enumerate(keys)]
    await asyncio.sleep(2.0)
    load.began = time.perf_counter()
    begin.set()
    await asyncio.gather(*devices)
    took = time.perf_counter() - load.began
    ordered = sorted(load.waits)
    told = {
        "acknowledged": load.acknowledged, "refused": load.refused, "seconds": took,
        "p95_ms": 1_000 * ordered[int(0.95 * (len(ordered) - 1))] if ordered else 0.0,
    }  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main())
