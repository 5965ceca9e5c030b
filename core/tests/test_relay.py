"""CMD-4: the log's numbers have no gap and no repeat, its readers miss nothing, whoever dies whenever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import relay
from core.events import LOG_CURSOR, log_head, publish
from core.models import Event, EventCursor
from core.relay import Follower, Relay, connect, enlist_readers, number_pending
from core.subscribers import Subscriber, advance, enlist, find_subscribers

pytestmark = pytest.mark.django_db(transaction=True)


def eventually(true: Callable[[], Any], *, within_s: float = 10) -> Any:
    deadline = time.monotonic() + within_s
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return value


@contextmanager
def running(given: Relay | None = None, *, join: bool = True) -> Iterator[Relay]:
    stop = threading.Event()
    it = given or Relay(subscribers=[], poll_s=0.2)
    thread = threading.Thread(target=it.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield it
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def end_the_leader() -> None:
    """Cut the leading relay's connection from the server's side, as a restart of the database does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()"
        )


def numbers() -> list[int | None]:
    return list(Event.objects.order_by("id").values_list("seq", flat=True))


def test_committed_events_are_numbered_in_their_order_from_one():
    for _ in range(3):
        publish("test.happened")
    with connect() as db:
        assert number_pending(db) == (3, 3)
        assert number_pending(db) == (3, 0)
    assert numbers() == [1, 2, 3] and log_head() == 3


def test_a_batch_larger_than_the_limit_is_numbered_in_steps():
    for _ in range(5):
        publish("test.happened")
    with connect() as db:
        assert [number_pending(db, limit=2) for _ in range(3)] == [(2, 2), (4, 2), (5, 1)]
    assert numbers() == [1, 2, 3, 4, 5]


def test_an_event_that_commits_late_is_numbered_after_those_that_overtook_it_and_holds_nobody_up():
    with connect() as slow, connect() as db:
        slow.autocommit = False
        slow.execute("INSERT INTO core_event (type, subject_type, data) VALUES ('test.late', '', '{}')")
        publish("test.quick")
        assert number_pending(db) == (1, 1)
        slow.commit()
        assert number_pending(db) == (2, 1)
    assert dict(Event.objects.values_list("type", "seq")) == {"test.quick": 1, "test.late": 2}


def test_an_event_whose_transaction_is_undone_takes_no_number():
    with transaction.atomic():
        publish("test.undone")
        transaction.set_rollback(True)
    publish("test.happened")
    with connect() as db:
        assert number_pending(db) == (1, 1)


def test_dropping_the_whole_log_by_retention_never_gives_a_number_again():
    publish("test.happened")
    with connect() as db:
        number_pending(db)
        Event.objects.all().delete()
        publish("test.happened")
        assert number_pending(db) == (2, 1)


def test_a_lost_counter_is_opened_again_behind_the_last_number():
    publish("test.happened")
    with connect() as db:
        number_pending(db)
        EventCursor.objects.all().delete()
        publish("test.happened")
        assert number_pending(db) == (2, 1)


class Killed(Exception):
    pass


class Mortal:
    """A connection whose process dies just before, or just after, its n-th statement (BEGIN and COMMIT are statements too)."""

    def __init__(self, db: psycopg.Connection[Any], dies_at: int, *, before: bool) -> None:
        self.db, self.left, self.before = db, dies_at, before

    def _step(self, action: Callable[[], Any]) -> Any:
        if self.left == 0 and self.before:
            self._die()
        result = action()
        if self.left == 0:
            self._die()
        self.left -= 1
        return result

    def _die(self) -> None:
        self.db.pgconn.finish()  # what the server sees of a kill -9: the connection is gone, in the middle of whatever it was
        raise Killed

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._step(lambda: self.db.execute("BEGIN"))
        yield
        self._step(lambda: self.db.execute("COMMIT"))

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        with self.db.cursor() as real:

            def execute(*arguments: Any) -> None:
                self._step(lambda: real.execute(*arguments))
                shim.rowcount = real.rowcount

            shim = SimpleNamespace(execute=execute, fetchone=real.fetchone, rowcount=-1)
            yield shim


