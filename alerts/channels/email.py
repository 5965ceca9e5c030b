"""E-mail through SMTP, in plain text and HTML. ``EMAIL_URL`` says by which server; ``filemail:///folder`` writes files instead."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from environ import Env

from alerts.channels import codes
from alerts.channels.addresses import as_email
from alerts.channels.base import Handed, Message, PermanentFailure, TemporaryFailure
from alerts.channels.texts import lines, one_line

LONGEST_SUBJECT = 200
LONGEST_TEXT = 100_000


def is_files(url: str) -> bool:
    return url.startswith("filemail:")


class EmailSender:
    channel = "email"
    takes_key = True  # the Message-ID
    has_receipts = False  # that a server took it is all SMTP says

    def __init__(self, url: str, from_email: str, public_url: str = "") -> None:
        self.config = Env.email_url_config(url)
        self.provider = "file" if is_files(url) else "smtp"
        self.from_email = one_line(from_email, 200)
        self.public_url = public_url
        self.domain = urlsplit(public_url).hostname or as_email(self.from_email.rpartition("<")[2].rstrip("> ")).rpartition("@")[2]

    def check_address(self, address: str) -> str:
        return as_email(address)

    def send(self, message: Message) -> Handed:
        connection = self._connection()
        mail = self._mail(message, self.check_address(message.to), connection)
        with _told_apart(), _ended_in_time(connection, settings.ALERT_SEND_TIMEOUT_S):
            try:
                connection.open()
                mail.send()
            finally:
                _close(connection)
        return Handed(self.provider, provider_id=mail.extra_headers["Message-ID"])

    def _connection(self) -> BaseEmailBackend:
        config: dict[str, Any] = self.config
        if self.provider == "file":
            return get_connection(config["EMAIL_BACKEND"], file_path="/" + config["EMAIL_FILE_PATH"].lstrip("/"))
        return get_connection(
            config["EMAIL_BACKEND"],
            host=config["EMAIL_HOST"],
            port=config["EMAIL_PORT"] or 25,
            username=config["EMAIL_HOST_USER"] or "",
            password=config["EMAIL_HOST_PASSWORD"] or "",
            use_tls=config.get("EMAIL_USE_TLS", False),
            use_ssl=config.get("EMAIL_USE_SSL", False),
            timeout=settings.ALERT_SEND_TIMEOUT_S,
        )

    def _mail(self, message: Message, to: str, connection: BaseEmailBackend) -> EmailMultiAlternatives:
        headers = {
            "Message-ID": f"<{message.key}@{self.domain}>",  # the same delivery handed over twice is one message to whoever sorts by it
            "List-Id": f"Khareetaty <alerts.{self.domain}>",
            "Auto-Submitted": "auto-generated",  # answering machines keep quiet
            "X-Auto-Response-Suppress": "All",
        }
        if self.public_url:
            headers["List-Help"] = headers["List-Unsubscribe"] = f"<{self.public_url}/alerts/me/>"
        if message.is_critical:
            headers |= {"Importance": "high", "X-Priority": "1"}
        text = lines(message.text, LONGEST_TEXT)
        for link in (message.acknowledge_url, message.url):
            if link and link not in text:
                text = f"{text}\n\n{link}"
        mail = EmailMultiAlternatives(
            one_line(message.subject, LONGEST_SUBJECT), text, self.from_email, [to], connection=connection, headers=headers
        )
        mail.attach_alternative(message.html or html_of(message), "text/html")
        return mail


def html_of(message: Message) -> str:
    """The message's own words, escaped, in its language, with its two links as buttons."""
    with translation.override(message.language):
        return render_to_string(
            "alerts/email.html",
            {"message": message, "subject": one_line(message.subject, LONGEST_SUBJECT), "text": lines(message.text, LONGEST_TEXT)},
        )


def _close(connection: BaseEmailBackend) -> None:
    """What the server took it has; a failing good-bye changes nothing, and must not hide what was said before."""
    with suppress(OSError, smtplib.SMTPException):
        connection.close()


@contextmanager
def _ended_in_time(connection: BaseEmailBackend, timeout_s: float) -> Iterator[None]:
    """smtplib bounds each read; a server that drips is cut off here."""

    def cut_off() -> None:
        sock = getattr(getattr(connection, "connection", None), "sock", None)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    watch = threading.Timer(timeout_s, cut_off)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


@contextmanager
def _told_apart() -> Iterator[None]:
    """4xx heals, 5xx does not; a refused recipient is a bad address; silence after the words may be a message taken."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as refused:
        code, said = next(iter(refused.recipients.values()))
        raise _failure(code, said, of_address=True) from refused
    except smtplib.SMTPAuthenticationError as refused:
        raise PermanentFailure(_("The mail server does not take our name and password."), code=str(refused.smtp_code)) from refused
    except smtplib.SMTPResponseException as refused:
        raise _failure(refused.smtp_code, refused.smtp_error) from refused
    except ssl.SSLError as error:
        raise PermanentFailure(_("The mail server's certificate is not trusted."), code="tls") from error
    except (smtplib.SMTPException, OSError) as error:
        # Where in the dialogue it broke off, smtplib does not say: the message may lie there.
        never_began = isinstance(error, ConnectionRefusedError | socket.gaierror | smtplib.SMTPConnectError)
        raise TemporaryFailure(
            _("The mail server did not answer as it should: %(why)s") % {"why": str(error)[:200] or type(error).__name__},
            code="timeout" if isinstance(error, TimeoutError) else "connect",
            may_have_been_taken=not never_began,
        ) from error


def _failure(code: int, said: bytes | str, *, of_address: bool = False) -> TemporaryFailure | PermanentFailure:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    detail = one_line(f"{code} {words}", 300)
    # smtplib says -1 where the server broke off in the middle of its answer.
    if code < 500:
        return TemporaryFailure(detail, code=str(code), may_have_been_taken=code < 0)
    return PermanentFailure(detail, code=str(code), is_address_bad=of_address and code in codes.SMTP)
