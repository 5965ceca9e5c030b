"""DTLS 1.2 for a server: who answers a cookie may begin, who has a certificate of ours may speak. Datagrams in, datagrams out.

OpenSSL does the work (pyOpenSSL: the library that ``cryptography`` brings already), over memory instead of a socket: one socket serves all.
Nothing is kept for an address until it has sent back the cookie it was given, so a forged address costs us nothing. See decision 0315.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from OpenSSL import SSL, crypto

Address = tuple[Any, ...]
MTU = 1_200  # of what we send: it passes every mobile network
RECEIVED = 4 << 20  # bytes that may wait in the kernel, where it allows as much
MOST_ARRIVING = 500  # handshakes at once
HANDSHAKE_WITHIN_S = 30.0
LOOK_EVERY_S = 0.25
DTLS_1_2 = 0xFEFD
NO_QUERY_MTU, NO_TICKET, NO_RENEGOTIATION = 0x1000, 0x4000, 0x4000_0000
HANDSHAKE, DATA = 22, 23
CLIENT_HELLO = 1
# The last one is what RFC 7252 asks of small devices. OpenSSL counts its short tag as weak, hence the level; nothing else weak is listed.
CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"
)


def server_context(*, certificate: bytes, key: bytes, trusted: bytes) -> SSL.Context:
    """``trusted``: who signs devices' certificates. All as PEM."""
    context = SSL.Context(SSL.DTLS_SERVER_METHOD)
    context.set_min_proto_version(DTLS_1_2)
    context.set_cipher_list(CIPHERS)
    context.use_certificate(x509.load_pem_x509_certificate(certificate))
    private: Any = load_pem_private_key(key, None)
    context.use_privatekey(private)
    context.check_privatekey()
    store = context.get_cert_store()
    assert store is not None
    store.add_cert(crypto.X509.from_cryptography(x509.load_pem_x509_certificate(trusted)))
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # a site's own authority may be an intermediate one
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda _wire, _shown, _error, _depth, fits: bool(fits))
    context.set_options(NO_QUERY_MTU | NO_TICKET | NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # a certificate is shown each time: it may have been revoked
    context.set_cookie_generate_callback(lambda wire: wire.get_app_data())
    context.set_cookie_verify_callback(lambda wire, cookie: hmac.compare_digest(cookie, wire.get_app_data()))
    return context


class Session:
    """One device's wire, from its address. ``state`` belongs to whoever reads what it says."""

    def __init__(self, server: DtlsServer, address: Address, wire: SSL.Connection) -> None:
        self.server, self.address, self.wire = server, address, wire
        self.begun_at = self.heard_at = time.monotonic()
        self.certificate = b""
        self.state: Any = None
        self.is_over = False

    def send(self, data: bytes) -> None:
        if not self.is_over:
            with contextlib.suppress(SSL.Error):
                self.wire.send(data)
            self.flush()

    def flush(self) -> None:
        with contextlib.suppress(SSL.Error):  # WantReadError: nothing more to send
            while True:
                for datagram in _datagrams(self.wire.bio_read(65_536)):
                    self.server.transport.sendto(datagram, self.address)

    def end(self) -> None:
        if not self.is_over:
            with contextlib.suppress(SSL.Error):
                self.wire.shutdown()
            self.flush()
            self.is_over = True
            self.server.forget(self)


class DtlsServer(asyncio.DatagramProtocol):
    """``opened`` is told of a session whose handshake is done, ``heard`` of each datagram in it, ``closed`` of its end."""

    def __init__(
        self, context: SSL.Context, *, most: int, idle_s: float, opened: Callable[[Session], None],
        heard: Callable[[Session, bytes], None], closed: Callable[[Session], None],
    ) -> None:  # fmt: skip
        self.context, self.most, self.idle_s = context, most, idle_s
        self.opened, self.heard, self.closed = opened, heard, closed
        self.counts: Counter[str] = Counter()
        self.sessions: OrderedDict[Address, Session] = OrderedDict()  # the one that was silent for longest stands first
        self.arriving: dict[Address, Session] = {}
        self._secret = secrets.token_bytes(32)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)

    def error_received(self, exc: Exception) -> None:
        self.counts["unreachable"] += 1  # somebody we answered is gone

    def datagram_received(self, data: bytes, addr: Address) -> None:
        known, arriving = self.sessions.get(addr), self.arriving.get(addr)
        if known is not None and (data[:1] == bytes([DATA]) or (arriving is None and not _begins(data))):
            self._read(known, data)
        elif arriving is not None:
            self._shake(arriving, data)
        elif _begins(data):
            self._begin(data, addr)
        else:
            self.counts["stray"] += 1  # plain CoAP, a session that is over, noise: not answered

    def forget(self, session: Session) -> None:
        for table in (self.arriving, self.sessions):
            if table.get(session.address) is session:
                del table[session.address]
        if session.certificate:
            self.closed(session)

    def close(self) -> None:
        for session in [*self.sessions.values(), *self.arriving.values()]:
            session.end()
        self.transport.close()

    async def look(self) -> None:
        """Say again what got lost of a handshake; end what has taken too long or was silent for too long."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            for session in list(self.arriving.values()):
                if now - session.begun_at > HANDSHAKE_WITHIN_S:
                    self._fail(session, "too_slow")
                    continue
                left = session.wire.DTLSv1_get_timeout()
                if left is not None and left <= 0:
                    try:
                        session.wire.DTLSv1_handle_timeout()
                    except SSL.Error:
                        self._fail(session, "too_slow")
                    session.flush()
            while self.sessions and now - (oldest := next(iter(self.sessions.values()))).heard_at > self.idle_s:
                oldest.end()

    # -- the handshake -------------------------------------------------------------------------------------------------------------------

    def _begin(self, data: bytes, addr: Address) -> None:
        """A first word. Without our cookie it is answered with one, and nothing is kept."""
        wire = SSL.Connection(self.context, None)
        wire.set_accept_state()
        wire.set_ciphertext_mtu(MTU)
        wire.set_app_data(hmac.digest(self._secret, repr(addr).encode(), "sha256"))
        session = Session(self, addr, wire)
        try:
            wire.bio_write(data)
            wire.DTLSv1_listen()
        except SSL.Error:
            session.flush()
            return
        if len(self.arriving) >= MOST_ARRIVING:
            self.counts["busy"] += 1
            return
        self.arriving[addr] = session
        self._shake(session, b"")

    def _shake(self, session: Session, data: bytes) -> None:
        try:
            if data:
                session.wire.bio_write(data)
            session.wire.do_handshake()
        except SSL.WantReadError:
            session.flush()
            return
        except SSL.Error:
            session.flush()  # the alert that says why
            self._fail(session, "refused")
            return
        shown = session.wire.get_peer_certificate(as_cryptography=True)
        if shown is None:
            self._fail(session, "refused")
            return
        del self.arriving[session.address]
        before = self.sessions.get(session.address)
        if before is not None:
            before.is_over = True  # it began anew: the old session is not told, its address speaks for the new one
            self.forget(before)
        while len(self.sessions) >= self.most:
            next(iter(self.sessions.values())).end()
        session.certificate = shown.public_bytes(Encoding.DER)
        self.sessions[session.address] = session
        self.counts["opened"] += 1
        self.opened(session)
        session.flush()
        self._read(session, b"")

    def _fail(self, session: Session, why: str) -> None:
        self.counts[why] += 1
        session.is_over = True
        self.forget(session)

    # -- what is said in it --------------------------------------------------------------------------------------------------------------

    def _read(self, session: Session, data: bytes) -> None:
        session.heard_at = time.monotonic()
        self.sessions.move_to_end(session.address)
        try:
            if data:
                session.wire.bio_write(data)
            while not session.is_over:
                self.heard(session, session.wire.recv(65_536))
        except SSL.WantReadError:
            session.flush()
        except SSL.Error:  # it said good-bye, or what cannot be
            session.end()


def _begins(data: bytes) -> bool:
    """A ClientHello, in the clear and whole enough to be looked at."""
    return len(data) >= 25 and data[0] == HANDSHAKE and data[1] == 0xFE and data[3:5] == b"\0\0" and data[13] == CLIENT_HELLO


def _datagrams(flight: bytes) -> list[bytes]:
    """Whole records, as many as fit into a datagram: the memory between us and OpenSSL does not know where one ended."""
    found, start, end = [], 0, 0
    while end + 13 <= len(flight):
        after = end + 13 + int.from_bytes(flight[end + 11 : end + 13])
        if after - start > MTU and end > start:
            found.append(flight[start:end])
            start = end
        end = after
    if end > start:
        found.append(flight[start:])
    return found