def number_and_die(dies_at: int, *, before: bool) -> bool:
    db = connect()
    try:
        number_pending(Mortal(db, dies_at, before=before))  # type: ignore[arg-type]
    except (Killed, psycopg.Error):
        return True
    finally:
        db.close()
    return False


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.integers(1, 4), st.booleans()), st.tuples(st.just("die"), st.integers(0, 7), st.booleans())
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_relay_killed_between_any_two_statements_leaves_no_gap_and_no_repeat(steps):
    Event.objects.all().delete()
    EventCursor.objects.all().delete()
    for what, number, flag in steps:
        if what == "publish":
            for _ in range(number):
                publish("test.happened")
        else:
            number_and_die(number, before=flag)
            given_so_far = sorted(seq for seq in numbers() if seq is not None)
            assert given_so_far == list(range(1, len(given_so_far) + 1)), "a gap or a repeat is never seen, not even for a moment"
            assert log_head() == len(given_so_far)
    with connect() as db:
        number_pending(db)
    assert numbers() == list(range(1, Event.objects.count() + 1))


def test_every_statement_of_the_numbering_was_killed_at():
    publish("test.happened")
    deaths = 0
    while number_and_die(deaths, before=True):
        deaths += 1
        assert deaths < 20
    assert deaths == 7  # BEGIN, lock, open, lock, number, move, COMMIT: the last run had nothing left to die at
    assert numbers() == [1]


def test_two_numberings_at_once_share_the_work():
    for _ in range(200):
        publish("test.happened")
    start = threading.Barrier(3)

    def work() -> None:
        with connect() as db:
            start.wait()
            while number_pending(db, limit=7)[1]:
                pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(seq or 0 for seq in numbers()) == list(range(1, 201))


def test_of_two_relays_one_leads_and_the_other_takes_over():
    said: list[str] = []

    class Told(Relay):
        def _lead(self, db: Any, stop: threading.Event) -> None:
            said.append(self.name)
            super()._lead(db, stop)

        name = ""

    first, second = Told(subscribers=[], poll_s=0.1), Told(subscribers=[], poll_s=0.1)
    first.name, second.name = "first", "second"
    with running(first):
        eventually(lambda: said == ["first"])
        with running(second):
            publish("test.happened")
            eventually(lambda: numbers() == [1])
            assert said == ["first"]
            end_the_leader()
            publish("test.happened")
            eventually(lambda: numbers() == [1, 2])
            assert len(said) == 2


def test_a_relay_outlives_the_loss_of_its_database_connection():
    with running():
        publish("test.happened")
        eventually(lambda: numbers() == [1])
        end_the_leader()
        publish("test.happened")
        eventually(lambda: numbers() == [1, 2])


def test_numbering_goes_on_while_redis_is_away_and_the_newest_number_is_rung_when_it_returns(settings, monkeypatch):
    real = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    bell = relay.Bell(threading.Event())
    bell.start()
    bell.tell(7)
    with running():
        publish("test.happened")
        eventually(lambda: numbers() == [1])
    import redis

    listener = redis.Redis.from_url(real).pubsub()
    listener.subscribe(relay.BELL_CHANNEL)
    bell.client = redis.Redis.from_url(real)
    bell.tell(8)
    eventually(lambda: (message := listener.get_message()) and message["data"] == b"8")
    bell.over.set()
    bell.tell(9)
    bell.join(5)
    assert not bell.is_alive()


def test_a_subscriber_is_given_each_event_once_and_in_order_although_it_fails_in_between():
    seen: list[int] = []
    failures = iter([True, False, True, False, False])

    def handle(events: Any) -> None:
        EventCursor.objects.update_or_create(name="witness", defaults={"seq": events[-1].seq})
        if next(failures, False):
            raise RuntimeError("not today")
        seen.extend(event.seq for event in events)

    def steady(events: Any) -> None:
        calm.extend(event.seq for event in events)

    calm: list[int] = []
    shaky = Subscriber("shaky", handle, batch=2)
    with running(Relay(subscribers=[shaky, Subscriber("calm", steady)], poll_s=0.1)):
        eventually(lambda: EventCursor.objects.filter(name="log").exists())
        for _ in range(6):
            publish("test.happened")
        eventually(lambda: calm == [1, 2, 3, 4, 5, 6], within_s=2)
        eventually(lambda: seen == [1, 2, 3, 4, 5, 6], within_s=15)
    assert EventCursor.objects.get(name="shaky").seq == 6


def test_what_a_subscriber_wrote_is_undone_with_its_failure():
    def handle(events: Any) -> None:
        EventCursor.objects.create(name="its work", seq=1)
        raise RuntimeError

    broken = Subscriber("broken", handle)
    publish("test.happened")
    with connect() as db:
        number_pending(db)
    enlist(broken, head=0)
    with pytest.raises(RuntimeError):
        advance(broken)
    assert EventCursor.objects.get(name="broken").seq == 0
    assert not EventCursor.objects.filter(name="its work").exists()


