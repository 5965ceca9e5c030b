"""ING-4, ING-5: a file of incidents through the command centre: upload, look, map, run, mend what was rejected; and every bad file."""

from __future__ import annotations

import gzip

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from incidents.models import ImportRun, Incident, RejectedRow, Source
from incidents.services.importing import execute_import

ADD = "admin:incidents_importrun_add"
GOOD = "ref,kind,when,x,y,notes\nA-1,burglary,2026-11-01 10:00,47.92,29.35,ok\nA-2,burglary,2026-11-01 11:00,47.97,29.35,=1+1\n"
MIXED = GOOD + "A-3,burglary,not a time,47.92,29.35,bad\nA-4,burglary,2026-11-01 12:00,48.9,29.35,at sea\n"


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def upload(client, source, text=MIXED, name="november.csv"):
    body = text if isinstance(text, bytes) else text.encode()
    return client.post(reverse(ADD), {"file": SimpleUploadedFile(name, body), "source": source.pk})


def prepared(client, run, **given):
    page = client.get(reverse("admin:incidents_importrun_prepare", args=[run.pk]))
    initial = {name: value for name, value in page.context["form"].initial.items() if value not in (None, "")}
    return client.post(reverse("admin:incidents_importrun_prepare", args=[run.pk]), {**initial, **given})


MAPPED = {
    "map_external_id": "ref",
    "map_type": "kind",
    "map_occurred_at": "when",
    "map_lon": "x",
    "map_lat": "y",
    "map_description": "notes",
}


def test_a_file_goes_from_upload_to_incidents_and_its_bad_rows_are_mended(cast, police_112, burglary):
    client = enter(cast.supervisor)
    assert upload(client, police_112).status_code == 302
    run = ImportRun.objects.get()
    look = prepared(client, run, look="1", **MAPPED)
    outcomes = [row.outcome for row, _shown in look.context["rows"]]
    assert outcomes == ["accepted", "accepted", "rejected", "quarantined"]
    assert not Incident.objects.exists()
    assert prepared(client, run, start="1", **MAPPED).status_code == 302
    run.refresh_from_db()
    assert run.status == "queued"
    execute_import(run=run)
    page = client.get(reverse("admin:incidents_importrun_change", args=[run.pk]))
    assert (page.context["run"].accepted, page.context["run"].rejected) == (2, 2) and page.context["has_rejects"]
    assert "hx-trigger" not in client.get(reverse("admin:incidents_importrun_progress", args=[run.pk])).content.decode()
    rejects = client.get(reverse("admin:incidents_importrun_rejects", args=[run.pk]))
    assert b"A-3" in b"".join(rejects.streaming_content)  # type: ignore[attr-defined]

    row = RejectedRow.objects.get(external_id="A-4")
    address = reverse("admin:incidents_rejectedrow_change", args=[row.pk])
    form = {name: value for name, value in client.get(address).context["row_form"].initial.items() if value}
    refused = client.post(address, {**form, "lon": "far"})
    assert refused.status_code == 200 and refused.context["row_form"].errors["lon"]
    assert client.post(address, {**form, "lon": "47.93"}).status_code == 302
    row.refresh_from_db()
    assert row.status == "corrected" and Incident.objects.count() == 3
    listing = reverse("admin:incidents_rejectedrow_changelist")
    left = RejectedRow.objects.get(external_id="A-3")
    client.post(listing, {"action": "dismiss", "_selected_action": [left.pk], "apply": "1", "reason": "nobody knows when"})
    left.refresh_from_db()
    assert left.status == "dismissed"


@pytest.mark.django_db(transaction=True)
def test_a_dry_run_changes_nothing_and_is_then_run_for_good(cast, police_112, burglary):
    client = enter(cast.analyst)
    upload(client, police_112, GOOD)
    tried = ImportRun.objects.get()
    prepared(client, tried, dry_run="1", **MAPPED)
    tried.refresh_from_db()
    execute_import(run=tried)
    assert not Incident.objects.exists()
    page = client.get(reverse("admin:incidents_importrun_change", args=[tried.pk]))
    assert page.context["can_go_on"] and page.context["run"].accepted == 2
    assert client.post(reverse("admin:incidents_importrun_again", args=[tried.pk])).status_code == 302
    run = ImportRun.objects.order_by("-pk")[0]
    assert (run.status, run.is_dry_run, run.options["mapping"]["type"]) == ("queued", False, "kind")
    execute_import(run=run)
    assert Incident.objects.count() == 2


