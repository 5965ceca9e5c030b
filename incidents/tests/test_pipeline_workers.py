"""ANA-11: several processes share a run's steps, the longest first; people stop a run; a night that is late or fails is announced."""

from __future__ import annotations

import threading
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry, Event
from incidents.models import HotSpot, PipelineRun, PipelineStep
from incidents.services import pipeline
from incidents.services.pipeline import kinds, night
from incidents.services.pipeline.lease import Lease
from incidents.services.pipeline.loading import load_points
from incidents.services.pipeline.steps import Kind, Outcome
from incidents.tests.conftest import NIGHT

HOT_SPOTS = kinds.KINDS["hotspots"]


@pytest.fixture
def parts(monkeypatch):
    """``parts("a", "b", step=…)``: the only kind of step has these parts; returns the parts done, in order."""

    def use(*names, step=None):
        done = []

        def noted(task):
            done.append(task.part)
            return step(task) if step else Outcome([], {"made": 1})

        monkeypatch.setattr(kinds, "KINDS", {"k": Kind(noted, (HotSpot,), "made", parts=lambda task: names)})
        return done

    return use


def asked(**given):
    return pipeline.create_run(**{"trigger": "manual", "regions": ["kw"], **given})


def events(kind):
    return Event.objects.filter(type=kind)


# --- sharing ---------------------------------------------------------------------------------------------------------
def test_the_longest_steps_are_done_first_and_those_never_timed_before_them(places, parts):
    done = parts("short", "long")
    earlier = pipeline.execute_run(run=asked())
    for name, seconds in (("short", 1), ("long", 9)):
        earlier.steps.filter(name=f"k:kw:{name}").update(seconds=seconds)
    done = parts("short", "new", "long")
    pipeline.execute_run(run=asked())
    assert done == ["new", "long", "short"]


@pytest.mark.django_db(transaction=True)
def test_workers_share_the_steps_each_is_done_once_and_the_run_ends_once(places, parts):
    names = [f"p{n}" for n in range(12)]
    here, start = threading.local(), threading.Barrier(3)
    workers = set()

    def slow(task):
        workers.add(threading.current_thread().name)
        threading.Event().wait(0.02)
        return Outcome([], {"made": 1})

    done = parts(*names, step=slow)
    run, errors = asked(), []

    def worker():
        try:
            here.connection = start.wait(10)
            pipeline.execute_run(run=run)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    run.refresh_from_db()
    assert not errors and sorted(done) == sorted(names) and len(workers) > 1
    assert (run.status, run.counts) == ("done", {"made": 12, "steps": 12, "failed": 0})
    assert events("pipeline.finished").count() == 1
    assert set(run.steps.values_list("attempts", flat=True)) == {1}


def test_a_helper_does_one_step_and_whoever_does_the_last_ends_the_run(places, parts):
    done = parts("a", "b")
    run = asked()
    assert pipeline.help_run(run=run) is False  # nobody has planned it yet
    from incidents.services.pipeline.planning import plan_run
    from incidents.tasks.pipeline import help_pipeline

    assert (plan_run(run), plan_run(run)) == (2, 0)
    help_pipeline(run.pk)
    assert len(done) == 1 and not events("pipeline.finished").exists()
    help_pipeline(run.pk)
    help_pipeline(run.pk)
    help_pipeline(10**9)
    run.refresh_from_db()
    assert (run.status, len(done), events("pipeline.finished").count()) == ("done", 2, 1)


def test_a_run_asked_for_calls_a_helper_for_every_step_but_one(places, parts, monkeypatch, django_capture_on_commit_callbacks):
    sent = []
    monkeypatch.setattr("core.background.current_app.send_task", lambda task, **given: sent.append((task, given["queue"])))
    parts("a", "b", "c")
    with django_capture_on_commit_callbacks(execute=True):
        pipeline.execute_run(run=asked(), with_helpers=True)
    assert sent == [("incidents.help_pipeline", "bulk")] * 2


def test_a_database_that_went_away_puts_the_step_back_to_be_done_again(places, parts):
    tries = []

    def flaky(task):
        tries.append(task.part)
        if len(tries) == 1:
            raise OperationalError("server closed the connection unexpectedly")
        return Outcome([], {"made": 1})

    parts("a", step=flaky)
    run = pipeline.execute_run(run=asked())
    assert (run.status, len(tries), run.steps.get().attempts) == ("done", 2, 2)
    assert not events("pipeline.failed").exists()


