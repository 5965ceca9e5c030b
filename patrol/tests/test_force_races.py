"""PAT-1: two at once: the roster, and a unit that is given work while it is taken out of use; and a fortnight of forty units in one go."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from threading import Barrier, Thread
from time import perf_counter

import pytest
from django.db import connection

from core.errors import Conflict
from patrol.models import Assignment, Duty, Member, RosterEntry, ShiftPattern, Unit
from patrol.services.assignments import assign
from patrol.services.force import retire_unit
from patrol.services.roster import Line, put_many_on_roster, put_on_roster
from patrol.services.shifts import make_shifts


def both(*verbs):
    """Run them in the same moment; what each ended with."""
    barrier, told = Barrier(len(verbs)), {}

    def run(number, verb):
        try:
            barrier.wait()
            verb()
            told[number] = "done"
        except Conflict as refusal:
            told[number] = refusal.message
        finally:
            connection.close()

    threads = [Thread(target=run, args=pair) for pair in enumerate(verbs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [told[number] for number in range(len(verbs))]


@pytest.mark.django_db(transaction=True)
def test_two_supervisors_put_the_same_person_on_two_units_one_wins_the_other_is_told(force, cast):
    told = both(
        lambda: put_on_roster(shift=force.shift, member=force.partner, unit=force.p1, by=cast.supervisor),
        lambda: put_on_roster(shift=force.shift, member=force.partner, unit=force.p2, by=cast.supervisor),
    )
    assert told.count("done") == 1 and "on the roster already" in next(text for text in told if text != "done")
    assert RosterEntry.objects.standing().count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_unit_is_given_work_or_taken_out_of_use_never_both(force, cast):
    Duty.objects.filter(unit=force.p2).update(ended_at=datetime.now(UTC))
    told = both(
        lambda: retire_unit(unit=Unit.objects.get(pk=force.p2.pk), by=cast.supervisor, reason="Sold"),
        lambda: assign(unit=force.p2, by=cast.supervisor, kind="task", title="Stand by"),
    )
    assert told.count("done") == 1, told
    assert Unit.objects.get(pk=force.p2.pk).is_active == Assignment.objects.open().filter(unit=force.p2).exists()


def test_a_fortnight_of_forty_units_with_three_shifts_takes_seconds(force, cast, places):
    place = {"agency": cast.police, "governorate": places.hawalli}
    for code, hour in (("B", 14), ("C", 22)):
        ShiftPattern.objects.create(agency=cast.police, code=code, name_en=code, name_ar=code, begins_at=time(hour), length_minutes=480)
    units = [Unit.objects.create(**place, station=force.salmiya_station, call_sign=f"F{number}") for number in range(40)]
    people = Member.objects.bulk_create(
        Member(**place, service_number=f"4{number:03}", name_en=f"Person {number}") for number in range(240)
    )
    shifts = make_shifts(governorate=places.hawalli, agency=cast.police, first_day=date(2030, 1, 6), days=14, by=cast.supervisor)
    lines = [
        Line(shift, people[(unit * 3 + number % 3) * 2 + seat], units[unit], "leader" if seat == 0 else "driver")
        for number, shift in enumerate(shifts)
        for unit in range(40)
        for seat in range(2)
    ]
    began = perf_counter()
    done = put_many_on_roster(lines=lines, by=cast.supervisor)
    seconds = perf_counter() - began
    assert len(done.made) == 14 * 3 * 40 * 2 and not done.refusals
    assert seconds < 20, seconds  # two to four on a quiet machine
    print(f"{len(done.made)} lines in {seconds:.2f} s")
    began = perf_counter()
    assert len(put_many_on_roster(lines=lines, by=cast.supervisor).unchanged) == len(lines)
    assert perf_counter() - began < 20
