"""PAT-1, PAT-5: the roster's pages, a file brought in, teams and zones, and the control of one's own duty."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter, process_time

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from patrol.models import Duty, Leave, Member, RosterEntry, ShiftPattern, Unit, ZoneAssignment
from patrol.services.roster import Line, put_many_on_roster, put_on_roster
from patrol.services.shifts import make_shifts

SUNDAY = date(2030, 1, 6)
H = timedelta(hours=1)
WEEK = {"week": "2030-01-06", "agency": "police", "governorate": "T-HA"}


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def desk(cast):
    return signed_in(cast.supervisor)


@pytest.fixture
def week(force, cast, places):
    """Mornings and nights of the week of Sunday 6 January 2030."""
    ShiftPattern.objects.create(agency=cast.police, code="C", name_en="Night", name_ar="ليلية", begins_at=time(22), length_minutes=480)
    return make_shifts(governorate=places.hawalli, agency=cast.police, first_day=SUNDAY, days=7, by=None)


# --- the week ----------------------------------------------------------------------------------------------------------------------------


def test_a_week_shows_who_is_on_which_unit_and_the_gaps(week, force, desk, cast):
    force.p1.skills.add(force.first_aid)
    put_on_roster(shift=week[0], member=force.partner, unit=force.p1, part="leader", by=cast.supervisor)
    page = desk.get(reverse("roster"), WEEK).content.decode()
    assert "Officer two" in page and "★" in page
    assert "6 Jan, 06:00, A: P1: nobody of the crew: First aid" in page
    assert "6 Jan, 06:00, A: without crew: P2" in page
    assert "6 Jan, 22:00, C: nobody is on this shift" in page


def test_an_empty_roster_and_a_week_without_shifts_are_said_plainly(week, desk):
    assert "The roster of this week is empty" in desk.get(reverse("roster"), WEEK).content.decode()
    assert "No shifts in this week" in desk.get(reverse("roster"), {**WEEK, "week": "2031-01-05"}).content.decode()


def test_by_person_shows_hours_and_leave_without_its_kind(week, force, desk, cast):
    put_on_roster(shift=week[0], member=force.partner, unit=force.p1, by=cast.supervisor)
    Leave.objects.create(member=force.officer, kind="sick", starts_at=week[4].starts_at, ends_at=week[8].ends_at)
    page = desk.get(reverse("roster"), {**WEEK, "by": "person"}).content.decode()
    assert "8:00" in page and "On leave" in page and "Sick" not in page


def test_names_are_escaped(week, force, desk, cast):
    Member.objects.filter(pk=force.partner.pk).update(name_en="<script>alert(1)</script>")
    put_on_roster(shift=week[0], member=force.partner, unit=force.p1, by=cast.supervisor)
    for by in ("unit", "person"):
        page = desk.get(reverse("roster"), {**WEEK, "by": by}).content.decode()
        assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_three_hundred_people_and_seven_days_are_shown_in_a_second_with_few_questions(week, force, desk, cast, places):
    people = Member.objects.bulk_create(
        Member(agency=cast.police, governorate=places.hawalli, service_number=f"9{n:03}", name_en=f"Person {n}") for n in range(300)
    )
    units = Unit.objects.bulk_create(
        Unit(agency=cast.police, governorate=places.hawalli, station=force.salmiya_station, call_sign=f"R{n}") for n in range(50)
    )
    lines = [
        Line(shift, people[(number % 2) * 150 + place], units[place // 3]) for number, shift in enumerate(week) for place in range(150)
    ]
    assert len(put_many_on_roster(lines=lines, by=cast.supervisor).made) == 2100
    for by in ("unit", "person"):
        took, waited = [], []
        for _again in range(3):
            # The page's own work; what other programs take of the machine meanwhile is not its cost.
            began, worked = perf_counter(), process_time()
            with CaptureQueriesContext(connection) as asked:
                page = desk.get(reverse("roster"), {**WEEK, "by": by})
            took.append(process_time() - worked)
            waited.append(perf_counter() - began)
            assert page.status_code == 200 and len(asked) <= 20, [query["sql"][:100] for query in asked]
        print(by, "work", min(took), "wait", min(waited))
        assert min(took) < 1.0, took


def test_officers_and_those_elsewhere_do_not_see_the_roster(week, force, cast, places, desk):
    assert signed_in(cast.officer).get(reverse("roster")).status_code == 404
    assert desk.get(reverse("roster"), {**WEEK, "governorate": "T-KU"}).status_code == 404
    assert signed_in(cast.firefighter).get(reverse("roster-shift", args=[week[0].pk])).status_code == 404
    assert Client().get(reverse("roster")).status_code == 302


def test_dispatchers_read_the_roster_and_change_nothing(week, force, cast):
    client = signed_in(cast.dispatcher)
    page = client.get(reverse("roster-shift", args=[week[0].pk])).content.decode()
    assert "Put somebody" not in page
    assert client.post(reverse("roster-shift", args=[week[0].pk]), {"member": force.partner.pk, "part": "crew"}).status_code == 403
    assert client.get(reverse("roster-import")).status_code == 404


def test_shifts_are_made_and_a_week_is_copied_from_the_page(week, force, desk, cast):
    put_on_roster(shift=week[0], member=force.partner, unit=force.p1, by=cast.supervisor)
    query = "?agency=police&governorate=T-HA&week=2030-01-06"
    page = desk.post(reverse("roster-copy") + query, {"from_day": "2030-01-06", "to_day": "2030-01-13"}, follow=True).content.decode()
    assert "1 entry was copied." in page and "Officer two" in page
    page = desk.post(reverse("roster-copy") + query, {"from_day": "2030-02-03", "to_day": "2030-02-10"})
    assert page.status_code == 409 and "empty roster" in page.content.decode()
    page = desk.post(reverse("roster-make") + query, {"first_day": "2030-03-03", "days": 7}, follow=True)
    assert "14 shifts stand." in page.content.decode()
    assert desk.post(reverse("roster-make") + query, {"first_day": "x", "days": 7}).status_code == 422


# --- one shift ---------------------------------------------------------------------------------------------------------------------------


def test_a_person_is_put_changed_and_taken_off_on_the_shifts_page(week, force, desk):
    address = reverse("roster-shift", args=[week[0].pk])
    assert "Nobody is on this shift." in desk.get(address).content.decode()
    desk.post(address, {"member": force.partner.pk, "unit": force.p1.pk, "part": "leader"})
    entry = RosterEntry.objects.get()
    assert "Without crew:" in desk.get(address).content.decode()
    assert desk.post(reverse("roster-change", args=[entry.pk]), {"unit": force.p2.pk, "part": "crew"}).status_code == 422
    desk.post(reverse("roster-change", args=[entry.pk]), {"unit": force.p2.pk, "part": "crew", "reason": "Short there"})
    entry.refresh_from_db()
    assert (entry.unit, entry.part) == (force.p2, "crew")
    desk.post(reverse("roster-take-off", args=[entry.pk]), {"reason": "Ill"})
    entry.refresh_from_db()
    assert entry.is_cancelled


def test_a_supervisor_calls_the_roll_of_the_shift_that_is_now(force, desk, cast):
    entry = put_on_roster(shift=force.shift, member=force.partner, unit=force.p2, by=cast.supervisor)
    address = reverse("roster-duty", args=[entry.pk])
    assert "Put on duty" in desk.get(reverse("roster-shift", args=[force.shift.pk])).content.decode()
    assert desk.post(address, {"act": "on"}).status_code == 302
    duty = Duty.objects.open().get(member=force.partner)
    assert (duty.unit, duty.roster_entry) == (force.p2, entry)
    assert desk.post(address, {"act": "on"}).status_code == 409
    assert desk.post(address, {"act": "off"}).status_code == 422
    assert desk.post(address, {"act": "off", "reason": "Taken ill"}).status_code == 302
    assert not Duty.objects.open().filter(member=force.partner).exists()
    assert signed_in(cast.dispatcher).post(address, {"act": "on"}).status_code == 403


def test_nobody_is_put_on_duty_for_a_shift_of_another_day(week, force, desk, cast):
    entry = put_on_roster(shift=week[0], member=force.partner, unit=force.p2, by=cast.supervisor)
    assert "Put on duty" not in desk.get(reverse("roster-shift", args=[week[0].pk])).content.decode()
    page = desk.post(reverse("roster-duty", args=[entry.pk]), {"act": "on"})
    assert page.status_code == 409 and "This shift is not now." in page.content.decode()


def test_too_little_rest_is_said_beforehand_and_asks_for_a_reason(week, force, desk, cast):
    put_on_roster(shift=week[1], member=force.partner, by=cast.supervisor)  # Sunday's night ends on Monday at 06:00
    evening = ShiftPattern.objects.create(
        agency=cast.police, code="B", name_en="Evening", name_ar="مسائية", begins_at=time(14), length_minutes=480
    )
    [monday] = make_shifts(
        governorate=week[0].governorate, agency=cast.police, first_day=SUNDAY + timedelta(days=1), days=1, by=None, patterns=[evening]
    )
    address = reverse("roster-shift", args=[monday.pk])
    page = desk.get(address).content.decode()
    assert "Too little rest: a reason is needed" in page and "8 h of rest, rule 11 h" in page
    asked = {"member": force.partner.pk, "unit": force.p1.pk, "part": "crew", "rest_override_reason": ""}
    refused = desk.post(address, asked)
    assert refused.status_code == 409 and 'aria-invalid="true"' in refused.content.decode()
    assert desk.post(address, {**asked, "rest_override_reason": "Flood"}).status_code == 302
    assert "Too little rest:" in desk.get(address).content.decode()


# --- a file ------------------------------------------------------------------------------------------------------------------------------

HEAD = "date,shift,service_number,unit,part,rest_override_reason\n"


def upload(client, text, dry_run=False, name="roster.csv"):
    data = text if isinstance(text, bytes) else text.encode()
    asked = {"file": SimpleUploadedFile(name, data)} | ({"dry_run": "on"} if dry_run else {})
    return client.post(reverse("roster-import") + "?agency=police&governorate=T-HA", asked)


def test_a_file_is_judged_row_by_row_and_the_same_file_again_adds_nothing(week, force, desk):
    text = HEAD + (
        "2030-01-06,A,1002,P1,leader,\n"
        "07/01/2030,a,1002,P1,قائد,\n"
        "2030-01-08,C,1002,P9,,\n"
        "2030-01-09,X,1002,,,\n"
        "2030-12-09,A,1002,,,\n"
        "2030-13-09,A,1002,,,\n"
        "2030-01-09,A,7777,,,\n"
        "2030-01-09,A,1002,P1,king,\n"
        "2030-01-07,C,1002,P1,,\n"
        "2030-01-06,A,1002,P2,,\n"
    )
    page = upload(desk, text, dry_run=True).content.decode()
    assert "Tried out: nothing was written" in page and not RosterEntry.objects.exists()
    page = upload(desk, text).content.decode()
    for why in (
        "no unit “P9”",
        "no shift pattern “X”",
        "make the shifts first",
        "is no date",
        "service number “7777”",
        "is no part",
        "earlier row",
    ):
        assert why in page, why
    assert "8 h of rest" in page
    assert RosterEntry.objects.count() == 2
    report = upload(desk, text).context["report"]
    assert (report.made, report.unchanged, report.refused) == (0, 2, 8) and RosterEntry.objects.count() == 2


def test_a_spreadsheet_is_read_with_its_own_dates_and_numbers(week, force, desk):
    book = openpyxl.Workbook()
    book.active.append(["التاريخ", "النوبة", "رقم الخدمة", "النداء"])
    book.active.append([date(2030, 1, 6), "A", 1002, "P1"])
    kept = io.BytesIO()
    book.save(kept)
    assert upload(desk, kept.getvalue(), name="roster.xlsx").context["report"].made == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n", "lacks these columns"),
        (HEAD, "roster is empty"),
        (b"%PDF-1.4", "no CSV"),
        (HEAD + "2030-01-06,A,1002,,,\n" + "x" * (5 * 2**20), "too large"),
        (HEAD + "2030-01-06,A,1,,,\n" * 20_001, "too many rows"),
    ],
)
def test_a_file_that_cannot_be_taken_as_a_whole_is_refused(week, desk, text, why):
    page = upload(desk, text)
    assert page.status_code == 422 and why in page.content.decode()


def test_the_command_answers_with_json(week, force, tmp_path, capsys):
    file = tmp_path / "roster.csv"
    file.write_text(HEAD + "2030-01-06,A,1002,P1,leader,\n2030-01-06,A,1,,,\n")
    call_command("import_roster", str(file), governorate="T-HA", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["made"], told["refused"], told["rows"][0]["row"]) == (1, 1, 3)
    with pytest.raises(CommandError):
        call_command("import_roster", str(tmp_path / "none.csv"), governorate="T-HA")
    with pytest.raises(CommandError):
        call_command("import_roster", str(file), governorate="T-XX")


# --- teams and zones ---------------------------------------------------------------------------------------------------------------------


def test_a_team_is_given_a_zone_and_it_is_withdrawn_with_a_reason(force, desk, places):
    address = reverse("roster-teams") + "?agency=police&governorate=T-HA"
    assert "No team answers now for:" in desk.get(address).content.decode()
    asked = {
        "team": force.team.pk,
        "zone": places.salmiya.pk,
        "starts_at": "2030-01-06T06:00",
        "ends_at": "2030-01-06T14:00",
        "reason": "Fair",
    }
    assert "answers for Salmiya" in desk.post(address, asked, follow=True).content.decode()
    made = ZoneAssignment.objects.get()
    assert made.starts_at == datetime(2030, 1, 6, 3, tzinfo=UTC)
    assert desk.post(address, asked).status_code == 409
    assert desk.post(address, {**asked, "zone": places.sharq.pk}).status_code == 404
    desk.post(reverse("roster-zone-withdraw", args=[made.pk]), {"reason": ""})
    assert ZoneAssignment.objects.get().cancelled_at is None
    desk.post(reverse("roster-zone-withdraw", args=[made.pk]), {"reason": "Fair is off"})
    assert ZoneAssignment.objects.get().cancelled_at is not None


# --- my duty -----------------------------------------------------------------------------------------------------------------------------


def test_the_frame_says_that_i_am_off_duty_and_the_button_changes_it(force, cast):
    client = signed_in(cast.dispatcher)
    assert "You are off duty" not in client.get("/").content.decode()
    client.post(reverse("patrol-duty"), {"act": "off"})
    page = client.get("/").content.decode()
    assert "You are off duty" in page and "Go on duty" in page
    assert client.post(reverse("patrol-duty"), {"act": "on", "next": "/"})["Location"] == "/"
    assert client.post(reverse("patrol-duty"), {"act": "off", "next": "https://elsewhere.example/"})["Location"] == reverse("patrol-duty")


def test_those_not_on_the_list_are_told_and_supervisors_have_no_such_control(force, cast):
    assert "Not on the force" in signed_in(cast.stranger).get("/").content.decode()
    assert "duty-chip" not in signed_in(cast.supervisor).get("/").content.decode()
    assert signed_in(cast.stranger).post(reverse("patrol-duty"), {"act": "on"}).status_code == 404


def test_too_little_rest_asks_why_on_my_own_page(force, cast):
    now = datetime.now(UTC)
    Duty.objects.filter(member=force.dispatcher).update(started_at=now - 12 * H, ended_at=now - 4 * H)
    client = signed_in(cast.dispatcher)
    page = client.post(reverse("patrol-duty"), {"act": "on"})
    assert page.status_code == 409 and "rest_override_reason" in page.content.decode()
    assert client.post(reverse("patrol-duty"), {"act": "on", "rest_override_reason": "Nobody else"}).status_code == 302


# --- workload ----------------------------------------------------------------------------------------------------------------------------


def test_workload_shows_who_is_overworked_and_by_which_rule(force, cast, places, desk):
    now = datetime.now(UTC)
    Duty.objects.filter(member=force.officer).update(started_at=now - 14 * H)
    page = desk.get(reverse("workload")).content.decode()
    assert "Too long at a stretch" in page and "Officer one" in page
    assert "more than 48 h in any seven days" in page
    assert "You see one governorate" in page
    page = signed_in(cast.superadmin).get(reverse("workload"), {"agency": "police", "governorate": "T-HA", "days": "28"}).content.decode()
    assert "Capital" in page and "unknown" in page
    assert signed_in(cast.officer).get(reverse("workload")).status_code == 404
    assert desk.get(reverse("workload"), {"governorate": "T-KU"}).status_code == 404
    assert desk.get(reverse("workload"), {"days": "99999999"}).status_code == 200


def test_workload_asks_no_more_for_more_people(force, cast, places, desk):
    desk.get(reverse("workload"))
    with CaptureQueriesContext(connection) as few:
        desk.get(reverse("workload"))
    for number in range(20):
        place = {"agency": cast.police, "governorate": places.hawalli}
        member = Member.objects.create(**place, service_number=f"6{number}", name_en="x")
        Duty.objects.create(**place, member=member, unit=force.p2, started_at=datetime.now(UTC) - 3 * H)
    with CaptureQueriesContext(connection) as more:
        desk.get(reverse("workload"))
    assert len(more) == len(few) <= 26, [query["sql"][:100] for query in more]
