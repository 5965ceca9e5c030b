"""SMS over SMPP 3.4: to an operator's short message centre or a bank of modems, without internet.

Each message has a bind of its own, so that a sender's thread shares nothing; receipts and replies come to a bind that stays
(``manage.py sms_gateway``). What is not in the GSM alphabet goes as UCS-2; what is longer than one part carries the header (UDH) by
which the handset puts the parts together.
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.smpp
from django.conf import settings
from django.utils.translation import gettext as _

from alerts.channels import codes
from alerts.channels.addresses import as_number
from alerts.channels.base import Handed, Message, PermanentFailure, TemporaryFailure
from alerts.channels.texts import cut_before, lines

PROVIDER = "smpp"
# Letters that every handset shows from the default alphabet, and that are the same in ASCII, Latin-1 and GSM 7 bit: whatever the centre
# takes its "default" to be, it reads them alike. Anything else is sent as UCS-2.
PLAIN = re.compile(r"[A-Za-z0-9 \r\n!\"#%&'()*+,\-./:;<=>?]*")
SEVEN_BIT, UCS2 = smpplib.consts.SMPP_ENCODING_DEFAULT, smpplib.consts.SMPP_ENCODING_ISO10646
WHOLE = {SEVEN_BIT: 160, UCS2: 70}
PART = {SEVEN_BIT: 153, UCS2: 67}
MOST_PARTS = 10
HEALS = frozenset({0x08, 0x14, 0x45, 0x58, 0x61, 0x64, 0xFE})  # queue full, throttled, delivery failed, temporary
# A receipt's word (SMPP 3.4, appendix B) in ours.
STATES = {"DELIVRD": "delivered", "EXPIRED": "expired", "DELETED": "canceled", "UNDELIV": "undelivered", "REJECTD": "rejected"}
RECEIPT = re.compile(r"\bid:(?P<id>\S+).*?\bstat:(?P<state>[A-Z]+)(?:.*?\berr:(?P<error>\S+))?", re.I | re.S)
log = logging.getLogger(__name__)


def parts_of(text: str) -> tuple[int, list[bytes]]:
    """The coding, and the parts as they go into ``short_message``, headers and all; no letter is torn between two parts."""
    coding = SEVEN_BIT if PLAIN.fullmatch(text) else UCS2
    encode: Callable[[str], bytes] = (lambda t: t.encode("ascii")) if coding == SEVEN_BIT else (lambda t: t.encode("utf-16-be"))
    unit = 1 if coding == SEVEN_BIT else 2
    if len(encode(text)) // unit <= WHOLE[coding]:
        return coding, [encode(text)]
    pieces, piece = [], ""
    for letter in text:  # a picture is two units: it goes over to the next part whole
        if len(encode(piece + letter)) // unit > PART[coding]:
            pieces.append(piece)
            piece = ""
        piece += letter
    pieces.append(piece)
    reference = secrets.randbelow(256)
    return coding, [bytes([5, 0, 3, reference, len(pieces), number]) + encode(one) for number, one in enumerate(pieces, 1)]


@dataclass(frozen=True)
class Centre:
    host: str
    port: int
    user: str
    password: str

    @classmethod
    def of(cls, url: str) -> Centre:
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 2775, unquote(parts.username or ""), unquote(parts.password or ""))


class SmppGateway:
    provider = PROVIDER
    takes_key = False

    def __init__(self, channel: str, url: str, *, sender: str, gives_receipts: bool) -> None:
        self.channel, self.centre, self.sender, self.has_receipts = channel, Centre.of(url), sender, gives_receipts

    def check_address(self, address: str) -> str:
        return as_number(address)

    def send(self, message: Message) -> Handed:
        to = self.check_address(message.to)
        tail = message.acknowledge_url or message.url or message.code
        coding, parts = parts_of(lines(message.text, 20_000))
        if len(parts) > MOST_PARTS:
            coding, parts = parts_of(cut_before(lines(message.text, 20_000), tail, PART[coding] * MOST_PARTS - 8))
        taken: list[str] = []
        with _client(self.centre, settings.ALERT_SEND_TIMEOUT_S) as client, _told_apart(taken):
            client.connect()
            client.bind_transmitter(system_id=self.centre.user, password=self.centre.password)
            for part in parts:
                self._submit(client, to, coding, part, taken, is_last=part is parts[-1], is_part=len(parts) > 1)
            with suppress(smpplib.exceptions.ConnectionError, smpplib.exceptions.PDUError, OSError):
                client.unbind()
        return Handed(self.provider, provider_id=taken[-1], detail=f"{len(parts)} SMS")

    def _submit(self, client: Any, to: str, coding: int, part: bytes, taken: list[str], *, is_last: bool, is_part: bool) -> None:
        is_number = self.sender.lstrip("+").isdigit()
        client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_INTL if is_number else smpplib.consts.SMPP_TON_ALNUM,
            source_addr_npi=smpplib.consts.SMPP_NPI_ISDN if is_number else smpplib.consts.SMPP_NPI_UNK,
            source_addr=self.sender.lstrip("+"),
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            destination_addr=to.lstrip("+"),
            short_message=part,
            data_coding=coding,
            esm_class=smpplib.consts.SMPP_GSMFEAT_UDHI if is_part else smpplib.consts.SMPP_MSGTYPE_DEFAULT,
            registered_delivery=self.has_receipts and is_last,  # the last part's stands for the whole
        )
        while True:
            answer = client.read_pdu()
            if answer.command == "enquire_link":
                client._enquire_link_received(answer)
            elif answer.command in ("submit_sm_resp", "generic_nack"):
                break
        if answer.is_error():
            raise smpplib.exceptions.PDUError(smpplib.consts.DESCRIPTIONS.get(answer.status, "unknown"), int(answer.status))
        taken.append((answer.message_id or b"").decode("latin-1"))


@contextmanager
def _client(centre: Centre, timeout_s: float) -> Iterator[Any]:
    client = smpplib.client.Client(centre.host, centre.port, timeout=timeout_s, allow_unknown_opt_params=True, logger_name="smpp")

    def cut_off() -> None:
        # Each read is bounded by the socket; a centre that drips bytes is cut off here.
        held = client._socket
        if held is not None:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(timeout_s, cut_off)
    watch.daemon = True
    watch.start()
    try:
        yield client
    finally:
        watch.cancel()
        close(client)


def close(client: Any) -> None:
    with suppress(OSError):
        if client._socket is not None:
            client._socket.close()
    client._socket, client.state = None, smpplib.consts.SMPP_CLIENT_STATE_CLOSED


@contextmanager
def _told_apart(taken: list[str]) -> Iterator[None]:
    try:
        yield
    except smpplib.exceptions.PDUError as refused:
        words, status = str(refused.args[0]), int(refused.args[1]) if len(refused.args) > 1 else 0
        said, code = _("The message centre said: %(why)s") % {"why": words}, f"smpp {status:#x}"
        if status in HEALS or status == 0:
            raise TemporaryFailure(said, code=code, may_have_been_taken=bool(taken)) from refused
        raise PermanentFailure(said, code=code, is_address_bad=status in codes.SMPP) from refused
    except (smpplib.exceptions.ConnectionError, OSError) as error:
        has_begun = not isinstance(error.__context__, ConnectionRefusedError | socket.gaierror)
        raise TemporaryFailure(
            _("The message centre did not answer as it should."),
            code="timeout" if isinstance(error, TimeoutError) else "connect",
            may_have_been_taken=has_begun,
        ) from error
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        said = _("The message centre's answer could not be understood.")
        raise TemporaryFailure(said, code="nonsense", may_have_been_taken=True) from error


@dataclass(frozen=True)
class Heard:
    """What came from the centre: a receipt of ours (``provider_id``, ``status``), or somebody's words (``sender``, ``text``)."""

    provider_id: str = ""
    status: str = ""
    code: str = ""
    sender: str = ""
    text: str = ""


