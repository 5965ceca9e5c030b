"""ACC-1, ACC-3: people come, change and leave by services; every step is refused where it must be, and audited where it is not."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from accounts.services import change_person, create_person, deactivate_person, new_password, reactivate_person, reset_password
from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry, Event


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_new_person_gets_a_password_that_is_kept_nowhere(cast, places):
    issued = create_person(
        by=cast.superadmin, username="noura", role=Role.DISPATCHER, agency=cast.police, governorates=[places.hawalli], language="ar"
    )
    person = User.objects.get(username="noura")
    assert person.check_password(issued.password) and person.jurisdiction.governorate_ids == frozenset([places.hawalli.pk])
    entry = AuditEntry.objects.get(verb="user.add")
    assert issued.password not in str(entry.after) and entry.actor_name == "root"
    assert Event.objects.get(type="person.added").data == {"role": "dispatcher"}


def test_generated_passwords_differ_and_can_be_read_out():
    made = {new_password() for _n in range(50)}
    assert len(made) == 50 and all(re.fullmatch(r"([a-hjkmnp-z2-9]{5}-){4}[a-hjkmnp-z2-9]{5}", one) for one in made)


@pytest.mark.parametrize("name", ["supervisor", "analyst", "dispatcher", "officer", "auditor"])
def test_only_a_super_administrator_manages_people(name, cast):
    by = getattr(cast, name)
    with pytest.raises(NotAllowed):
        create_person(by=by, username="x", role=Role.OFFICER)
    with pytest.raises(NotAllowed):
        change_person(person=cast.officer, by=by, role=Role.SUPERADMIN)
    with pytest.raises(NotAllowed):
        deactivate_person(person=cast.officer, by=by, reason="x")
    with pytest.raises(NotAllowed):
        reset_password(person=cast.officer, by=by)
    assert not AuditEntry.objects.filter(verb__startswith="user.").exists()


def test_a_taken_name_in_another_case_is_refused_with_its_field(cast):
    with pytest.raises(Invalid) as refusal:
        create_person(by=cast.superadmin, username="OFFICER", role=Role.OFFICER)
    assert refusal.value.fields


def test_nobody_raises_or_deactivates_themselves(cast, places):
    with pytest.raises(NotAllowed):
        change_person(person=cast.superadmin, by=cast.superadmin, role=Role.ANALYST)
    with pytest.raises(NotAllowed):
        change_person(person=cast.superadmin, by=cast.superadmin, governorates=[places.hawalli])
    with pytest.raises(NotAllowed):
        deactivate_person(person=cast.superadmin, by=cast.superadmin, reason="x")
    assert change_person(person=cast.superadmin, by=cast.superadmin, full_name="Root").full_name == "Root"


def test_the_last_super_administrator_stays_one(cast):
    with pytest.raises(Conflict):
        deactivate_person(person=cast.superadmin, by=None, reason="x")
    with pytest.raises(Conflict):
        change_person(person=cast.superadmin, by=None, role=Role.OFFICER)
    second = create_person(by=None, username="second", role=Role.SUPERADMIN, sees_all_agencies=True, sees_all_governorates=True).person
    assert not deactivate_person(person=cast.superadmin, by=second, reason="left").is_active


def test_deactivation_ends_sessions_at_once_and_return_takes_a_new_password(cast):
    client = enter(cast.supervisor)
    assert client.get(reverse("admin:incidents_incident_changelist")).status_code == 200
    deactivate_person(person=cast.supervisor, by=cast.superadmin, reason="left the service")
    assert client.get(reverse("admin:incidents_incident_changelist")).status_code == 302
    issued = reactivate_person(person=cast.supervisor, by=cast.superadmin)
    assert client.get(reverse("admin:incidents_incident_changelist")).status_code == 302, "the old session stays dead"
    assert issued.person.check_password(issued.password)
    with pytest.raises(Conflict):
        reactivate_person(person=cast.supervisor, by=cast.superadmin)


def test_a_new_password_ends_the_sessions_of_the_old(cast):
    client = enter(cast.supervisor)
    reset_password(person=cast.supervisor, by=cast.superadmin)
    assert client.get(reverse("admin:incidents_incident_changelist")).status_code == 302


def test_a_change_of_role_works_at_once_and_is_audited_with_before_and_after(cast):
    client = enter(cast.officer)
    assert client.get(reverse("admin:incidents_incident_changelist")).status_code in {302, 403}
    change_person(person=cast.officer, by=cast.superadmin, role=Role.SUPERVISOR, reason="promoted")
    assert client.get(reverse("admin:incidents_incident_changelist")).status_code == 200
    entry = AuditEntry.objects.get(verb="user.change")
    assert (entry.before, entry.after, entry.reason) == ({"role": "officer"}, {"role": "supervisor"}, "promoted")


# -- through the command centre ----------------------------------------------------------------------------------------


def person_form(cast, **given):
    return {"username": "noura", "full_name": "Noura", "email": "", "language": "ar", "role": "officer", "agency": cast.police.pk, **given}


def test_the_password_is_on_the_page_that_answers_and_nowhere_else(cast):
    client = enter(cast.superadmin)
    answer = client.post(reverse("admin:accounts_user_add"), person_form(cast))
    page = answer.content.decode()
    [password] = re.findall(r"<code>([^<]+)</code>", page)
    person = User.objects.get(username="noura")
    assert person.check_password(password) and "no-store" in answer["Cache-Control"]
    assert password not in client.get(reverse("admin:accounts_user_change", args=[person.pk])).content.decode()
    assert AuditEntry.objects.get(verb="user.add").door == "admin"
    assert client.post(reverse("admin:accounts_user_add"), person_form(cast)).status_code == 200
    assert User.objects.filter(username="noura").count() == 1


def test_a_supervisor_reads_people_of_their_agency_and_changes_nobody(cast):
    client = enter(cast.supervisor)
    assert client.get(reverse("admin:accounts_user_change", args=[cast.officer.pk])).status_code == 200
    assert client.get(reverse("admin:accounts_user_change", args=[cast.firefighter.pk])).status_code == 404
    assert client.post(reverse("admin:accounts_user_change", args=[cast.officer.pk]), person_form(cast)).status_code == 403
    assert client.post(reverse("admin:accounts_user_add"), person_form(cast)).status_code == 403


def test_the_form_cannot_lower_the_last_super_administrator(cast):
    second = create_person(by=None, username="second", role=Role.SUPERADMIN, sees_all_agencies=True, sees_all_governorates=True).person
    client = enter(second)
    given = person_form(cast, username="root", role="officer", agency="")
    assert client.post(reverse("admin:accounts_user_change", args=[cast.superadmin.pk]), given).status_code == 302
    answer = client.post(reverse("admin:accounts_user_change", args=[second.pk]), person_form(cast, username="second", role="officer"))
    second.refresh_from_db()
    assert answer.status_code == 302 and second.role == Role.SUPERADMIN, "one's own rights are not in the form"


def test_deactivating_in_bulk_asks_first_and_names_each_refusal(cast):
    client = enter(cast.superadmin)
    chosen = {"action": "deactivate", "_selected_action": [cast.officer.pk, cast.superadmin.pk]}
    asked = client.post(reverse("admin:accounts_user_changelist"), {**chosen, "index": "0"})
    assert asked.status_code == 200 and User.objects.get(pk=cast.officer.pk).is_active
    assert client.post(reverse("admin:accounts_user_changelist"), {**chosen, "apply": "1", "reason": ""}).status_code == 200
    done = client.post(reverse("admin:accounts_user_changelist"), {**chosen, "apply": "1", "reason": "reorganised"}, follow=True)
    assert not User.objects.get(pk=cast.officer.pk).is_active and User.objects.get(pk=cast.superadmin.pk).is_active
    texts = [str(message) for message in done.context["messages"]]
    assert len(texts) == 2 and "Nobody deactivates themselves" in texts[1]


def test_an_analyst_cannot_deactivate_by_posting_the_action(cast):
    answer = enter(cast.supervisor).post(
        reverse("admin:accounts_user_changelist"),
        {"action": "deactivate", "_selected_action": [cast.officer.pk], "apply": "1", "reason": "x"},
    )
    assert answer.status_code in {302, 403, 200} and User.objects.get(pk=cast.officer.pk).is_active


def test_signing_in_and_failing_to_are_audited_with_address_and_request_id(cast, rf):
    from django.contrib.auth import authenticate

    authenticate(rf.post("/sign-in/", REMOTE_ADDR="10.1.2.3"), username="officer", password="wrong")
    failed = AuditEntry.objects.get(verb="account.sign_in_failed")
    assert failed.after == {"username": "officer"} and "wrong" not in str(failed.after)
    client = Client()
    assert client.login(request=rf.post("/sign-in/"), username="officer", password="correct horse battery staple")
    assert AuditEntry.objects.filter(verb="account.sign_in", actor_id=cast.officer.pk).exists()
    client.logout()
    assert AuditEntry.objects.filter(verb="account.sign_out", actor_id=cast.officer.pk).exists()


def test_people_leave_the_house_without_their_passwords(cast):
    client = enter(cast.superadmin)
    fields = client.get(reverse("admin:accounts_user_export")).context["form"].fields
    chosen = {name: "on" for name in fields if name not in {"format", "resource", "export_items"}}
    answer = client.post(reverse("admin:accounts_user_export"), {"format": "0", "resource": "", **chosen})
    assert b"password" not in answer.content.lower() and b"supervisor" in answer.content
    assert AuditEntry.objects.get(verb="user.export", after__rows=8)
