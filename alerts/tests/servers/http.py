"""An HTTP server that keeps what it was sent and answers by a script: well, badly, slowly, never, in drops, with a page, elsewhere."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Reply:
    """One answer. ``hang_s``: say nothing for so long (the server's end cuts it short); ``drip_s``: a byte at a time, so far apart;
    ``drop``: close the connection after taking the request, without a word."""

    status: int = 200
    body: bytes = b"{}"
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    drip_s: float = 0.0
    drop: bool = False

    @classmethod
    def json(cls, status: int, content: Any, **more: Any) -> Reply:
        return cls(status, json.dumps(content).encode(), **more)

    @classmethod
    def html(cls, status: int = 502) -> Reply:
        return cls(status, b"<html><body><h1>Bad Gateway</h1></body></html>", "text/html")

    @classmethod
    def hang(cls, seconds: float = 60.0) -> Reply:
        return cls(hang_s=seconds)

    @classmethod
    def drip(cls, every_s: float = 0.2) -> Reply:
        return cls(body=b" " * 10_000, drip_s=every_s)

    @classmethod
    def dropped(cls) -> Reply:
        return cls(drop=True)


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class HttpServer:
    """``script(a, b)``: the next two answers; after them ``answer`` decides (200 with ``{}``)."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._script: list[Reply] = []
        self._lock = threading.Lock()
        self._over = threading.Event()

    def script(self, *replies: Reply) -> Self:
        with self._lock:
            self._script += replies
        return self

    def answer(self, seen: Seen) -> Reply:
        return Reply()

    def after(self, seen: Seen, reply: Reply) -> None:
        """Once the answer is out."""

    def _next(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            scripted = self._script.pop(0) if self._script else None
        return scripted if scripted is not None else self.answer(seen)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, self.rfile.read(length), time.time())
                reply = outer._next(seen)
                self.close_connection = True
                if reply.hang_s:
                    outer._over.wait(reply.hang_s)
                    return
                if reply.drop:
                    return
                try:
                    self._say(reply)
                except OSError:
                    return
                outer.after(seen, reply)

            def _say(self, reply: Reply) -> None:
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.kind)
                self.send_header("Content-Length", str(len(reply.body)))
                self.send_header("Connection", "close")
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if not reply.drip_s:
                    self.end_headers()
                    self.wfile.write(reply.body)
                    return
                self.flush_headers()  # and the head itself never ends
                for _ in range(10_000):
                    if outer._over.wait(reply.drip_s):
                        return
                    self.wfile.write(b"x")
                    self.wfile.flush()

            do_GET = do_POST = do_PUT = do_DELETE = _serve

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 256

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
