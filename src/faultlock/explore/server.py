# SPDX-License-Identifier: GPL-2.0-only
"""The local web server of `faultlock explore`: loopback only, a random token in the address.

It serves one page and answers three requests about one session; it opens no file that a
request names.  Requests without the token, or from another site, get 403.
"""

from __future__ import annotations

import hmac
import json
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Lock
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.explore.session import Session

MAX_BODY_BYTES = 100_000
LOOPBACK = "127.0.0.1"
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class ExploreServer(ThreadingHTTPServer):
    """Serves one session on 127.0.0.1; port 0 takes any free port."""

    daemon_threads = True

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session = session
        self.lock = Lock()
        self.token = secrets.token_urlsafe(24)
        self.page = files("faultlock.explore").joinpath("page.html").read_text(encoding="utf-8")
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def address(self) -> str:
        """The address to open in a browser."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: ExploreServer
    server_version = "faultlock"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to the command."""

    def _allowed(self) -> str | None:
        """The path behind the token, None when the request is refused."""
        parts = self.path.split("/", 2)
        token = parts[1] if len(parts) > 2 else ""
        host = self.headers.get("Host", "")
        expected = (f"{LOOPBACK}:{self.server.server_port}", f"localhost:{self.server.server_port}")
        if host not in expected or not hmac.compare_digest(
            token.encode(), self.server.token.encode()
        ):
            self._send(403, "text/plain", "wrong or missing token; use the printed address\n")
            return None
        return parts[2]

    def do_GET(self) -> None:
        """The page and the state."""
        path = self._allowed()
        if path == "":
            self._send(200, "text/html", self.server.page)
        elif path == "state":
            with self.server.lock:
                self._json(200, self.server.session.view())
        elif path is not None:
            self._send(404, "text/plain", "there is only the page and its state\n")

    def do_POST(self) -> None:
        """A move: {"do": "1=2"}, {"back": 1} or {"jump": "1x2,2"}."""
        path = self._allowed()
        if path is None:
            return
        length = self.headers.get("Content-Length", "")
        if path != "move" or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self._send(400, "text/plain", "not a move\n")
            return
        try:
            request = json.loads(self.rfile.read(int(length)))
            with self.server.lock:
                self._carry_out(request)
                self._json(200, self.server.session.view())
        except (FaultlockError, ValueError, TypeError, KeyError, RecursionError) as error:
            self._json(409, {"error": str(error)})

    def _carry_out(self, request: dict[str, Any]) -> None:
        session = self.server.session
        if "do" in request:
            for move in session.parsed(str(request["do"])):
                session.do(move)
        elif "back" in request:
            session.back(int(request["back"]))
        else:
            session.jump(str(request["jump"]))

    def _json(self, status: int, value: object) -> None:
        self._send(status, "application/json", json.dumps(value))

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
