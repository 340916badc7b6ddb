# SPDX-License-Identifier: GPL-2.0-only
"""A real browser for tests: headless Chromium driven over its DevTools protocol.

Only loopback is used.  Mouse and keyboard events go through the browser's own input path.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.tools import require_tool

START_LIMIT_S = 60


class Browser:
    """One page of a headless browser."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._number = 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._socket: WebSocketClientConnection = self._run(self._connect(port))
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def _run(self, work: Any) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(work, START_LIMIT_S))

    async def _connect(self, port: int) -> WebSocketClientConnection:
        answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/json/list")
        target = next(item for item in json.loads(answer.body) if item["type"] == "page")
        return await websocket_connect(
            target["webSocketDebuggerUrl"], max_message_size=256 * 1024 * 1024
        )

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        wanted = self._number
        await self._socket.write_message(
            json.dumps({"id": wanted, "method": method, "params": parameters})
        )
        while True:
            message = await self._socket.read_message()
            assert message is not None, "the browser has gone"
            answer = json.loads(message)
            self._note(answer)
            if answer.get("id") == wanted:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _note(self, event: dict[str, Any]) -> None:
        kind = event.get("method")
        if kind == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        elif kind == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(event["params"]["exceptionDetails"])[:500])
        elif kind == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            self.errors.append(event["params"]["entry"]["text"])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One DevTools call."""
        answer: dict[str, Any] = self._run(self._call(method, parameters))
        return answer

    def open(self, address: str, width: int = 1600, height: int = 1000, dark: bool = False) -> None:
        """Load a page in a window of that size; waits until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=address)
        for _ in range(600):
            if self.value("document.readyState") == "complete":
                return
            time.sleep(0.05)
        raise AssertionError(f"{address} did not load")

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """A mouse click in the middle of the first element that matches."""
        place = self.value(
            "(() => { const e = document.querySelector(" + json.dumps(selector) + ");"
            "if (!e) return null; e.scrollIntoView({block: 'center'});"
            "const r = e.getBoundingClientRect();"
            "return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()"
        )
        assert place is not None, f"nothing matches {selector}"
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def press(self, key: str, code: int) -> None:
        """A key press and release, e.g. ("ArrowLeft", 37)."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text,
                      windowsVirtualKeyCode=code)

    def picture(self, path: Path) -> None:
        """A PNG of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 8000),
                "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                         clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Close the connection (the process ends with `chromium`)."""
        self._socket.close()
        self._loop.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium for the block; skipped by name when it is not installed."""
    program = require_tool("chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking",
             "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile},
        )
        try:
            browser = Browser(_port(Path(profile) / "DevToolsActivePort"))
            try:
                yield browser
            finally:
                browser.close()
        finally:
            process.terminate()
            process.wait(30)


def _port(file: Path) -> int:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if file.is_file() and file.read_text().strip():
            return int(file.read_text().splitlines()[0])
        time.sleep(0.1)
    raise AssertionError("Chromium did not start")
