"""ANA-9: the list handed to patrol: from what is published, metered, within the jurisdiction, drawn up once and kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.models import Handover
from incidents.services.trust.handover import RULE, hand_over, next_shift, seed_of
from incidents.services.trust.suppressions import suppress_place
from incidents.services.trust.switches import switch_model
from incidents.tests.issued import cell_of, choice, risk, run_at

NOON = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)  # 12:00 in Kuwait: the next shift begins at 14:00


@pytest.fixture
def surface(places, cast, report):
    """100 cells of Hawalli in a row, riskier to the west, and ten of the Capital; for a month from this morning."""
    run = run_at(NOON - timedelta(hours=10))
    column, row = cell_of(places.region, 47.92, 29.35)
    cells = [(column + n % 10, row + n // 10) for n in range(100)] + [(column - 40 + n, row) for n in range(10)]
    values = [float(110 - n) for n in range(110)]
    zones = [places.hawalli] * 100 + [places.capital] * 10
    choice(run, places.region)
    return risk(run, places.region, cells, values, governorates=zones, days=30)


def hand(places, cast, **given):
    return hand_over(**{"governorate": places.hawalli, "by": cast.supervisor, "now": NOON, **given})


def test_shifts_are_of_eight_hours_on_the_regions_clock(places):
    start, end = next_shift(places.region, NOON)
    assert (start, end) == (datetime(2026, 11, 21, 11, tzinfo=UTC), datetime(2026, 11, 21, 19, tzinfo=UTC))
    start, end = next_shift(places.region, datetime(2026, 11, 21, 20, tzinfo=UTC))  # 23:00: the next morning's
    assert (start, end) == (datetime(2026, 11, 22, 3, tzinfo=UTC), datetime(2026, 11, 22, 11, tzinfo=UTC))


def test_a_list_has_the_riskiest_cells_and_a_tenth_by_chance(surface, places, cast):
    made = hand(places, cast)
    assert len(made.columns) == 20 and made.reasons == ["risk"] * 18 + ["explore"] * 2
    first = list(zip(surface.columns[:18], surface.rows[:18], strict=True))
    assert list(zip(made.columns, made.rows, strict=True))[:18] == first
    assert made.seed == seed_of(surface.pk, places.hawalli.pk, made.shift_from)
    assert made.parameters["probabilities"][:18] == [1.0] * 18 and 0 < made.parameters["probabilities"][19] < 1
    assert AuditEntry.objects.filter(verb="patrol.hand_over").count() == 1
    assert Event.objects.get(type="patrol.handed_over").governorate_id == places.hawalli.pk


def test_asking_twice_gives_the_same_list(surface, places, cast):
    assert hand(places, cast) == hand(places, cast) and Handover.objects.count() == 1


def test_a_list_stays_as_it_was_drawn_up(surface, places, cast):
    hand(places, cast)
    with pytest.raises(DatabaseError), transaction.atomic():
        Handover.objects.update(capped=5)


def test_no_cell_is_handed_out_more_often_than_the_cap(surface, places, cast):
    for shift in range(21):
        hand(places, cast, now=NOON + timedelta(hours=8 * shift - 1))
        last = Handover.objects.order_by("-shift_from")[: RULE.of_last]
        counts: dict[tuple[int, int], int] = {}
        for made in last:
            for cell in zip(made.columns, made.rows, strict=True):
                counts[cell] = counts.get(cell, 0) + 1
        assert max(counts.values()) <= RULE.cap
        if shift == RULE.cap:
            assert made is not None and last[0].capped >= 18


def test_what_people_hold_back_is_not_handed_out(surface, places, cast):
    suppress_place(centre=places.in_salmiya, radius_m=400, days=30, reason="A wedding hall.", by=cast.supervisor)
    made = hand(places, cast)
    worst = (surface.columns[0], surface.rows[0])
    assert worst not in set(zip(made.columns, made.rows, strict=True)) and made.suppressed >= 3


def test_a_suppression_that_ends_before_the_shift_holds_nothing_back(surface, places, cast):
    from django.utils import timezone

    suppress_place(centre=places.in_salmiya, radius_m=400, days=1, reason="One evening.", by=cast.supervisor)
    later = max(NOON, timezone.now()) + timedelta(days=2)
    risk(surface.run, places.region, [(surface.columns[0], surface.rows[0])], [1], governorates=[places.hawalli], valid_from=later)
    assert hand(places, cast, now=later, cells=1).suppressed == 0


def test_a_surface_switched_off_leaves_the_list_to_the_baseline_or_there_is_none(surface, places, cast):
    zones = [places.hawalli]
    risk(
        surface.run, places.region, [(1, 1)], [1], governorates=zones, role="baseline", model="last_52_weeks", valid_from=surface.valid_from
    )
    switch_model(model="ensemble", on=False, by=cast.superadmin, reason="Being looked into.")
    assert hand(places, cast, cells=1).surface.model == "last_52_weeks"
    switch_model(model="last_52_weeks", on=False, by=cast.superadmin, reason="This too.")
    with pytest.raises(Conflict, match="No risk surface"):
        hand(places, cast, now=NOON + timedelta(hours=8))


def test_the_shifts_own_surface_is_preferred(surface, places, cast):
    own = risk(
        surface.run, places.region, [(5, 5)], [1], horizon="shift", days=1, governorates=[places.hawalli], valid_from=surface.valid_from
    )
    assert hand(places, cast, cells=1).surface == own


@pytest.mark.parametrize("name", ["analyst", "dispatcher", "officer", "auditor"])
def test_other_roles_hand_nothing_over(surface, places, cast, name):
    with pytest.raises(NotAllowed):
        hand(places, cast, by=getattr(cast, name))


def test_another_governorate_does_not_exist_for_the_supervisor(surface, places, cast):
    for zone in (places.capital, places.salmiya):
        with pytest.raises(NotFound):
            hand(places, cast, governorate=zone)


@pytest.mark.parametrize("cells", [0, -1, 101, True, 2.5])
def test_a_length_that_makes_no_sense_is_refused(surface, places, cast, cells):
    with pytest.raises(Invalid):
        hand(places, cast, cells=cells)


def test_each_cell_says_what_leads_there(surface, places, cast, report):
    report(occurred_at=NOON - timedelta(days=3))
    made = hand(places, cast)
    assert made.parameters["leading"][0] == "property"


def test_a_shift_under_way_takes_what_is_published_for_the_rest_of_it(surface, places, cast):
    began = NOON - timedelta(hours=12)  # before the surface's time
    made = hand(places, cast, shift=(began, NOON + timedelta(hours=1)))
    assert made.surface_id == surface.pk and "surface_begins_at" not in made.parameters
    over = (began - timedelta(hours=8), began)
    with pytest.raises(Conflict, match="No risk surface"):
        hand(places, cast, shift=over)


def test_a_shift_under_way_before_the_first_surface_begins_takes_the_nearest_and_says_so(surface, places, cast):
    early = surface.valid_from - timedelta(hours=3)
    made = hand(places, cast, now=early, shift=(early - timedelta(hours=1), early + timedelta(hours=7)))
    assert made.surface_id == surface.pk
    assert made.parameters["surface_begins_at"] == surface.valid_from.isoformat()
    too_early = surface.valid_from - timedelta(hours=25)
    with pytest.raises(Conflict, match="No risk surface"):
        hand(places, cast, now=too_early, shift=(too_early, too_early + timedelta(hours=8)))
