"""A radio module's end of DTLS 1.2: it shows its certificate, and wants to see one of the same authority. Nothing here waits by itself."""

from __future__ import annotations

import contextlib
import re
import select
import socket
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

DTLS_1_2 = 0xFEFD
NO_QUERY_MTU = 0x1000
MTU = 1_200
LONGEST = 65_536
HEADER = 13  # of a record; its last two bytes are the length of the rest
# What RFC 7252 asks of small devices. OpenSSL counts its short tag as weak, hence the level.
CIPHERS = b"ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n?", re.DOTALL)


class Ended(Exception):
    """The other side has ended the session, or refused to begin one."""


class Line:
    """A session over a socket of its own. ``word``: the module's certificate, its key and the authority's certificate, in PEM, one behind
    the other. Raises ``ValueError`` for another one."""

    def __init__(self, host: str, port: int, word: str) -> None:
        parts = [found.group() for found in _PEM.finditer(word)]
        if len(parts) != 3:
            raise ValueError("a certificate, its key and the authority's certificate are wanted")
        certificate, key, authority = (part.encode() for part in parts)
        private: Any = load_pem_private_key(key, None)
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.set_min_proto_version(DTLS_1_2)
        context.set_options(NO_QUERY_MTU)
        context.set_cipher_list(CIPHERS)
        context.use_certificate(x509.load_pem_x509_certificate(certificate))
        context.use_privatekey(private)
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(crypto.X509.from_cryptography(x509.load_pem_x509_certificate(authority)))
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        context.set_verify(SSL.VERIFY_PEER, lambda _wire, _shown, _error, _depth, fits: bool(fits))
        self._ssl = SSL.Connection(context, None)
        self._ssl.set_connect_state()
        self._ssl.set_ciphertext_mtu(MTU)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((host, port))

    def fileno(self) -> int:
        return self._socket.fileno()

    def wait(self, seconds: float) -> None:
        """Until something came, at most so long."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.poll(1_000 * seconds)

    def begin(self) -> bool:
        """A step of the handshake; whether it is done. To be called when something came, and now and then when nothing did. Raises
        ``Ended``."""
        self._fetch()
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            self._ssl.DTLSv1_handle_timeout()  # says again what was not answered, once it is due
            self._flush()
            return False
        except SSL.Error as error:
            self._flush()
            raise Ended("the handshake was refused") from error
        self._flush()
        return True

    def say(self, datagram: bytes) -> None:
        """Raises ``Ended``."""
        try:
            self._ssl.send(datagram)
        except SSL.Error as error:
            raise Ended("the session is over") from error
        self._flush()

    def heard(self) -> list[bytes]:
        """What came since the last time. Raises ``Ended``."""
        self._fetch()
        found = []
        while True:
            try:
                found.append(self._ssl.recv(LONGEST))
            except SSL.WantReadError:
                self._flush()
                return found
            except SSL.Error as error:
                raise Ended("the session is over") from error

    def close(self) -> None:
        with contextlib.suppress(SSL.Error):
            self._ssl.shutdown()
            self._flush()
        self._socket.close()

    def _fetch(self) -> None:
        while True:
            try:
                self._ssl.bio_write(self._socket.recv(LONGEST))
            except (BlockingIOError, ConnectionRefusedError):
                return

    def _flush(self) -> None:
        """A datagram for each record."""
        with contextlib.suppress(SSL.WantReadError, BlockingIOError, ConnectionRefusedError):
            while data := self._ssl.bio_read(LONGEST):
                at = 0
                while at < len(data):
                    end = at + HEADER + int.from_bytes(data[at + HEADER - 2 : at + HEADER], "big")
                    self._socket.send(data[at:end])
                    at = end
