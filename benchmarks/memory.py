"""How much memory programs have while they are under load."""

from __future__ import annotations

import contextlib
import statistics
import threading

from benchmarks.own import rss_mib

EVERY_S = 1.0


class Watch(threading.Thread):
    """A sample a second of each program, by its name: MiB in use. Begins with ``start()``, ends with ``stop()``."""

    def __init__(self, pids: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self.pids, self.over = pids, threading.Event()
        self.seen: dict[str, list[float]] = {name: [] for name in pids}

    def run(self) -> None:
        while not self.over.wait(EVERY_S):
            for name, pid in self.pids.items():
                with contextlib.suppress(OSError):
                    self.seen[name].append(rss_mib(pid))

    def stop(self) -> None:
        self.over.set()
        self.join()

    def told(self) -> str:
        return ", ".join(f"{name} {rows[0]:.0f} → {rows[-1]:.0f} (most {max(rows):.0f})" for name, rows in self.seen.items() if rows)

    def growth(self) -> float:
        """From the first quarter's most to the last quarter's most, of all together."""
        return sum(max(rows[-len(rows) // 4 :]) - max(rows[: max(len(rows) // 4, 1)]) for rows in self.seen.values() if rows)

    def slope(self, name: str) -> float:
        """MiB a minute by a straight line through the second half: what is grown once at the beginning is not in it."""
        rows = self.seen[name][len(self.seen[name]) // 2 :]
        if len(rows) < 2:
            return 0.0
        return statistics.linear_regression([place * EVERY_S / 60 for place in range(len(rows))], rows).slope