def test_a_waiting_import_is_stopped(cast, police_112, burglary):
    client = enter(cast.supervisor)
    upload(client, police_112, GOOD)
    run = ImportRun.objects.get()
    prepared(client, run, start="1", **MAPPED)
    panel = client.get(reverse("admin:incidents_importrun_progress", args=[run.pk])).content.decode()
    assert 'hx-trigger="every 2s"' in panel
    assert client.get(reverse("admin:incidents_importrun_stop", args=[run.pk])).status_code == 405
    client.post(reverse("admin:incidents_importrun_stop", args=[run.pk]))
    run.refresh_from_db()
    assert run.status == "cancelled"
    execute_import(run=run)
    assert not Incident.objects.exists()
    again = client.post(reverse("admin:incidents_importrun_stop", args=[run.pk]), follow=True)
    assert "This import has ended." in [str(message) for message in again.context["messages"]]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("empty.csv", b""),
        ("photo.csv", b"\x89PNG\r\n\x1a\n" + bytes(200)),
        ("cut.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:20]),
        ("sheet.xlsx", b"PK\x03\x04 not a sheet"),
        ("page.pdf", b"%PDF-1.7 nothing"),
    ],
    ids=["empty", "picture", "cut gzip", "no sheet", "pdf"],
)
def test_a_file_that_is_no_table_is_refused_beside_the_field_and_keeps_nothing(name, body, cast, police_112, tmp_path):
    answer = upload(enter(cast.supervisor), police_112, body, name)
    run = ImportRun.objects.first()
    if run is not None:  # read only as far as its heading: then the page that shows it says what is wrong
        page = enter(cast.supervisor).get(reverse("admin:incidents_importrun_prepare", args=[run.pk]), follow=True)
        assert page.status_code == 200 and (page.context.get("seen") is None or page.context["seen"].problem or not page.context["rows"])
        return
    assert answer.status_code == 200 and answer.context["form"].errors["file"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_beyond_the_limit_is_refused_with_the_limit(cast, police_112, settings):
    settings.IMPORT_MAX_BYTES = 2**20
    answer = upload(enter(cast.supervisor), police_112, GOOD + "x" * 2**20)
    assert "1 MB" in str(answer.context["form"].errors["file"]) and not ImportRun.objects.exists()


def test_a_mapping_that_cannot_work_says_which_field_and_starts_nothing(cast, police_112, burglary):
    client = enter(cast.supervisor)
    upload(client, police_112, "a,b\n1,2\n")
    run = ImportRun.objects.get()
    answer = prepared(client, run, start="1")
    assert answer.status_code == 200 and answer.context["seen"].problem
    wrong_clock = prepared(client, run, start="1", tz="Asia/Atlantis")
    assert wrong_clock.context["form"].errors["tz"]
    run.refresh_from_db()
    assert run.status == "uploaded"


def test_who_may_not_import_is_refused_at_every_step_and_foreign_runs_are_404(cast, police_112, places, burglary):
    upload(enter(cast.supervisor), police_112, GOOD)
    run = ImportRun.objects.get()
    auditor = enter(cast.auditor)
    assert auditor.get(reverse(ADD)).status_code == 403
    assert auditor.get(reverse("admin:incidents_importrun_prepare", args=[run.pk])).status_code == 403
    auditor.post(reverse("admin:incidents_importrun_stop", args=[run.pk]))
    run.refresh_from_db()
    assert run.status == "uploaded"
    foreign = Source.objects.create(slug="fire-cad", name="Fire", agency=cast.fire, region=places.region)
    theirs = ImportRun.objects.create(source=foreign, file_name="theirs.csv", status="done")
    mine = enter(cast.supervisor)
    for step in ("change", "prepare", "progress", "rejects"):
        assert mine.get(reverse(f"admin:incidents_importrun_{step}", args=[theirs.pk])).status_code == 404
    assert upload(mine, foreign).context["form"].errors["source"]
