"""A watcher and a notice board on loopback, which write down what reaches them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Heard:
    """What came, in order."""

    port: int = 0
    pings: list[str] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def board(self) -> str:
        return f"json://127.0.0.1:{self.port}/token-of-the-board"

    @property
    def watcher(self) -> str:
        return f"http://127.0.0.1:{self.port}/token-of-the-watcher"

    def wait_for(self, holds: Any) -> None:
        with self.came:
            assert self.came.wait_for(holds, timeout=60), (self.pings, self.notices)


@contextmanager
def listening(status: int = 200) -> Iterator[Heard]:
    heard = Heard()

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with heard.came:
                heard.pings.append(self.path.removeprefix("/token-of-the-watcher").strip("/"))
                heard.came.notify_all()
            self._answer()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with heard.came:
                heard.notices.append({"title": body["title"], "body": body["message"]})
                heard.came.notify_all()
            self._answer()

        def _answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    heard.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
