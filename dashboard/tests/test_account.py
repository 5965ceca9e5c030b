"""ACC-2, CMD-5: signing in and out, the lockout, the language and the theme; the frame and the error pages."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conftest import PASSWORD
from core.models import AuditEntry

STATIC = Path(settings.BASE_DIR) / "static"


def sign_in(client, username="officer", password=PASSWORD, **more):
    return client.post("/sign-in/", {"username": username, "password": password, **more})


def test_the_right_words_open_the_board_and_are_recorded(client, cast):
    response = sign_in(client)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert AuditEntry.objects.filter(verb="account.sign_in", actor_name="officer").count() == 1


def test_the_user_name_minds_no_capitals(client, cast):
    assert sign_in(client, "OFFICER").status_code == 302


def test_wrong_password_unknown_name_and_disabled_account_read_the_same(client, cast):
    cast.analyst.is_active = False
    cast.analyst.save(update_fields=["is_active"])
    pages = set()
    for username, password in (("officer", "wrong"), ("nobody-here", "wrong"), ("analyst", PASSWORD)):
        response = sign_in(client, username, password)
        assert response.status_code == 200
        html = re.sub(r'name="csrfmiddlewaretoken" value="\w+"|data-now="[^"]+"', "", response.content.decode())
        pages.add(html.replace(username, "…"))
    assert len(pages) == 1


@pytest.mark.parametrize("username", ["officer", "nobody-here"])
def test_five_failures_lock_the_name_from_this_address_and_say_how_long(client, cast, username):
    answers = [sign_in(client, name, "wrong") for name in (username, username.upper(), f" {username}", username.title(), username)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert "Too many failed attempts. Wait 15 minutes" in answers[-1].content.decode()
    assert 0 < int(answers[-1]["Retry-After"]) <= 900


def test_the_right_password_does_not_open_a_locked_door_until_the_wait_is_over(client, cast):
    for _ in range(5):
        sign_in(client, password="wrong")
    assert sign_in(client).status_code == 429
    assert sign_in(client, "supervisor").status_code == 302, "others are not locked out"
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert sign_in(Client()).status_code == 302


def test_next_leads_only_to_our_own_pages(client, cast):
    for target, expected in {
        "/incidents/KW-26-000001/": "/incidents/KW-26-000001/",
        "https://evil.example/": "/",
        "//evil.example/": "/",
        "javascript:alert(1)": "/",
        "/\\evil.example": "/",
    }.items():
        assert sign_in(Client(), next=target)["Location"] == expected


def test_language_and_theme_of_the_person_hold_after_sign_in(client, cast):
    cast.officer.language, cast.officer.theme = "ar", "light"
    cast.officer.save(update_fields=["language", "theme"])
    sign_in(client)
    html = client.get("/").content.decode()
    assert '<html lang="ar"' in html and 'dir="rtl"' in html and 'data-theme="light"' in html


def test_before_sign_in_language_and_theme_are_kept_on_the_device(client, cast):
    response = client.post("/language/", {"language": "ar", "next": "/sign-in/?next=/map/"})
    assert response["Location"] == "/sign-in/?next=/map/"
    client.post("/theme/", {"theme": "system"})
    html = client.get("/sign-in/").content.decode()
    assert 'lang="ar"' in html and 'dir="rtl"' in html and 'data-theme="system"' in html


def test_a_choice_is_kept_with_the_person_and_recorded(client, cast):
    client.force_login(cast.officer)
    client.post("/language/", {"language": "ar", "next": "/"})
    client.post("/theme/", {"theme": "light", "next": "/"})
    person = User.objects.get(pk=cast.officer.pk)
    assert (person.language, person.theme) == ("ar", "light")
    assert AuditEntry.objects.filter(verb="account.preferences").count() == 2


@pytest.mark.parametrize(("path", "given"), [("/language/", {"language": "xx"}), ("/theme/", {"theme": "<script>"}), ("/language/", {})])
def test_a_forged_choice_changes_nothing(client, cast, path, given):
    client.force_login(cast.officer)
    response = client.post(path, {**given, "next": "https://evil.example/"})
    assert response["Location"] == "/"
    assert not response.cookies.get("theme") and not response.cookies.get("django_language")


def test_signing_out_is_a_post_and_ends_the_session(client, cast):
    client.force_login(cast.officer)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302
    assert AuditEntry.objects.filter(verb="account.sign_out", actor_name="officer").exists()


def test_the_command_centre_uses_the_same_sign_in(client, cast):
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].replace("%2F", "/") == "/sign-in/?next=/admin/"
    response = sign_in(client, "supervisor", next="/admin/")
    assert response["Location"] == "/admin/"


def test_who_may_not_enter_the_command_centre_is_told_so_and_not_sent_in_circles(client, cast):
    client.force_login(cast.officer)
    response = client.get("/admin/", follow=True)
    assert response.status_code == 403
    assert "This is not open to you" in response.content.decode() and "لا صلاحية لك هنا" in response.content.decode()


def test_a_disabled_account_is_out_at_once(client, cast):
    client.force_login(cast.officer)
    cast.officer.is_active = False
    cast.officer.save(update_fields=["is_active"])
    assert client.get("/").status_code == 302


def test_error_pages_say_it_in_both_languages_with_the_next_thing_to_do(client, cast, settings, rf):
    from django.views import defaults

    client.force_login(cast.officer)
    missing = client.get("/nothing/here/")
    assert missing.status_code == 404
    broken, bad = defaults.server_error(rf.get("/")), defaults.bad_request(rf.get("/"), Exception())
    for response in (missing, broken, bad):
        html = response.content.decode()
        assert 'lang="ar" dir="rtl"' in html and 'lang="en" dir="ltr"' in html and 'class="button primary"' in html


def test_no_page_has_inline_code_or_style_or_another_host(client, cast, report):
    incident = report()
    client.force_login(cast.supervisor)
    for path in ("/", f"/incidents/{incident.ref}/", "/nothing/"):
        response = client.get(path)
        html = response.content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html), path
        assert not re.search(r"<script(?![^>]*\bsrc=)", html), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', html), path
        assert "unsafe" not in response["Content-Security-Policy"]


# --- tokens ---------------------------------------------------------------------------------------------------------


def _tokens(css: str, start: str) -> dict[str, str]:
    block = css[css.index(start) :]
    block = block[block.index("{") + 1 : block.index("}")]
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block))


def _luminance(colour: str) -> float:
    colour = colour.lstrip("#")
    colour = "".join(c * 2 for c in colour) if len(colour) == 3 else colour
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_text_colour_can_be_read_on_every_ground(theme):
    css = (STATIC / "css/tokens.css").read_text()
    tokens = _tokens(css, ":root {\n  /* dist" if theme == "dark" else '[data-theme="light"]')
    for text in ("text", "muted", "faint", "accent", "critical", "high", "medium", "low", "ok"):
        for ground in ("bg", "surface", "raised"):
            assert _contrast(tokens[f"--{text}"], tokens[f"--{ground}"]) >= 4.5, (text, ground)
    for name in ("critical", "high", "medium", "low", "ok", "accent"):
        assert _contrast(tokens[f"--{name}"], tokens[f"--{name}-soft"]) >= 4.5, name
    assert _contrast(tokens["--accent-ink"], tokens["--accent"]) >= 4.5
    for ground in ("bg", "surface"):
        assert _contrast(tokens["--control-line"], tokens[f"--{ground}"]) >= 3


def test_the_devices_light_is_the_chosen_light():
    css = (STATIC / "css/tokens.css").read_text()
    assert _tokens(css, '[data-theme="light"]') == _tokens(css, '[data-theme="system"]')


def test_our_style_sheets_know_no_left_and_right():
    """Arabic is the mirror: physical sides would break it. What must not turn says so."""
    for name in ("base", "components", "board"):
        for number, line in enumerate((STATIC / f"css/{name}.css").read_text().splitlines(), 1):
            assert not re.search(r"(margin|padding|border|inset)-(left|right)\b|[;{]\s*(left|right|float):", line), f"{name}.css:{number}"


def test_an_arabic_page_is_arabic(client, cast, report):
    """None of our own English sentences is left on an Arabic page once the catalogue is compiled."""
    from django.utils import translation

    templates = Path(settings.BASE_DIR) / "templates"
    sources = [templates / "base.html", *templates.glob("_*.html"), *(templates / "dashboard").glob("*.html")]
    ours = {text for source in sources for text in re.findall(r"""{% translate ["']([^"']{6,})["'] %}""", source.read_text())}
    with translation.override("ar"):
        if translation.gettext("Live board") == "Live board":
            pytest.skip("the Arabic catalogue is not compiled (make messages, compilemessages)")
        ours = {text for text in ours if translation.gettext(text) != text}
    cast.supervisor.language = "ar"
    cast.supervisor.save(update_fields=["language"])
    sign_in(client, "supervisor")
    incident = report()
    for path in ("/", f"/incidents/{incident.ref}/"):
        html = client.get(path).content.decode()
        assert 'dir="rtl"' in html
        assert not [text for text in ours if f">{text}<" in html or (" " in text and f'"{text}"' in html)], path