def listen(url: str, *, hear: Callable[[Heard], None], stop: threading.Event, ask_every_s: float = 30.0) -> None:
    """Stay bound as a receiver until told to stop, or until the line breaks (the caller binds again).

    ``hear`` runs before the centre is answered: what it does not survive is sent to us again.
    """
    centre = Centre.of(url)
    client = smpplib.client.Client(centre.host, centre.port, timeout=1.0, allow_unknown_opt_params=True, logger_name="smpp")

    def received(pdu: Any) -> int | None:
        told = heard_in(pdu)
        if told is not None:
            hear(told)
        return None

    client.set_message_received_handler(received)
    silent_s = 0.0
    try:
        client.connect()
        client.bind_receiver(system_id=centre.user, password=centre.password)
        while not stop.is_set():
            try:
                client.read_once(auto_send_enquire_link=False)
                silent_s = 0.0
            except TimeoutError:
                silent_s += 1.0
                if silent_s % ask_every_s < 1.0:
                    client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=client))
                if silent_s > 3 * ask_every_s:
                    return
    except (smpplib.exceptions.ConnectionError, smpplib.exceptions.PDUError, OSError) as error:
        log.warning("the message centre is gone: %s", type(error).__name__)
    finally:
        close(client)


def heard_in(pdu: Any) -> Heard | None:
    raw = pdu.short_message or getattr(pdu, "message_payload", None) or b""
    if pdu.esm_class & 0x3C == 0x04:  # a receipt
        found = RECEIPT.search(raw.decode("latin-1"))
        if found is None:
            return None
        word = found["state"].upper()
        return Heard(provider_id=found["id"], status=STATES.get(word, word.lower()), code=(found["error"] or "").strip("0"))
    if pdu.esm_class & smpplib.consts.SMPP_GSMFEAT_UDHI and raw:
        raw = raw[1 + raw[0] :]
    text = raw.decode("utf-16-be", "replace") if pdu.data_coding == UCS2 else raw.decode("latin-1")
    number = (pdu.source_addr or b"").decode("latin-1")
    return Heard(sender=f"+{number}" if number.isdigit() else number, text=text[:1000])
