"""PAT-1, CMD-1: the force in the command centre: inside the jurisdiction, through services, out of use only when nothing is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from core.models import AuditEntry
from patrol.models import Assignment, Duty, Leave, Member, RosterEntry, Shift, Unit, Vehicle
from patrol.tests.test_duty import task

H = timedelta(hours=1)


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    return client


def act(client, model, name, row, **answers):
    address = reverse(f"admin:patrol_{model}_changelist")
    return client.post(address, {"action": name, "_selected_action": [row.pk], "apply": "1", **answers}, follow=True)


def test_a_unit_deleted_while_assigned_is_refused_and_says_why(force, desk):
    task(force.p1)
    page = act(desk, "unit", "retire", force.p1, reason="Sold")
    assert "P1 cannot be taken out of use: open assignments: Stand by at the fair; it is on duty." in page.content.decode()
    assert desk.post(reverse("admin:patrol_unit_delete", args=[force.p1.pk]), {"post": "yes"}).status_code == 403
    assert Unit.objects.get(pk=force.p1.pk).is_active


def test_an_idle_unit_goes_out_of_use_and_comes_back_with_reasons_in_the_audit_trail(force, desk):
    Duty.objects.open().update(ended_at=datetime.now(UTC))
    act(desk, "unit", "retire", force.p1, reason="Sold")
    assert not Unit.objects.get(pk=force.p1.pk).is_active
    assert AuditEntry.objects.get(verb="unit.retire").reason == "Sold"
    act(desk, "unit", "bring_back", force.p1, reason="Bought back")
    assert Unit.objects.get(pk=force.p1.pk).is_active


def test_a_unit_on_a_roster_ahead_stays_in_use(force, desk):
    Duty.objects.open().update(ended_at=datetime.now(UTC))
    RosterEntry.objects.create(
        shift=force.shift, member=force.partner, unit=force.p2, starts_at=force.shift.starts_at, ends_at=force.shift.ends_at
    )
    assert "it is on the roster on" in act(desk, "unit", "retire", force.p2, reason="Sold").content.decode()


def test_a_vehicle_goes_out_of_service_with_what_is_wrong_and_back(force, desk, cast, places):
    vehicle = Vehicle.objects.create(agency=cast.police, governorate=places.hawalli, fleet_number="V7")
    act(desk, "vehicle", "take_out", vehicle, reason="Brakes")
    assert Vehicle.objects.get(pk=vehicle.pk).out_of_service == "Brakes"
    assert "already" in act(desk, "vehicle", "take_out", vehicle, reason="Brakes").content.decode()
    act(desk, "vehicle", "put_back", vehicle, reason="Repaired")
    assert Vehicle.objects.get(pk=vehicle.pk).out_of_service == ""


def test_the_force_of_elsewhere_is_neither_seen_nor_chosen(force, desk, cast, places):
    for unit in (force.c1, force.f1):
        assert desk.get(reverse("admin:patrol_unit_change", args=[unit.pk])).status_code == 404
    new = {"agency": cast.fire.pk, "governorate": places.capital.pk, "station": force.fire_station.pk, "call_sign": "X1", "kind": "patrol"}
    page = desk.post(reverse("admin:patrol_unit_add"), new)
    assert page.status_code == 200 and set(page.context["adminform"].form.errors) == {"agency", "governorate", "station"}


def test_a_unit_is_added_with_what_belongs_to_its_agency(force, desk, cast, places):
    new = {
        "agency": cast.police.pk,
        "governorate": places.hawalli.pk,
        "station": force.salmiya_station.pk,
        "call_sign": "P9",
        "kind": "foot",
    }
    assert desk.post(reverse("admin:patrol_unit_add"), new).status_code == 302
    assert Unit.objects.get(call_sign="P9").tracker_id is None
    page = desk.post(reverse("admin:patrol_unit_add"), {**new, "call_sign": "p9"})
    assert "call sign" in str(page.context["adminform"].form.errors)


def test_a_person_on_duty_does_not_change_governorate(force, desk, cast, places):
    cast.supervisor.governorates.add(places.capital)
    address = reverse("admin:patrol_member_change", args=[force.officer.pk])
    page = desk.post(
        address, {"governorate": places.capital.pk, "service_number": "1001", "name_en": "Officer one", "user": cast.officer.pk}
    )
    assert "off both first" in str(page.context["adminform"].form.errors)


def test_leave_is_granted_and_withdrawn_through_its_service(force, desk):
    day = datetime.now(UTC) + timedelta(days=10)
    asked = {"member": force.partner.pk, "kind": "annual", "starts_at_0": day.strftime("%Y-%m-%d"), "starts_at_1": "00:00"}
    asked |= {"ends_at_0": (day + timedelta(days=3)).strftime("%Y-%m-%d"), "ends_at_1": "00:00"}
    assert desk.post(reverse("admin:patrol_leave_add"), asked).status_code == 302
    page = desk.post(reverse("admin:patrol_leave_add"), asked)
    assert page.status_code == 200 and "on leave from" in page.content.decode()
    act(desk, "leave", "withdraw", Leave.objects.get(), reason="Came back")
    assert Leave.objects.get().is_cancelled
    assert AuditEntry.objects.filter(verb__startswith="leave.").count() == 2


def test_the_roster_form_says_what_is_missing_of_rest_and_takes_a_reason(force, desk):
    Duty.objects.create(
        agency=force.partner.agency, governorate=force.partner.governorate, member=force.partner,
        started_at=force.shift.starts_at - 12 * H, ended_at=force.shift.starts_at - 4 * H,
    )  # fmt: skip
    asked = {"shift": force.shift.pk, "member": force.partner.pk, "unit": force.p2.pk, "part": "crew", "rest_override_reason": ""}
    page = desk.post(reverse("admin:patrol_rosterentry_add"), asked)
    assert "4 h of rest" in page.content.decode() and not RosterEntry.objects.exists()
    assert desk.post(reverse("admin:patrol_rosterentry_add"), {**asked, "rest_override_reason": "Flood"}).status_code == 302
    assert RosterEntry.objects.get().rest_override_reason == "Flood"


def test_shifts_are_made_from_a_pattern(force, desk, places):
    before = Shift.objects.count()
    act(desk, "shiftpattern", "make", force.pattern, governorate=places.hawalli.pk, first_day="2030-01-07", days="7")
    assert Shift.objects.count() == before + 7


def test_a_duty_is_ended_by_a_supervisor_unless_work_is_open(force, desk):
    duty = Duty.objects.get(member=force.officer)
    one = task(force.p1)
    assert "open assignments" in act(desk, "duty", "end", duty, reason="Ill").content.decode()
    Assignment.objects.filter(pk=one.pk).update(state="done", ended_at=datetime.now(UTC))
    act(desk, "duty", "end", duty, reason="Ill")
    duty.refresh_from_db()
    assert duty.ended_because == "Ill"


def test_whole_lists_are_imported_by_those_who_see_every_agency(force, desk, cast):
    import io

    root = Client()
    root.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    assert desk.get(reverse("admin:patrol_member_import")).status_code == 403
    text = "agency,service_number,name_en,name_ar,governorate,station,skills\npolice,7001,Officer seven,,T-HA,SAL,first-aid\n"
    text += "police,7002,Officer eight,,T-XX,SAL,\n"
    file = io.BytesIO(text.encode())
    file.name = "people.csv"
    page = root.post(reverse("admin:patrol_member_import"), {"import_file": file, "format": "0", "resource": "0"})
    assert "There is no such governorate" in page.content.decode() or page.context["result"].has_validation_errors()
    good = io.BytesIO(text.rsplit("police,7002", 1)[0].encode())
    good.name = "people.csv"
    page = root.post(reverse("admin:patrol_member_import"), {"import_file": good, "format": "0", "resource": "0"})
    confirm = page.context["confirm_form"].initial
    root.post(reverse("admin:patrol_member_process_import"), confirm)
    seven = Member.objects.get(service_number="7001")
    assert [skill.code for skill in seven.skills.all()] == ["first-aid"] and seven.station == force.salmiya_station