def test_a_new_subscriber_begins_with_what_happens_next_unless_it_asks_for_history():
    enlist(Subscriber("new", print), head=5)
    enlist(Subscriber("historian", print, from_the_start=True), head=5)
    enlist(Subscriber("new", print), head=9)
    assert dict(EventCursor.objects.values_list("name", "seq")) == {"new": 5, "historian": 0}


def test_what_happens_before_the_relays_first_start_is_heard_all_the_same():
    publish("test.before")
    enlist_readers()
    names = {subscriber.name for subscriber in find_subscribers()}
    begun = dict(EventCursor.objects.filter(name__in=names).values_list("name", "seq"))
    head = EventCursor.objects.get(name=LOG_CURSOR).seq
    assert begun.keys() == names and head >= 1
    assert set(begun.values()) <= {0, head}
    publish("test.after")
    with connect() as db:
        assert number_pending(db)[0] == head + 1
    enlist_readers()
    assert dict(EventCursor.objects.filter(name__in=names).values_list("name", "seq")) == begun


def test_a_gentle_reader_rests_three_times_as_long_as_it_works():
    over = threading.Event()
    rests: list[float] = []
    gentle = Subscriber("gentle", lambda _events: time.sleep(0.05), batch=1, is_gentle=True)
    enlist(gentle, head=0)
    for _n in range(2):
        publish("test.happened")
    with connect() as db:
        number_pending(db)
    follower = Follower(gentle, over, 0)
    follower.over = SimpleNamespace(is_set=lambda: False, wait=rests.append)  # type: ignore[assignment]
    follower.act()
    assert len(rests) == 2 and all(rest >= 0.15 for rest in rests)


def test_a_subscriber_hears_only_the_types_it_names_and_still_moves_past_the_others():
    heard: list[str] = []
    choosy = Subscriber("choosy", lambda events: heard.extend(e.type for e in events), types=frozenset({"test.wanted"}))
    enlist(choosy, head=0)
    for kind in ("test.other", "test.wanted", "test.other"):
        publish(kind)
    with connect() as db:
        number_pending(db)
    assert advance(choosy) == 3 and advance(choosy) == 0
    assert heard == ["test.wanted"]


def test_a_subscriber_passes_over_what_it_is_deaf_to():
    heard: list[str] = []
    follower = Subscriber("follower", lambda events: heard.extend(e.type for e in events), deaf_to=("own.", "test.no"), batch=2)
    enlist(follower, head=0)
    for kind in ("own.made", "test.a", "test.noise", "test.b", "own.made", "test.c"):
        publish(kind)
    with connect() as db:
        types: set[str] = set()
        number_pending(db, types=types)
    assert types == {"own.made", "test.a", "test.noise", "test.b", "test.c"}
    assert {kind for kind in types if follower.hears(kind)} == {"test.a", "test.b", "test.c"}
    assert [advance(follower) for _n in range(3)] == [4, 2, 0], "a full batch ends at its last event, the last one at the log's"
    assert heard == ["test.a", "test.b", "test.c"]


def test_a_follower_is_not_woken_by_what_it_does_not_hear_and_its_cursor_moves_all_the_same():
    told: list[int] = []
    follower = Follower(Subscriber("choosy", lambda _events: None, types=frozenset({"test.wanted"})), threading.Event(), 0)
    follower._told = SimpleNamespace(set=lambda: told.append(follower.head))  # type: ignore[assignment]
    follower.tell(1, None)
    follower.tell(2, {"test.other"})
    follower.tell(3, {"test.other", "test.wanted"})
    assert told == [1, 3]
    follower.told_at -= relay.UNCONCERNED_S
    follower.tell(4, set())
    assert told == [1, 3, 4]


def test_the_installed_apps_subscribers_have_names_of_their_own():
    assert isinstance(find_subscribers(), list)
    assert LOG_CURSOR not in {subscriber.name for subscriber in find_subscribers()}


def test_a_publish_wakes_the_relay_well_before_its_next_poll():
    assert connection.vendor == "postgresql"
    with running(Relay(subscribers=[], poll_s=30)):
        eventually(lambda: EventCursor.objects.filter(name="log").exists())
        publish("test.happened")
        eventually(lambda: numbers() == [1], within_s=1)
