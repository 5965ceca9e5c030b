"""INT-7: sharing between agencies: each read on record."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from interop.models import Part, Precision, ReadRecord
from interop.services.sharing.reads import keep_reads, writer
from interop.tests.sharing.reading import PATH

pytestmark = pytest.mark.django_db


def test_each_read_through_an_agreement_is_on_record_before_it_is_told(agreed, report, fire_report, fire_key):
    shared, own = [report(), report()], fire_report()
    agreement, caller = agreed(precision=Precision.GRID, parts=[Part.PLACE]), fire_key()
    answer = caller.get(PATH, {"limit": 100})
    (record,) = ReadRecord.objects.all()
    assert set(record.incident_ids) == {one.pk for one in shared} and record.agreement_id == agreement.pk and record.version == 1
    assert (record.reader, record.precision, record.door) == ("fire-cad/pull", "100m", "external/incidents.json")
    assert record.request_id == answer["X-Request-ID"]
    writer.flush()
    (mine,) = ReadRecord.objects.filter(agreement_id=None)
    assert mine.incident_ids == [own.pk] and mine.precision == "exact"
    caller.get(f"{PATH}/{shared[0].ref}")
    assert ReadRecord.objects.of_incident(shared[0].pk).count() == 2 and ReadRecord.objects.of_incident(shared[1].pk).count() == 1


@pytest.mark.parametrize(
    ("path", "door"),
    [
        (PATH, "external/incidents.json"), ("incidents", "incidents"), ("incidents/{ref}", "incidents"), ("eido/incidents/{ref}", "eido"),
        ("ogc/collections/incidents/items", "ogc"), ("ogc/collections/incidents/items/{ref}", "ogc"),
    ],
)  # fmt: skip
def test_own_reads_are_on_record_at_every_door(path, door, fire_report, fire_key):
    own, caller = fire_report(), fire_key()
    assert caller.get(path.format(ref=own.ref)).status_code == 200
    writer.flush()
    (record,) = ReadRecord.objects.all()
    assert (record.door, record.incident_ids, record.agreement_id) == (door, [own.pk], None)


def test_own_reads_are_forgotten_sooner_than_those_through_agreements(agreed, report, fire_report, fire_key, settings):
    report(), fire_report()
    agreed()
    fire_key().get(PATH)
    writer.flush()
    long_ago = timezone.now() - timedelta(days=settings.READS_KEEP_DAYS + 1)
    ReadRecord.objects.update(at=long_ago)
    keep_reads()
    assert [record.agreement_id is None for record in ReadRecord.objects.all()] == [False]
    keep_reads(now=timezone.now() + timedelta(days=settings.SHARED_READS_KEEP_DAYS))
    assert ReadRecord.objects.count() == 0


def test_an_agreement_costs_two_questions(agreed, report, fire_report, fire_key):
    report(), fire_report()
    caller = fire_key()
    caller.get(PATH), caller.get(PATH)  # that it was used is noted by the first, and the key read anew by the second
    with CaptureQueriesContext(connection) as without:
        caller.get(PATH)
    agreed()
    with CaptureQueriesContext(connection) as with_one:
        caller.get(PATH)
    assert len(with_one) - len(without) == 2, "its rows, and the record"
