"""ALR-3: an installation that nobody has configured writes its mail to files and has keys of its own for push; what is configured wins."""

from __future__ import annotations

from deploy.local.__main__ import environment
from deploy.local.layout import Layout


def test_push_keys_are_made_once_and_mail_goes_into_a_private_folder(tmp_path):
    layout = Layout(tmp_path)
    first, again = layout.ways_out(), Layout(tmp_path).ways_out()
    assert first == again and len(first["VAPID_PRIVATE_KEY"]) == 43 and len(first["VAPID_PUBLIC_KEY"]) == 87
    assert first["EMAIL_URL"] == f"filemail://{tmp_path}/mail" and (tmp_path / "mail").stat().st_mode & 0o077 == 0
    assert (tmp_path / "vapid.json").stat().st_mode & 0o077 == 0


def test_a_configured_mail_server_stands_above_the_files_and_tests_have_neither(tmp_path, monkeypatch):
    monkeypatch.delenv("VAPID_PRIVATE_KEY", raising=False)
    monkeypatch.setenv("EMAIL_URL", "smtp://mail.example")
    layout = Layout(tmp_path)
    layout.make()
    assert environment(layout, [], reaches_people=True)["EMAIL_URL"] == "smtp://mail.example"
    assert "VAPID_PRIVATE_KEY" not in environment(layout, [])
