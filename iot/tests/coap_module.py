"""A radio module's end of CoAP over DTLS, and a tunnel through which any CoAP client speaks as one."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from typing import Any

from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from iot.services.certificates import Issued


def request(
    mid: int, body: Any = b"", *, kind: Type = Type.CON, code: Code = Code.POST, path: str = "r", form: int | None = 50, **options: Any
) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = Message(code=code, payload=raw, _mtype=kind, _mid=mid, _token=b"t")
    message.opt.uri_path, message.opt.content_format = (path,), form
    for name, value in options.items():
        setattr(message.opt, name, value)
    return bytes(message.encode())


class Shut(Exception):
    """The other side has ended it, or refused to begin."""


class Module:
    """``issued``: the certificate it shows. Raises ``Shut``."""

    def __init__(self, port: int, issued: Issued | None, *, wire: socket.socket | None = None) -> None:
        self.wire = wire or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.wire.connect(("127.0.0.1", port))
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.set_options(0x1000)
        context.set_cipher_list(b"ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
        if issued is not None:
            key: Any = load_pem_private_key((issued.key_pem or "").encode(), None)
            context.use_certificate(x509.load_pem_x509_certificate(issued.pem.encode()))
            context.use_privatekey(key)
            store = context.get_cert_store()
            assert store is not None
            store.add_cert(crypto.X509.from_cryptography(x509.load_pem_x509_certificate(issued.authority_pem.encode())))
            context.set_verify(SSL.VERIFY_PEER, lambda _wire, _shown, _error, _depth, fits: bool(fits))
        self.ssl = SSL.Connection(context, None)
        self.ssl.set_connect_state()
        self.ssl.set_ciphertext_mtu(1_200)

    def first_word(self) -> bytes:
        with contextlib.suppress(SSL.WantReadError):
            self.ssl.do_handshake()
        return self.ssl.bio_read(65_536)

    def begin(self) -> Module:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                self.ssl.do_handshake()
            except SSL.WantReadError:
                self.flush()
                if not self._take(0.5):
                    self.ssl.DTLSv1_handle_timeout()
            except SSL.Error as error:
                self.flush()
                raise Shut(str(error)) from error
            else:
                self.flush()
                return self
        raise Shut("no answer")

    def say(self, data: bytes) -> None:
        self.ssl.send(data)
        self.flush()

    def hear(self, within_s: float = 20.0) -> bytes:
        """The next datagram; nothing where none came."""
        end = time.monotonic() + within_s
        while True:
            try:
                return self.ssl.recv(65_536)
            except SSL.WantReadError:
                self.flush()
            except SSL.Error as error:
                raise Shut(str(error)) from error
            if not self._take(max(0.0, end - time.monotonic())):
                return b""

    def ask(self, data: bytes) -> bytes:
        self.say(data)
        return self.hear()

    def insist(self, data: bytes) -> bytes:
        """As a module does: said again where no answer came. A datagram may get lost in the crowd."""
        for _n in range(10):
            self.say(data)
            if answer := self.hear(2.0):
                return answer
        return b""

    def flush(self) -> None:
        with contextlib.suppress(SSL.Error):
            data = self.ssl.bio_read(65_536)
            at = 0
            while at < len(data):
                end = at + 13 + int.from_bytes(data[at + 11 : at + 13])
                self.wire.send(data[at:end])
                at = end

    def _take(self, within_s: float) -> bool:
        if not select.select([self.wire], [], [], within_s)[0]:
            return False
        with contextlib.suppress(ConnectionRefusedError):
            self.ssl.bio_write(self.wire.recv(65_536))
        return True

    def close(self) -> None:
        self.wire.close()


class Tunnel:
    """A plain port on this machine: what is sent to it travels by the module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inside.bind(("127.0.0.1", 0))
        self.port = self.inside.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Tunnel:
        self._thread.start()
        return self

    def __exit__(self, *_anything: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self.inside.close()

    def _run(self) -> None:
        client = None
        while not self._stop.is_set():
            for ready in select.select([self.inside, self.module.wire], [], [], 0.1)[0]:
                if ready is self.inside:
                    data, client = self.inside.recvfrom(65_536)
                    self.module.say(data)
                else:
                    with contextlib.suppress(Shut):
                        while client is not None and (data := self.module.hear(0.0)):
                            self.inside.sendto(data, client)
