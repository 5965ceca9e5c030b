"""CMD-4: with Redis away, pages are slower and whole."""

from __future__ import annotations

from core.cache import ForgivingRedisCache


def test_a_cache_that_is_away_forgets_and_breaks_nothing():
    away = ForgivingRedisCache("redis://127.0.0.1:1/0", {})
    away.set("a", 1)
    assert away.get("a") is None and away.get("a", "nothing") == "nothing"
