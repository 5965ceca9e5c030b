"""ALR-3: e-mail through a real SMTP server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerts.channels.base import PermanentFailure, TemporaryFailure
from alerts.channels.registry import configured, missing, sender_of
from alerts.tests.servers import SmtpServer
from alerts.tests.words import a_message


def send(**given: Any) -> Any:
    sender = sender_of("email")
    assert sender is not None
    return sender.send(a_message(given.pop("to", "supervisor@example.org"), **given))


def test_an_e_mail_arrives_in_text_and_html_under_the_deliverys_own_id(smtp: SmtpServer):
    message = a_message("supervisor@example.org", is_critical=True)
    sender = sender_of("email")
    assert sender is not None
    handed = sender.send(message)
    (mail,) = smtp.mails
    assert mail.to == ("supervisor@example.org",) and mail.subject == message.subject
    assert str(message.key) in mail.message["Message-ID"] == handed.provider_id
    assert mail.message["Auto-Submitted"] == "auto-generated" and "alerts" in mail.message["List-Id"]
    assert mail.message["Importance"] == "high"
    assert message.text in mail.part() and message.acknowledge_url in mail.part()
    assert 'dir="ltr"' in mail.part("html") and message.acknowledge_url in mail.part("html")
    assert (handed.provider, handed.is_delivered) == ("smtp", False)


def test_an_arabic_e_mail_reads_from_right_to_left(smtp: SmtpServer):
    send(language="ar", subject="مرتفع: دخان فوق السوق", text="دخان فوق السوق في السالمية 🔥")
    assert smtp.mails[0].subject == "مرتفع: دخان فوق السوق"
    assert 'dir="rtl"' in smtp.mails[0].part("html") and "🔥" in smtp.mails[0].part()


def test_a_subject_with_line_breaks_starts_no_header_of_its_own(smtp: SmtpServer):
    send(subject="Fire\r\nBcc: everybody@example.org\u2028X-Evil: 1")
    assert smtp.mails[0].message["Bcc"] is None and smtp.mails[0].to == ("supervisor@example.org",)
    assert smtp.mails[0].subject == "Fire Bcc: everybody@example.org X-Evil: 1"


def test_words_from_outside_are_escaped_and_10_kb_of_them_arrive_whole(smtp: SmtpServer):
    send(text="<script>alert(1)</script>" + "x" * 10_000)
    assert "<script>" not in smtp.mails[0].part("html") and "&lt;script&gt;" in smtp.mails[0].part("html")
    assert "x" * 10_000 in smtp.mails[0].part().replace("\n", "")


def test_a_refused_recipient_is_for_good_and_the_address_is_bad(smtp: SmtpServer):
    smtp.refuse("550 5.1.1 no such user")
    with pytest.raises(PermanentFailure) as refused:
        send()
    assert (refused.value.code, refused.value.is_address_bad) == ("550", True)
    assert smtp.mails == []


def test_a_server_that_is_busy_heals(smtp: SmtpServer):
    smtp.refuse("450 4.2.1 mailbox busy").refuse_words("451 4.3.0 try later")
    for _ in range(2):
        with pytest.raises(TemporaryFailure) as later:
            send()
        assert later.value.code in {"450", "451"} and not later.value.may_have_been_taken
    assert send().provider_id and len(smtp.mails) == 1


def test_words_refused_as_spam_are_for_good_but_the_address_is_not_bad(smtp: SmtpServer):
    smtp.refuse_words("554 5.7.1 spam")
    with pytest.raises(PermanentFailure) as refused:
        send()
    assert (refused.value.code, refused.value.is_address_bad) == ("554", False)


def test_a_server_that_hangs_after_the_words_may_have_taken_them(smtp: SmtpServer, settings: Any):
    settings.ALERT_SEND_TIMEOUT_S = 0.5
    smtp.hang()
    with pytest.raises(TemporaryFailure) as late:
        send()
    assert late.value.may_have_been_taken


def test_no_server_at_all_heals_and_nothing_was_taken(settings: Any):
    settings.EMAIL_URL = "smtp://127.0.0.1:9"
    with pytest.raises(TemporaryFailure) as gone:
        send()
    assert not gone.value.may_have_been_taken


def test_what_is_no_address_is_refused_before_anything_is_said(smtp: SmtpServer):
    for wrong in ("nobody", "a@b", "a@example.org\nBcc: b@example.org", ""):
        with pytest.raises(PermanentFailure) as refused:
            send(to=wrong)
        assert refused.value.is_address_bad
    assert smtp.mails == []


def test_without_a_server_mail_goes_to_files(settings: Any, tmp_path: Path):
    settings.EMAIL_URL = f"filemail://{tmp_path}/mail"
    assert send().provider == "file"
    (written,) = (tmp_path / "mail").iterdir()
    assert "supervisor@example.org" in written.read_text()


def test_a_site_without_settings_has_the_screen_only_and_says_what_is_missing(settings: Any):
    settings.EMAIL_URL = settings.TWILIO_AUTH_TOKEN = ""
    settings.TWILIO_ACCOUNT_SID = settings.TWILIO_SMS_FROM = "x"
    assert "email" not in configured() and "in_app" in configured() and sender_of("sms") is None
    assert missing("email") == ("EMAIL_URL",) and missing("sms") == ("TWILIO_AUTH_TOKEN",)