def test_an_interrupt_between_a_claim_and_the_work_gives_the_step_back(places, parts):
    parts("a", "b")
    run = asked()

    def ctrl_c(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.execute_run(run=run, on_progress=ctrl_c)
    assert set(run.steps.values_list("status", flat=True)) == {"waiting"}
    assert pipeline.request_cancel(run=run, by=None).status == "cancelled"


def test_a_kind_that_cannot_say_its_parts_is_one_failed_step(places, parts, monkeypatch):
    def no_parts(task):
        raise ValueError("no parts today")

    broken = Kind(lambda task: Outcome([]), (HotSpot,), "made", parts=no_parts)
    monkeypatch.setattr(kinds, "KINDS", {"broken": broken, "k": Kind(lambda task: Outcome([], {"made": 2}), (HotSpot,), "made")})
    run = pipeline.execute_run(run=asked())
    assert {step.name: step.status for step in run.steps.all()} == {"broken:kw": "failed", "k:kw": "done"}
    assert run.status == "failed" and "no parts today" in run.error and run.counts["made"] == 2


def test_a_step_this_version_does_not_know_fails_and_says_so(places):
    run = PipelineRun.objects.create(key="manual:old", as_of=NIGHT, status="running", began_at=NIGHT)
    PipelineStep.objects.create(run=run, name="astrology:kw")
    assert "knows no step astrology" in pipeline.execute_run(run=run).error


def test_runs_of_one_region_at_once_leave_the_later_moment_standing(crowd, places, monkeypatch):
    crowd(47.92, 29.35)
    later = asked(as_of=NIGHT, only=["hotspots"])

    def overtaken(task):
        if task.moment.instant != NIGHT:
            pipeline.execute_run(run=later)
        return HOT_SPOTS.step(task)

    monkeypatch.setattr(
        kinds,
        "KINDS",
        {"hotspots": Kind(overtaken, HOT_SPOTS.models, "hot_spots", HOT_SPOTS.parts, HOT_SPOTS.scope, HOT_SPOTS.before, HOT_SPOTS.after)},
    )
    earlier = pipeline.execute_run(run=asked(as_of=NIGHT - timedelta(hours=1), only=["hotspots"]))
    later.refresh_from_db()
    assert (earlier.status, later.status) == ("done", "done")
    assert set(HotSpot.objects.current().values_list("run_id", flat=True)) == {later.pk}


def test_parts_that_learn_from_the_same_incidents_load_them_once(crowd, places, parts):
    crowd(47.92, 29.35)
    seen = []

    def learns(task):
        points = load_points(task.region, since=None, until=NIGHT)
        seen.append(points)
        return Outcome([], {"made": len(points)})

    parts("a", "b", "c", step=learns)
    pipeline.execute_run(run=asked(as_of=NIGHT))
    assert len(seen) == 3 and seen[0] is seen[1] is seen[2] and len(seen[0]) == 15
    assert load_points(places.region, since=None, until=NIGHT) is not seen[0]  # only within one worker's turn at one run


# --- stopping --------------------------------------------------------------------------------------------------------
def test_a_run_that_waits_is_cancelled_at_once(cast, parts):
    parts("a")
    run = asked()
    cancelled = pipeline.request_cancel(run=run, by=cast.analyst, reason="the wrong day")
    assert (cancelled.status, cancelled.cancelled_by, cancelled.cancel_reason) == ("cancelled", cast.analyst, "the wrong day")
    assert pipeline.execute_run(run=run).status == "cancelled" and not run.steps.exists()
    assert "the wrong day" in str(AuditEntry.objects.get(verb="pipeline.cancel").after)
    assert events("pipeline.finished").get().data["status"] == "cancelled"


def test_a_step_notices_at_its_beat_and_stores_nothing_and_the_rest_is_not_begun(crowd, cast, parts, monkeypatch):
    crowd(47.92, 29.35)

    def cancelled_midway(task):
        if task.part == "b":
            pipeline.request_cancel(run=PipelineRun.objects.get(), by=cast.supervisor)
        task.beat()
        return HOT_SPOTS.step(task)

    monkeypatch.setattr("incidents.services.pipeline.lease._BEAT_EVERY", timedelta(0))
    done = parts("a", "b", "c", step=cancelled_midway)
    run = pipeline.execute_run(run=asked(as_of=NIGHT))
    assert run.status == "cancelled" and done == ["a", "b"]
    assert {step.part: step.status for step in run.steps.all()} == {"a": "done", "b": "cancelled", "c": "cancelled"}
    assert events("pipeline.finished").count() == 1 and not events("pipeline.failed").exists()


def test_results_that_come_after_the_cancel_are_not_stored(crowd, cast, parts):
    crowd(47.92, 29.35)

    def too_late(task):
        outcome = HOT_SPOTS.step(task)
        pipeline.request_cancel(run=PipelineRun.objects.get(), by=cast.supervisor)
        return outcome

    parts("a", step=too_late)
    run = pipeline.execute_run(run=asked(as_of=NIGHT))
    assert run.status == "cancelled" and not HotSpot.objects.exists()


def test_a_cancelled_run_does_not_wait_for_a_process_that_died(cast, parts):
    parts("a")
    run = asked()
    from incidents.services.pipeline.planning import plan_run

    plan_run(run)
    Lease.claim(run)
    assert pipeline.request_cancel(run=run, by=cast.analyst).status == "running"  # it may still live
    PipelineStep.objects.update(heartbeat_at=timezone.now() - pipeline.STALE_AFTER - timedelta(seconds=1))
    (ended,) = pipeline.run_due_pipelines(now=NIGHT - timedelta(hours=1))
    assert (ended.pk, ended.status, ended.steps.get().status) == (run.pk, "cancelled", "cancelled")


def test_cancelling_twice_or_too_late_is_a_conflict_and_not_everybody_may(cast, parts):
    parts("a")
    run = pipeline.execute_run(run=asked())
    with pytest.raises(Conflict, match="over"):
        pipeline.request_cancel(run=run, by=cast.analyst)
    other = asked()
    from incidents.services.pipeline.planning import plan_run

    plan_run(other)
    Lease.claim(other)
    with pytest.raises(NotAllowed):
        pipeline.request_cancel(run=other, by=cast.officer)
    with pytest.raises(Invalid):
        pipeline.request_cancel(run=other, by=cast.analyst, reason="x" * 401)
    pipeline.request_cancel(run=other, by=cast.analyst)
    with pytest.raises(Conflict, match="already"):
        pipeline.request_cancel(run=other, by=cast.supervisor)
    assert AuditEntry.objects.filter(verb="pipeline.cancel").count() == 1


# --- late, failed ----------------------------------------------------------------------------------------------------
def test_a_night_not_over_by_four_is_announced_once(places, parts):
    parts("a")
    assert pipeline.run_due_pipelines(now=NIGHT - timedelta(minutes=10)) == []
    run = asked(trigger="nightly", as_of=NIGHT, regions=None)
    from incidents.services.pipeline.planning import plan_run

    plan_run(run)
    Lease.claim(run)
    for minutes in (119, 121, 126):
        pipeline.run_due_pipelines(now=NIGHT + timedelta(minutes=minutes))
    assert events("pipeline.late").get().data["run"] == run.pk
    assert night.is_late(NIGHT + timedelta(minutes=126)) and not night.is_late(NIGHT + timedelta(minutes=119))


def test_a_night_that_is_over_in_time_is_not_late_even_if_it_failed_or_was_stopped(places, parts, cast):
    def fails(task):
        raise ValueError("no")

    parts("a", step=fails)
    (run,) = pipeline.run_due_pipelines(now=NIGHT)
    assert run.status == "failed" and not night.is_late(NIGHT + timedelta(hours=3))
    assert [event.data["step"] for event in events("pipeline.failed").order_by("pk")] == ["k:kw:a", ""]
    pipeline.run_due_pipelines(now=NIGHT + timedelta(hours=3))
    assert not events("pipeline.late").exists()


def test_a_night_nobody_has_begun_is_late(places):
    assert night.is_late(NIGHT + timedelta(hours=3)) and not night.is_late(NIGHT)


@pytest.mark.parametrize(("month", "day"), [(3, 8), (11, 1)], ids=["clocks forward", "clocks back"])
def test_where_the_clocks_change_a_night_is_owed_once(places, parts, settings, month, day):
    """02:00 does not exist in Chicago on 8 March 2026, and the hour before it comes twice on 1 November."""
    from datetime import datetime

    settings.TIME_ZONE = "America/Chicago"
    chicago = ZoneInfo("America/Chicago")
    done = parts("a")
    midnight = datetime(2026, month, day, 0, 0, tzinfo=chicago).astimezone(ZoneInfo("UTC"))
    for quarter in range(4 * 6):
        pipeline.run_due_pipelines(now=midnight + timedelta(minutes=15 * quarter))
    assert done == ["a"] and PipelineRun.objects.get().key == f"nightly:2026-{month:02d}-{day:02d}"
    assert PipelineRun.objects.get().as_of.astimezone(chicago).hour == (3 if month == 3 else 2)
