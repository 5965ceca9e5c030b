"""ACC-2: people's tokens: eight hours, refreshed once, ended at once; the lockout of the sign-in page; forged ones refused."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.test import Client

from accounts.models import TokenSession, User
from accounts.services import change_person, deactivate_person, reset_password
from accounts.tokens import _signer
from conftest import PASSWORD
from core.models import AuditEntry

pytestmark = pytest.mark.django_db
ME = "/api/v1/auth/me"


def post(path: str, body: dict[str, Any], bearer: str = "") -> Any:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return Client(raise_request_exception=False).post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def get(path: str, bearer: str) -> Any:
    return Client(raise_request_exception=False).get(path, headers={"Authorization": f"Bearer {bearer}"})


@pytest.fixture
def tokens(cast) -> dict[str, Any]:
    answer = post("auth/token", {"username": "dispatcher", "password": PASSWORD})
    assert answer.status_code == 200, answer.content
    assert answer["Cache-Control"] == "no-store"
    return answer.json()


def test_a_name_and_a_password_become_tokens_for_eight_hours(tokens, cast):
    assert tokens["token_type"] == "Bearer" and 8 * 3600 - 60 < tokens["expires_in"] <= 8 * 3600
    me = get(ME, tokens["access"]).json()
    assert (me["username"], me["role"], me["agency"]) == ("dispatcher", "dispatcher", "police")
    assert me["governorates"] == ["T-HA"] and "dispatch" in me["may"] and "password" not in me
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=8, seconds=2), tick=True):
        assert get(ME, tokens["access"]).status_code == 401
    assert AuditEntry.objects.filter(verb="account.sign_in", actor_name="dispatcher").exists()
    held = str(TokenSession.objects.values().get())
    assert tokens["access"] not in held and tokens["refresh"] not in held


def test_a_token_opens_what_the_persons_session_opens_and_no_more(tokens, report, cast):
    incident = report()
    assert get(f"/api/v1/incidents/{incident.ref}", tokens["access"]).status_code == 200
    stranger = post("auth/token", {"username": "stranger", "password": PASSWORD}).json()["access"]
    assert get(f"/api/v1/incidents/{incident.ref}", stranger).status_code == 404
    assert get("/api/v1/admin/api-keys", tokens["access"]).status_code == 403
    assert get("/", tokens["access"]).status_code == 302  # pages are for sessions


def test_every_door_that_takes_a_session_takes_a_token():
    from django.urls import get_resolver
    from rest_framework.authentication import SessionAuthentication

    from interop.api.authentication import TokenAuthentication

    def views(patterns):
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from views(pattern.url_patterns)
            elif getattr(pattern.callback, "cls", None) and pattern.callback.cls.__module__.startswith("interop."):
                yield pattern.callback.cls

    doors = {view for view in views(get_resolver().url_patterns) if SessionAuthentication in view.authentication_classes}
    assert len(doors) > 40
    assert not {view.__name__ for view in doors if TokenAuthentication not in view.authentication_classes}


def test_a_refresh_token_is_good_once_and_shown_twice_ends_the_sign_in(tokens):
    second = post("auth/refresh", {"refresh": tokens["refresh"]})
    assert second.status_code == 200
    assert get(ME, tokens["access"]).status_code == get(ME, second.json()["access"]).status_code == 200
    assert post("auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401
    assert get(ME, second.json()["access"]).status_code == 401  # a thief and an owner both hold it: neither goes on
    assert post("auth/refresh", {"refresh": second.json()["refresh"]}).status_code == 401
    ended = AuditEntry.objects.get(verb="account.tokens_end").after
    assert ended is not None and ended["why"] == "reused"


def test_revoking_ends_the_sign_in_at_once_and_everywhere_if_asked(tokens, cast):
    other = post("auth/token", {"username": "dispatcher", "password": PASSWORD}).json()
    assert post("auth/revoke", {"token": tokens["refresh"]}).status_code == 204
    assert (get(ME, tokens["access"]).status_code, get(ME, other["access"]).status_code) == (401, 200)
    third = post("auth/token", {"username": "dispatcher", "password": PASSWORD}).json()
    assert post("auth/revoke", {"token": third["access"], "everywhere": True}).status_code == 204
    assert get(ME, other["access"]).status_code == get(ME, third["access"]).status_code == 401
    assert post("auth/revoke", {"token": "nonsense"}).status_code == 204


def test_a_disabled_account_a_changed_password_and_a_new_role_tell_at_the_next_request(tokens, cast):
    change_person(person=cast.dispatcher, by=cast.superadmin, role="officer")
    assert get(ME, tokens["access"]).json()["role"] == "officer"
    reset_password(person=cast.dispatcher, by=cast.superadmin)
    assert get(ME, tokens["access"]).status_code == 401
    assert post("auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401
    officer = post("auth/token", {"username": "officer", "password": PASSWORD}).json()
    deactivate_person(person=cast.officer, by=cast.superadmin, reason="left")
    assert get(ME, officer["access"]).status_code == 401
    assert post("auth/refresh", {"refresh": officer["refresh"]}).status_code == 401
    assert post("auth/token", {"username": "officer", "password": PASSWORD}).status_code == 401


def test_too_many_wrong_passwords_lock_the_name_as_on_the_sign_in_page(cast, settings):
    wrong = {"username": "Officer", "password": "wrong"}
    answers = [post("auth/token", wrong) for _n in range(settings.AXES_FAILURE_LIMIT)]
    assert [answer.status_code for answer in answers] == [401] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    assert answers[-1]["Content-Type"] == "application/problem+json" and int(answers[-1]["Retry-After"]) > 60
    assert post("auth/token", {"username": "officer", "password": PASSWORD}).status_code == 429
    page = Client().post("/sign-in/", {"username": "officer", "password": PASSWORD})
    assert page.status_code == 429
    assert post("auth/token", {"username": "nobody-at-all", "password": "wrong"}).json()["type"].endswith("not_recognised")


def _forged(claims: dict[str, Any], head: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(head)}.{part(claims)}."


def test_forged_tokens_are_refused(tokens, settings):
    claims = jwt.decode(tokens["access"], options={"verify_signature": False})
    key = _signer().prepared_signing_key
    forged = {
        "no algorithm": _forged(claims, {"alg": "none", "typ": "JWT"}),
        "no algorithm, other case": _forged(claims, {"alg": "NonE"}),
        "another key": jwt.encode(claims, "x" * 64, algorithm="HS256"),
        "the site's own secret": jwt.encode(claims, settings.SECRET_KEY.ljust(64, "x"), algorithm="HS256"),
        "another algorithm": jwt.encode(claims, key, algorithm="HS512"),
        "another issuer": jwt.encode({**claims, "iss": "elsewhere"}, key, algorithm="HS256"),
        "another audience": jwt.encode({**claims, "aud": "elsewhere"}, key, algorithm="HS256"),
        "without an end": jwt.encode({name: value for name, value in claims.items() if name != "exp"}, key, algorithm="HS256"),
        "ended": jwt.encode({**claims, "exp": 1_700_000_000}, key, algorithm="HS256"),
        "an end that is no number": jwt.encode({**claims, "exp": "soon"}, key, algorithm="HS256"),
        "no sign-in of ours": jwt.encode({**claims, "sid": "6e1e1d7e-0000-4000-8000-000000000000"}, key, algorithm="HS256"),
        "a sign-in that is no id": jwt.encode({**claims, "sid": ["a"]}, key, algorithm="HS256"),
        "a refresh token": tokens["refresh"],
        "cut": tokens["access"][:-3],
        "long": tokens["access"] + "a" * 5_000,
        "not ASCII": "é" * 10,
        "nothing": "",
    }
    assert {name: get(ME, token).status_code for name, token in forged.items()} == dict.fromkeys(forged, 401)
    assert get(ME, jwt.encode(claims, key, algorithm="HS256")).status_code == 200  # so that the refusals above mean something
    assert post("auth/refresh", {"refresh": tokens["access"]}).status_code == 401


def test_only_a_superadmin_registers_people(tokens, cast):
    new = {"username": "new.officer", "role": "officer", "agency": "police", "governorates": ["T-HA"]}
    assert post("auth/register", new, bearer=tokens["access"]).status_code == 403
    assert post("auth/register", new).status_code == 401
    root = post("auth/token", {"username": cast.superadmin.username, "password": PASSWORD}).json()["access"]
    made = post("auth/register", new, bearer=root)
    assert made.status_code == 201 and made["Cache-Control"] == "no-store"
    assert made.json()["person"]["governorates"] == ["T-HA"]
    assert post("auth/token", {"username": "new.officer", "password": made.json()["password"]}).status_code == 200
    assert post("auth/register", new, bearer=root).status_code == 422
    for wrong in ({"agency": "nowhere"}, {"governorates": ["XX"]}, {"role": "king"}):
        assert post("auth/register", {**new, "username": "another", **wrong}, bearer=root).status_code == 422
    assert User.objects.filter(username="another").count() == 0


def test_a_person_chooses_their_language_by_token_and_by_session(tokens, cast):
    answer = Client().patch(
        ME, {"language": "ar"}, content_type="application/json", headers={"Authorization": f"Bearer {tokens['access']}"}
    )
    assert answer.json()["language"] == "ar"
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.dispatcher, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(ME).json()["username"] == "dispatcher"
    assert client.patch(ME, {"language": "en"}, content_type="application/json").status_code == 403  # a session needs its CSRF token


def test_a_body_that_makes_no_sense_is_named(cast):
    assert post("auth/token", {"username": "x"}).json()["errors"][0]["field"] == "password"
    assert post("auth/token", {"username": ["x"], "password": "y"}).status_code == 422
    assert post("auth/refresh", {"refresh": "x" * 5_000}).status_code == 422
