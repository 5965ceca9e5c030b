"""PAT-10: trials drawn, sealed by a second person before they begin, held to by the database, and reported once they are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.gis.geos import Point
from django.db import IntegrityError, transaction
from pyproj import Transformer

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.models import Incident
from patrol.models import StopDosage, Trial, TrialCell, TrialPresence, UnitDay
from patrol.services.dosage.days import measure_day, measure_days
from patrol.services.trials import (
    Design,
    draw_trial,
    due_at,
    held_out,
    held_out_cells,
    report_due_trials,
    report_trial,
    seal_holds,
    seal_trial,
    stop_trial,
)
from patrol.tests.measured import published, seen, stop

pytestmark = pytest.mark.usefixtures("this_minute")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
DAY = timedelta(days=1)
TO_DEGREES = Transformer.from_crs(32638, 4326, always_xy=True)


def design(**more: Any) -> Design:
    given: dict[str, Any] = {
        "name": "Stops of twelve minutes",
        "hypothesis": "A fifth fewer burglaries where patrols stop.",
        "starts_at": NOW + 2 * DAY,
        "ends_at": NOW + 30 * DAY,
        "cells": 16,
        "strata": 2,
    }
    return Design(**{**given, **more})


def centre(trial: Trial, cell: TrialCell) -> Point:
    lon, lat = TO_DEGREES.transform((cell.column + 0.5) * trial.cell_m, (cell.row + 0.5) * trial.cell_m)
    return Point(lon, lat, srid=4326)


@pytest.fixture
def happened(places, police_112, burglary, cast):
    """Burglaries about Hawalli in the last 120 days, in a lattice of places 1 km apart, more in some than in others."""

    def make(at: datetime, location: Point, **more: Any) -> Incident:
        return Incident(
            region=places.region,
            source=police_112,
            type=burglary,
            agency=cast.police,
            governorate=places.hawalli,
            location=location,
            occurred_at=at,
            reported_at=at,
            severity=2,
            priority=3,
            **more,
        )

    return make


@pytest.fixture
def history(happened, places):
    rng = np.random.default_rng(1)
    rows = []
    for number in range(36):
        place = Point(47.905 + 0.0155 * (number % 6), 29.305 + 0.0155 * (number // 6), srid=4326)
        rows += [happened(NOW - float(days) * DAY, place) for days in rng.uniform(1.5, 118, 3 + number // 3)]
    rows.append(happened(NOW - 119 * DAY, Point(47.905, 29.305, srid=4326)))
    Incident.objects.bulk_create(rows)


@pytest.fixture
def drawn(history, cast, places):
    return draw_trial(governorate=places.hawalli, agency=cast.police, by=cast.analyst, design=design(), now=NOW, seed=11)


@pytest.fixture
def sealed(drawn, cast):
    return seal_trial(trial=drawn, by=cast.supervisor, now=NOW + DAY)


def told(trial: Trial) -> Any:
    """The report of a trial whose time has come."""
    return report_trial(trial=trial, by=None, now=over(trial)).report


def over(trial: Trial) -> datetime:
    return due_at(trial) + timedelta(minutes=1)


def test_a_draw_has_both_arms_in_each_stratum_and_a_ring_about_each_cell(drawn):
    arms = list(drawn.cells.values_list("arm", flat=True))
    assert (arms.count("treatment"), arms.count("control"), arms.count("buffer")) == (8, 8, 128)
    for stratum in (1, 2):
        assert set(drawn.cells.filter(stratum=stratum).values_list("arm", flat=True)) == {"treatment", "control"}
    assert drawn.parameters["source"] == "counts" and drawn.state == "draft"
    assert drawn.cells.exclude(arm="buffer").filter(baseline_count=0).count() == 0


def test_the_same_seed_draws_the_same_cells_again(drawn, cast, places):
    again = draw_trial(governorate=places.hawalli, agency=cast.police, by=cast.analyst, design=design(), now=NOW, seed=11)
    same = [
        list(TrialCell.objects.filter(trial=trial).order_by("column", "row").values_list("column", "row", "arm"))
        for trial in (drawn, again)
    ]
    assert same[0] == same[1]
    other = draw_trial(governorate=places.hawalli, agency=cast.police, by=cast.analyst, design=design(), now=NOW)
    assert other.seed != drawn.seed and list(other.cells.order_by("column", "row").values_list("column", "row", "arm")) != same[0]


def test_too_little_history_says_how_much_there_is(happened, cast, places):
    happened(NOW - 5 * DAY, places.in_salmiya).save()
    with pytest.raises(Invalid) as refusal:
        draw_trial(governorate=places.hawalli, agency=cast.police, by=cast.analyst, design=design(), now=NOW)
    assert refusal.value.fields["baseline_days"].startswith("Too little history: 4 days, needs 90") or "5 days" in str(refusal.value.fields)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"starts_at": NOW - DAY}, "starts_at"),
        ({"starts_at": NOW + 90 * DAY, "ends_at": NOW + 120 * DAY}, "starts_at"),
        ({"ends_at": NOW + 5 * DAY}, "ends_at"),
        ({"name": " "}, "name"),
        ({"hypothesis": ""}, "hypothesis"),
        ({"holdout_share": 0.0}, "holdout_share"),
        ({"cells": 4}, "cells"),
        ({"cells": 400, "strata": 30}, "strata"),
        ({"category": "no-such"}, "category"),
    ],
)
def test_what_cannot_be_drawn_says_which_field(history, cast, places, change, field):
    with pytest.raises(Invalid) as refusal:
        draw_trial(governorate=places.hawalli, agency=cast.police, by=cast.analyst, design=design(**change), now=NOW)
    assert field in refusal.value.fields
    assert not Trial.objects.exists()


def test_only_those_who_may_run_trials_draw_seal_or_stop_one(drawn, cast, places):
    for person in (cast.dispatcher, cast.officer, cast.auditor):
        with pytest.raises(NotAllowed):
            draw_trial(governorate=places.hawalli, agency=cast.police, by=person, design=design(), now=NOW)
        with pytest.raises(NotAllowed):
            seal_trial(trial=drawn, by=person, now=NOW)
        with pytest.raises(NotAllowed):
            stop_trial(trial=drawn, by=person, reason="no", now=NOW)
    with pytest.raises(NotFound):
        draw_trial(governorate=places.capital, agency=cast.police, by=cast.supervisor, design=design(), now=NOW)


def test_who_drew_it_does_not_seal_it(drawn, cast):
    with pytest.raises(NotAllowed, match="Another person"):
        seal_trial(trial=drawn, by=cast.analyst, now=NOW)
    with pytest.raises(IntegrityError, match="trial_two_people"), transaction.atomic():
        Trial.objects.filter(pk=drawn.pk).update(sealed_by=cast.analyst)


def test_sealing_takes_the_hash_of_the_draw_and_announces_it(sealed, cast):
    assert sealed.state == "sealed" and len(sealed.sealed_sha256) == 64 and seal_holds(sealed)
    event = Event.objects.get(type="trial.sealed")
    assert event.data == {"trial": sealed.pk, "treatment": 8, "control": 8}
    assert AuditEntry.objects.filter(verb="trial.seal").exists()
    with pytest.raises(Conflict, match="no draft"):
        seal_trial(trial=sealed, by=cast.supervisor, now=NOW)


def test_a_trial_whose_period_has_begun_is_not_sealed(drawn, cast):
    with pytest.raises(Conflict, match="has begun"):
        seal_trial(trial=drawn, by=cast.supervisor, now=drawn.starts_at)
    with pytest.raises(IntegrityError, match="trial_sealed_before"), transaction.atomic():
        Trial.objects.filter(pk=drawn.pk).update(sealed_at=drawn.starts_at + DAY)


def test_two_trials_do_not_run_in_one_governorate_at_once(sealed, cast, places):
    other = draw_trial(governorate=places.hawalli, agency=cast.police, by=cast.analyst, design=design(name="Other"), now=NOW)
    with pytest.raises(Conflict, match="Stops of twelve minutes"):
        seal_trial(trial=other, by=cast.supervisor, now=NOW + DAY)


@pytest.mark.parametrize(
    "change",
    [{"ends_at": NOW + 60 * DAY}, {"seed": 1}, {"hypothesis": "Another"}, {"cell_m": 100}, {"sealed_sha256": "x"}, {"parameters": {}}],
)
def test_the_database_keeps_a_sealed_trial_as_it_is(sealed, change):
    with pytest.raises(IntegrityError, match="is sealed"), transaction.atomic():
        Trial.objects.filter(pk=sealed.pk).update(**change)


def test_the_database_keeps_the_cells_of_a_sealed_trial(sealed):
    cell = sealed.cells.first()
    for act in (
        lambda: TrialCell.objects.filter(pk=cell.pk).update(arm="control"),
        lambda: TrialCell.objects.filter(pk=cell.pk).delete(),
        lambda: TrialCell.objects.create(trial=sealed, column=1, row=1, arm="control"),
        lambda: Trial.objects.filter(pk=sealed.pk)._raw_delete("default"),
        lambda: Trial.objects.filter(pk=sealed.pk).update(state="draft"),
    ):
        with pytest.raises(IntegrityError, match="is sealed"), transaction.atomic():
            act()


def test_planning_is_told_the_cells_held_out_while_the_trial_runs_and_not_before_or_after(sealed, cast, places):
    here = {"governorate": places.hawalli, "agency": cast.police}
    control = set(sealed.cells.filter(arm="control").values_list("column", "row"))
    assert held_out_cells(**here, at=sealed.starts_at) == control
    assert held_out_cells(**here, at=sealed.starts_at - DAY) == held_out_cells(**here, at=sealed.ends_at) == set()
    assert held_out_cells(governorate=places.hawalli, agency=cast.fire, at=sealed.starts_at) == set()
    assert held_out(**here, at=NOW, until=sealed.starts_at + DAY)[0].cells == control
    one = held_out(**here, at=sealed.starts_at)[0]
    inside = [centre(sealed, cell) for cell in sealed.cells.filter(arm="control")[:2]]
    outside = centre(sealed, sealed.cells.filter(arm="treatment").first())
    assert one.covers([(p.x, p.y) for p in (*inside, outside)]).tolist() == [True, True, False]
    stop_trial(trial=sealed, by=cast.supervisor, reason="A flood", now=sealed.starts_at + DAY)
    assert held_out_cells(**here, at=sealed.starts_at + 2 * DAY) == set()


def test_a_draft_holds_nothing_out(drawn, cast, places):
    assert held_out_cells(governorate=places.hawalli, agency=cast.police, at=drawn.starts_at + DAY) == set()


def test_nothing_is_computed_before_the_period_and_two_days_are_over(sealed, cast):
    for when in (sealed.starts_at, sealed.ends_at, sealed.ends_at + DAY):
        with pytest.raises(Conflict, match="Too early"):
            report_trial(trial=sealed, by=cast.analyst, now=when)
    assert report_due_trials(now=sealed.ends_at + DAY) == 0


def test_a_draft_or_a_stopped_trial_has_no_effect(drawn, cast):
    with pytest.raises(Conflict, match="Only a sealed"):
        report_trial(trial=drawn, by=cast.analyst, now=over(drawn))
    stop_trial(trial=drawn, by=cast.analyst, reason="Badly named", now=NOW)
    with pytest.raises(Conflict, match="Only a sealed"):
        report_trial(trial=drawn, by=cast.analyst, now=over(drawn))
    with pytest.raises(Invalid):
        stop_trial(trial=drawn, by=cast.analyst, reason=" ", now=NOW)


def crimes(trial: Trial, happened: Any, treated: int, control: int, **more: Any) -> None:
    """So many incidents in each cell of the arms, all within the period."""
    rows = []
    for cell in trial.cells.exclude(arm="buffer"):
        times = [trial.starts_at + timedelta(hours=1 + 30 * number) for number in range(treated if cell.arm == "treatment" else control)]
        rows += [happened(at, centre(trial, cell), **more) for at in times]
    Incident.objects.bulk_create(rows)


def test_a_reduction_is_found_counted_by_hand(sealed, happened):
    crimes(sealed, happened, treated=2, control=12)
    assert report_due_trials(now=over(sealed)) == 1
    sealed.refresh_from_db()
    report: Any = sealed.report
    before = {arm: sum(sealed.cells.filter(arm=arm).values_list("baseline_count", flat=True)) for arm in ("treatment", "control")}
    found = report["effect"]
    assert (found["treated_during"], found["control_during"]) == (16, 96)
    assert (found["treated_before"], found["control_before"]) == (before["treatment"], before["control"])
    wanted = (16.5 / 96.5) / ((before["treatment"] + 0.5) / (before["control"] + 0.5))
    assert found["ratio"] == pytest.approx(wanted, abs=1e-5)
    assert report["verdict"] == "helped" and found["low"] < wanted < found["high"] < 1
    assert sealed.state == "reported" and report["seal_holds"] and "nothing_planned" in report["caveats"]
    assert Event.objects.get(type="trial.reported").data["found"] == "helped"


def test_no_effect_is_called_none(sealed, happened):
    crimes(sealed, happened, treated=6, control=6)
    report = told(sealed)
    assert report["verdict"] == "none" and report["effect"]["low"] < 1 < report["effect"]["high"]


def test_a_handful_of_incidents_is_too_few_to_say(sealed, happened):
    crimes(sealed, happened, treated=0, control=1)
    report = told(sealed)
    assert (report["verdict"], report["incidents"], report["least_incidents"]) == ("too_few", 8, 20)


def test_what_officers_find_themselves_is_not_counted(sealed, happened):
    crimes(sealed, happened, treated=6, control=6)
    crimes(sealed, happened, treated=0, control=20, origin="discovered")
    assert told(sealed)["incidents"] == 96


def test_a_report_stays_as_it_was_counted(sealed, happened, cast):
    crimes(sealed, happened, treated=3, control=3)
    first = report_trial(trial=sealed, by=None, now=over(sealed))
    crimes(sealed, happened, treated=0, control=9)
    assert report_trial(trial=first, by=cast.analyst, now=over(sealed) + DAY).report == first.report
    with pytest.raises(IntegrityError, match="report stays"), transaction.atomic():
        Trial.objects.filter(pk=sealed.pk).update(report={"verdict": "helped"})


def test_dosage_is_said_by_arm_and_stops_in_control_cells_are_told(sealed, happened, force):
    shift = force.shift
    shift.starts_at, shift.ends_at = sealed.starts_at + DAY, sealed.starts_at + DAY + timedelta(hours=8)
    shift.save(update_fields=["starts_at", "ends_at"])
    plan = published(shift)
    for arm, delivered in (("treatment", 600.0), ("control", 120.0)):
        cell = sealed.cells.filter(arm=arm).first()
        one = stop(plan, force.p1, shift.starts_at, location=centre(sealed, cell), place=arm)
        StopDosage.objects.create(
            stop=one, planned_s=720, delivered_s=delivered, absent_s=0, unknown_s=720 - delivered, measured_at=NOW, is_final=True
        )
    crimes(sealed, happened, treated=3, control=3)
    report = told(sealed)
    assert report["dosage"]["treatment"]["delivered_s"] == 600 and report["dosage"]["control"]["stops"] == 1
    assert "stops_in_control" in report["caveats"] and "nothing_planned" not in report["caveats"]
    assert "presence_not_measured" in report["caveats"]


def test_presence_in_cells_is_kept_day_by_day_and_tells_of_contamination(sealed, happened, force):
    cell = sealed.cells.filter(arm="control").first()
    noon = (sealed.starts_at + DAY).replace(hour=9, minute=0, second=0, microsecond=0)
    day = noon.astimezone(sealed.region.zone_info).date()
    place = centre(sealed, cell)
    seen(force.p2, noon, range(0, 601, 30), at=place)
    seen(force.f1, noon, range(0, 601, 30), at=place)  # of another agency: none of this trial's patrols
    assert measure_day(region=sealed.region, day=day, now=noon + DAY) == 3
    assert TrialPresence.objects.get(cell=cell).seconds == 600
    assert measure_day(region=sealed.region, day=day, now=noon + DAY) == 2, "the other agency's unit has its last word"
    assert TrialPresence.objects.get(cell=cell).seconds == 600, "measuring twice counts once"
    crimes(sealed, happened, treated=3, control=3)
    report = told(sealed)
    assert report["presence"]["minutes_per_cell_day"]["control"] == pytest.approx(10 / 8, abs=1e-3)
    assert "contaminated" in report["caveats"]


def test_a_units_day_knows_duty_driving_and_what_is_not_known(force):
    region = force.p1.governorate.region
    start = datetime.combine((NOW - DAY).astimezone(region.zone_info).date(), datetime.min.time(), region.zone_info) + timedelta(hours=8)
    force.p1.duties.update(started_at=start, ended_at=start + timedelta(hours=1))
    for minute in range(30):
        seen(force.p1, start, [60 * minute], east_m=200.0 * minute)
    seen(force.p1, start, [905], east_m=300_000, doubt="jump")
    assert measure_days(now=NOW) >= 1
    found = UnitDay.objects.get(unit=force.p1, day=start.date())
    assert found.duty_s == 3600 and found.known_s == 29 * 60 and found.doubted == 1
    assert found.metres == pytest.approx(29 * 200, rel=0.01)


def test_two_people_on_a_unit_are_one_duty(force):
    region = force.p1.governorate.region
    start = datetime.combine((NOW - DAY).astimezone(region.zone_info).date(), datetime.min.time(), region.zone_info)
    force.p1.duties.update(started_at=start + timedelta(hours=1), ended_at=start + timedelta(hours=3))
    force.p1.duties.create(
        member=force.partner,
        agency=force.p1.agency,
        governorate=force.p1.governorate,
        started_at=start + timedelta(hours=2),
        ended_at=start + timedelta(hours=4),
    )
    measure_day(region=region, day=start.date(), now=NOW)
    assert UnitDay.objects.get(unit=force.p1, day=start.date()).duty_s == 3 * 3600


def test_a_final_day_is_not_measured_again_when_its_positions_are_gone(force):
    region = force.p1.governorate.region
    day = (NOW - 2 * DAY).astimezone(region.zone_info).date()
    start = datetime.combine(day, datetime.min.time(), region.zone_info)
    force.p1.duties.update(started_at=start, ended_at=start + timedelta(hours=1))
    UnitDay.objects.create(unit=force.p1, day=day, duty_s=3600, known_s=3000, metres=9000, measured_at=NOW, is_final=True)
    measure_days(now=NOW)
    assert UnitDay.objects.get(unit=force.p1, day=day).metres == 9000
