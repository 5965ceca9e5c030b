"""ANA-1, ANA-11: a night is run once, goes on where it was cut off, says what failed, and shows its results to whom they concern."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.models import F
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry, Event
from geography.models import Region
from incidents.models import HotSpot, Incident, IncidentType, PipelineRun, PipelineStep
from incidents.services import pipeline
from incidents.services.pipeline import kinds
from incidents.services.pipeline.lease import Lease, LeaseLost
from incidents.services.pipeline.night import is_owed
from incidents.tests.conftest import NIGHT

HOT_SPOTS = kinds.KINDS["hotspots"]


def run(**given):
    return pipeline.run_pipeline(**{"trigger": "manual", "as_of": NIGHT, "only": ["hotspots"], **given})


# --- what is found ---------------------------------------------------------------------------------------------------
def test_a_planted_hot_spot_is_found_with_its_place_its_history_and_its_makers_figures(crowd, places):
    crowd(47.92, 29.35, n=20)
    crowd(47.92, 29.35, n=6, days_ago=(31, 59), spread_m=15)
    crowd(47.92, 29.35, n=1, days_ago=(200, 201))
    done = run()
    spot = HotSpot.objects.current().get(category="")
    assert (done.status, done.counts["hot_spots"]) == ("done", 2)
    assert (spot.rank, spot.incident_count, spot.previous_count) == (1, 20, 6)
    assert (spot.governorate, spot.area, spot.region) == (places.hawalli, places.salmiya, places.region)
    assert spot.leading_types == [["burglary", 20]] and spot.severity_score == 40
    assert spot.window_to - spot.window_from == timedelta(days=30)
    assert spot.hull.valid and Incident.objects.filter(occurred_at__gte=spot.window_from, location__within=spot.hull).count() == 20
    assert 0 < spot.area_km2 < 0.2 and spot.density_per_km2 == pytest.approx(20 / spot.area_km2)
    assert HotSpot.objects.current().get(category="property").incident_count == 20
    assert done.parameters["eps_m"] == 300 and done.code_version
    assert [step.name for step in done.steps.all()] == ["hotspots:kw", "hotspots:kw:property"]


def test_the_area_of_an_outline_is_that_of_the_ground(crowd):
    crowd(47.92, 29.35, n=60, spread_m=150)
    run()
    spot = HotSpot.objects.current().get(category="")
    with connection.cursor() as cursor:
        cursor.execute("SELECT ST_Area(hull::geography) / 1e6 FROM incidents_hotspot WHERE id = %s", [spot.pk])
        (ground,) = cursor.fetchone()
    assert spot.area_km2 == pytest.approx(ground, rel=0.01)


@pytest.mark.parametrize(("gap_m", "clusters"), [(280, 1), (330, 2)])
@pytest.mark.parametrize("bearing", ["north", "east"])
def test_three_hundred_metres_are_as_long_to_the_north_as_to_the_east(crowd, gap_m, clusters, bearing):
    lon, lat = 47.92, 29.35
    step_lon, step_lat = (0, gap_m / 110_852) if bearing == "north" else (gap_m / (111_320 * np.cos(np.radians(lat)) * 1.0025), 0)
    crowd(lon, lat, n=10, spread_m=0)
    crowd(lon + step_lon, lat + step_lat, n=10, spread_m=0)
    run()
    assert HotSpot.objects.current().filter(category="").count() == clusters


def test_what_may_not_be_learnt_from_makes_no_hot_spot(crowd, cast):
    drugs = IncidentType.objects.create(code="drugs-x", name_en="Drugs", category="drugs", enforcement_sensitive=True)
    original = crowd(47.85, 29.31, n=1)[0]
    crowd(47.92, 29.35, origin="discovered")
    crowd(47.93, 29.36, type=drugs)
    crowd(47.94, 29.37, state="duplicate", duplicate_of=original)
    crowd(47.92, 29.38, state="unfounded")
    crowd(47.92, 29.32, state="cancelled")
    crowd(47.92, 29.33, location=None)
    crowd(47.92, 29.34, days_ago=(-5, -1))  # after the moment looked from
    done = run()
    assert done.steps.get().counts["incidents"] == 1
    assert not HotSpot.objects.exists()


def test_hot_spots_are_per_category_too_and_say_when_they_are_synthetic(crowd):
    fires = IncidentType.objects.create(code="fire-x", name_en="Fire", category="fire")
    crowd(47.92, 29.35, n=8)
    crowd(47.92, 29.35, n=11, type=fires, is_synthetic=True)
    done = run()
    assert {(s.category, s.incident_count, s.is_synthetic) for s in HotSpot.objects.current()} == {("", 19, True), ("fire", 11, True)}
    assert {step.name: step.counts["hot_spots"] for step in done.steps.all()} == {"hotspots:kw": 1, "hotspots:kw:fire": 1}


def test_a_region_whose_data_ended_long_ago_says_so(crowd):
    crowd(47.92, 29.35, days_ago=(400, 500))
    counts = run().steps.get().counts
    assert counts["hot_spots"] == 0 and counts["empty_because"] == "no incidents in the window"
    assert counts["newest_incident"] < "2025-02-10"


def test_an_empty_database_runs_through(places):
    done = run()
    assert (done.status, done.counts["hot_spots"]) == ("done", 0)
    assert done.steps.get().counts["empty_because"] == "no incidents yet"


def test_before_there_was_data_is_unknown_and_not_zero(crowd):
    crowd(47.92, 29.35, n=20)
    run()
    assert HotSpot.objects.current().get(category="").previous_count is None


# --- who sees them ---------------------------------------------------------------------------------------------------
def test_each_sees_the_hot_spots_of_their_governorates(crowd, cast):
    crowd(47.92, 29.35)
    crowd(47.85, 29.35)
    run(only=["hotspots"])
    seen = {
        who: set(HotSpot.objects.current().visible_to(getattr(cast, who)).values_list("governorate__code", flat=True))
        for who in ("officer", "stranger", "superadmin", "firefighter")
    }
    assert seen == {"officer": {"T-HA"}, "stranger": {"T-KU"}, "superadmin": {"T-HA", "T-KU"}, "firefighter": {"T-HA", "T-KU"}}
    assert not HotSpot.objects.visible_to(None).exists()


# --- which results stand ---------------------------------------------------------------------------------------------
def test_new_results_take_the_place_of_the_old_which_are_kept(crowd):
    crowd(47.92, 29.35)
    first, second = run(), run(as_of=NIGHT + timedelta(hours=1))
    assert set(HotSpot.objects.current().values_list("run_id", flat=True)) == {second.pk}
    assert HotSpot.objects.filter(run=first, is_current=False).count() == 2


def test_a_look_back_does_not_displace_what_stands_today(crowd):
    crowd(47.92, 29.35)
    today, back = run(), run(as_of=(NIGHT - timedelta(days=5)).date())
    assert set(HotSpot.objects.current().values_list("run_id", flat=True)) == {today.pk}
    assert back.steps.get(name="hotspots:kw").counts["current"] is False and HotSpot.objects.filter(run=back).exists()


def test_a_day_is_the_day_of_each_region(crowd, places):
    Region.objects.create(code="st", name_en="St. Louis", name_ar="سانت لويس", time_zone="America/Chicago", metric_srid=32615)
    done = run(as_of=NIGHT.date(), regions=["kw", "st"])
    ends = {step.name: step.counts["to"] for step in done.steps.all()}
    assert ends == {"hotspots:kw": "2026-03-09T00:00:00+03:00", "hotspots:st": "2026-03-09T00:00:00-05:00"}


# --- once, resumed, recorded -----------------------------------------------------------------------------------------
def test_a_night_is_run_once(crowd):
    crowd(47.92, 29.35)
    first, second = (pipeline.run_pipeline(trigger="nightly", as_of=NIGHT) for _ in range(2))
    assert first == second and first.key == "nightly:2026-03-10"
    assert Event.objects.filter(type="pipeline.finished").count() == 1
    assert not AuditEntry.objects.filter(verb="pipeline.run").exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_replicas_that_start_a_night_at_once_one_runs_it(crowd, places, monkeypatch):
    crowd(47.92, 29.35)
    computed, start = [], threading.Barrier(4)
    real = kinds.KINDS["hotspots"]

    def counted(task):
        computed.append(threading.current_thread().name)
        return real.step(task)

    monkeypatch.setattr(kinds, "KINDS", {"hotspots": replace(real, step=counted, parts=lambda task: ("",))})
    errors = []

    def replica():
        try:
            start.wait(10)
            pipeline.run_pipeline(trigger="nightly", as_of=NIGHT)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=replica) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors and len(computed) == 1
    assert PipelineRun.objects.get().status == "done"
    assert Event.objects.filter(type="pipeline.finished").count() == 1
    assert HotSpot.objects.filter(category="").count() == 1


class Killed(BaseException):
    """What a process feels of kill -9: nothing of it runs any more."""


def break_at(monkeypatch, region_code, error):
    """Let the hot spots of ``region_code`` die with ``error``; returns the list of regions computed."""
    real, computed = HOT_SPOTS, []

    def step(task):
        computed.append(task.region.code)
        if task.region.code == region_code and error is not None:
            raise error
        return real.step(task)

    monkeypatch.setattr(kinds, "KINDS", {"hotspots": replace(real, step=step, parts=lambda task: ("",))})
    return computed


def test_a_run_cut_off_goes_on_at_the_first_step_not_done(two_regions, monkeypatch):
    break_at(monkeypatch, "zz", Killed())
    with pytest.raises(Killed):
        pipeline.run_pipeline(trigger="nightly", as_of=NIGHT)
    cut_off = PipelineRun.objects.get()
    assert cut_off.status == "running" and cut_off.steps.filter(status="done").count() == 1

    computed = break_at(monkeypatch, "zz", None)
    assert pipeline.run_pipeline(trigger="nightly", as_of=NIGHT).status == "running"  # its runner may still live
    assert computed == []
    PipelineStep.objects.update(heartbeat_at=timezone.now() - pipeline.STALE_AFTER - timedelta(seconds=1))
    (resumed,) = pipeline.run_due_pipelines(now=NIGHT)
    assert (resumed.pk, resumed.status, computed) == (cut_off.pk, "done", ["zz"])
    assert HotSpot.objects.current().filter(category="").count() == 1
    assert Event.objects.filter(type="pipeline.finished").count() == 1


def test_a_runner_that_comes_back_after_its_run_was_taken_over_writes_nothing(two_regions, monkeypatch):
    real = kinds.KINDS["hotspots"]

    def overtaken(task):
        PipelineStep.objects.update(attempts=F("attempts") + 1)  # another process has taken the step
        return real.step(task)

    monkeypatch.setattr(kinds, "KINDS", {"hotspots": replace(real, step=overtaken, parts=lambda task: ("",))})
    left = pipeline.run_pipeline(trigger="nightly", as_of=NIGHT)
    assert left.status == "running" and not HotSpot.objects.exists()
    assert not Event.objects.filter(type="pipeline.finished").exists()


def test_a_heartbeat_is_refused_once_the_step_is_taken_over(places):
    run_row = PipelineRun.objects.create(key="manual:x", as_of=NIGHT, status="running")
    PipelineStep.objects.create(run=run_row, name="hotspots:kw")
    lease = Lease.claim(run_row)
    assert lease is not None and Lease.claim(run_row) is None
    lease.beat(now=timezone.now() + timedelta(minutes=1))
    PipelineStep.objects.update(heartbeat_at=timezone.now() - pipeline.STALE_AFTER - timedelta(seconds=1))
    overtaker = Lease.claim(run_row)
    assert overtaker is not None and overtaker.step.attempts == 2
    with pytest.raises(LeaseLost):
        lease.beat(now=timezone.now() + timedelta(minutes=2))
    overtaker.beat(now=timezone.now() + timedelta(minutes=2))


def test_a_step_that_fails_is_recorded_and_the_others_go_on(two_regions, monkeypatch):
    computed = break_at(monkeypatch, "kw", ValueError("no metres here"))
    failed = pipeline.run_pipeline(trigger="nightly", as_of=NIGHT)
    assert (failed.status, computed) == ("failed", ["kw", "zz"])
    assert {s.name: (s.status, s.error) for s in failed.steps.all()} == {
        "hotspots:kw": ("failed", "ValueError: no metres here"),
        "hotspots:zz": ("done", ""),
    }
    assert "no metres here" in failed.error and failed.counts["failed"] == 1
    assert Event.objects.get(type="pipeline.finished").data["status"] == "failed"


def test_a_failed_step_leaves_the_last_good_results_standing(two_regions, monkeypatch):
    good = run()
    break_at(monkeypatch, "kw", ValueError("no"))
    run(as_of=NIGHT + timedelta(days=1))
    assert set(HotSpot.objects.current().values_list("run_id", flat=True)) == {good.pk}


def test_a_step_that_kills_its_process_each_time_is_given_up_and_the_night_ends(two_regions, monkeypatch):
    break_at(monkeypatch, "kw", Killed())
    for _ in range(pipeline.MAX_ATTEMPTS):
        with pytest.raises(Killed):
            pipeline.run_pipeline(trigger="nightly", as_of=NIGHT)
        PipelineStep.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    ended = pipeline.run_pipeline(trigger="nightly", as_of=NIGHT)
    assert ended.status == "failed" and ended.steps.get(name="hotspots:zz").status == "done"
    assert "Cut off" in ended.error


# --- the clock -------------------------------------------------------------------------------------------------------
def test_a_night_slept_through_is_made_up_for_once_that_day(places):
    assert pipeline.run_due_pipelines(now=NIGHT - timedelta(minutes=1)) == []
    late = NIGHT + timedelta(hours=7)
    (made_up,) = pipeline.run_due_pipelines(now=late)
    assert made_up.key == "nightly:2026-03-10"
    assert pipeline.run_due_pipelines(now=late + timedelta(minutes=5)) == []


def test_a_full_run_by_hand_since_two_makes_the_catch_up_superfluous_and_a_partial_one_does_not(places):
    now = timezone.now()
    local = now.astimezone(timezone.get_default_timezone())
    if local.hour < 2:
        pytest.skip("before 02:00 in Kuwait no night is owed")
    pipeline.run_pipeline(trigger="manual", regions=["kw"])
    assert is_owed(now)
    pipeline.run_pipeline(trigger="manual")
    assert pipeline.run_due_pipelines(now=timezone.now()) == []


def test_both_beat_entries_name_a_task_that_exists():
    import incidents.tasks.pipeline  # noqa: F401
    from khareetaty.celery import app

    entries = {name: entry for name, entry in app.conf.beat_schedule.items() if name.startswith("pipeline")}
    assert len(entries) == 2 and all(entry["task"] in app.tasks for entry in entries.values())
    nightly = entries["pipeline: nightly"]["schedule"]
    assert (nightly.hour, nightly.minute, app.conf.timezone) == ({2}, {0}, "Asia/Kuwait")


# --- asked for by a person -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("who", ["dispatcher", "officer", "auditor"])
def test_those_who_may_not_run_it_are_refused(cast, who):
    with pytest.raises(NotAllowed):
        pipeline.request_pipeline_run(by=getattr(cast, who))
    assert not PipelineRun.objects.exists()


def test_a_second_click_while_one_runs_is_a_conflict(cast, django_capture_on_commit_callbacks):
    asked = pipeline.request_pipeline_run(by=cast.analyst)
    assert (asked.status, asked.requested_by) == ("waiting", cast.analyst)
    assert AuditEntry.objects.get(verb="pipeline.run").actor_name == "analyst"
    with pytest.raises(Conflict):
        pipeline.request_pipeline_run(by=cast.supervisor)
    from incidents.tasks.pipeline import run_pipeline as task

    task(asked.pk)
    asked.refresh_from_db()
    assert asked.status == "done"
    task(asked.pk)  # a message delivered twice
    task(10**9)  # a row deleted meanwhile
    assert pipeline.request_pipeline_run(by=cast.supervisor).pk != asked.pk


def test_a_request_whose_wake_up_was_lost_is_found_by_the_sweep(cast):
    asked = pipeline.request_pipeline_run(by=cast.analyst)
    before_two = NIGHT - timedelta(hours=1)
    assert pipeline.run_due_pipelines(now=before_two) == []
    PipelineRun.objects.update(started_at=before_two - timedelta(minutes=1))
    (done,) = pipeline.run_due_pipelines(now=before_two)
    assert (done.pk, done.status) == (asked.pk, "done")


@pytest.mark.parametrize(
    "given",
    [{"regions": ["atlantis"]}, {"regions": []}, {"only": ["astrology"]}, {"only": []}, {"as_of": datetime(2199, 1, 1, tzinfo=UTC)}],
)
def test_what_cannot_be_run_is_refused_and_leaves_no_row(places, given):
    with pytest.raises(Invalid):
        run(**given)
    assert not PipelineRun.objects.exists()


@pytest.mark.parametrize("given", [{"eps_m": 0}, {"min_points": 1}, {"window_days": -3}, {"interval": 1.0}, {"eps_m": True}])
def test_figures_out_of_reason_are_refused_by_name(given):
    with pytest.raises(Invalid) as refusal:
        pipeline.Parameters(**given)
    assert list(refusal.value.fields) == list(given)


# --- the command line ------------------------------------------------------------------------------------------------
def test_the_commands_last_line_is_its_summary(crowd, capsys):
    crowd(47.92, 29.35)
    out = StringIO()
    call_command("run_pipeline", "--as-of", "2026-03-10", "--region", "kw", "--only", "hotspots", "--json", stdout=out)
    summary = json.loads(out.getvalue().splitlines()[-1])
    assert summary["status"] == "done" and summary["counts"]["hot_spots"] == 2
    assert summary["steps"][0]["step"] == "hotspots:kw" and summary["steps"][0]["seconds"] >= 0
    assert AuditEntry.objects.get(verb="pipeline.run").door == "cli"


@pytest.mark.parametrize(
    ("given", "why"),
    [(["--as-of", "yesterday"], "yesterday"), (["--region", "atlantis"], "atlantis"), (["--min-points", "0"], "min_points")],
)
def test_the_command_says_what_is_wrong(places, given, why):
    with pytest.raises(CommandError, match=why):
        call_command("run_pipeline", *given)


def test_a_failed_run_ends_the_command_with_an_error(two_regions, monkeypatch):
    break_at(monkeypatch, "kw", ValueError("no"))
    with pytest.raises(SystemExit):
        call_command("run_pipeline", "--json", stdout=StringIO())
