# SPDX-License-Identifier: GPL-2.0-only
"""The hand-driven walk and its web server."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faultlock.check.schedule import Move
from faultlock.errors import FaultlockError
from faultlock.explore.server import ExploreServer
from faultlock.explore.session import Session
from faultlock.lang.model import compile_model, load_model

KERNEL = '''"""A small kernel."""
N_THREADS: Param = 1
class box(Struct, count=1):
    value: Range[0, 9]
class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    woken: bool
'''
SCENARIO = '''"""two threads"""
@thread("A")
def a():
    v: Range[0, 9] = choose(1, 4, "v", where=v != 2)
    box.value = v
    wait(current.woken)
@thread("B")
def b():
    with atomic:
        for other in each(Thread):
            other.woken = True
@always("S1 small")
def small() -> bool:
    """The box holds less than three."""
    return box.value < 3
'''


@pytest.fixture
def session(tmp_path: Path) -> Session:
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    (kernel / "k.py").write_text(KERNEL)
    (tmp_path / "s.py").write_text(SCENARIO)
    return Session(compile_model(load_model("", [tmp_path / "s.py"], kernel)))


def test_moves_choices_and_blocking(session: Session) -> None:
    threads = session.enabled()
    assert threads[0]["moves"] == ["1=1", "1=3"] and threads[1]["moves"] == ["2"]
    session.jump("1=1,1")
    assert session.variables()["box 1"] == {"value": 1}
    assert session.enabled()[0]["moves"] == []
    session.do(Move(2))
    session.do(Move(1))
    assert [item["text"] for item in session.enabled()] == ["finished", "finished"]
    assert session.violated() == []


def test_a_violated_property_is_named(session: Session) -> None:
    session.jump("1=3, 1")
    assert session.violated() == ["S1 small: The box holds less than three."]
    session.back()
    assert session.violated() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "'x' is not THREAD"),
        ("9", "threads are 1 .. 2"),
        ("1=2", "not possible here"),
        ("1", "not possible here"),
    ],
)
def test_bad_schedules_leave_the_walk_as_it_was(session: Session, text: str, message: str) -> None:
    session.jump("1=1")
    with pytest.raises(FaultlockError, match=message):
        session.jump(text)
    assert session.view()["schedule"] == "1=1"


def test_a_schedule_has_a_longest_length(session: Session) -> None:
    with pytest.raises(FaultlockError, match="at most"):
        session.jump("1x10001")


@pytest.fixture
def server(session: Session) -> Iterator[ExploreServer]:
    running = ExploreServer(session)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


def ask(url: str, body: Any = None, host: str = "") -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_page_and_a_move(server: ExploreServer) -> None:
    assert "faultlock explore" in ask(server.address)[1]
    status, text = ask(server.address + "move", {"do": "1=3"})
    assert status == 200 and json.loads(text)["schedule"] == "1=3"
    status, text = ask(server.address + "move", {"do": "1=3"})
    assert status == 409 and "not possible" in json.loads(text)["error"]


def test_only_the_token_opens_it(server: ExploreServer) -> None:
    root = server.address.rsplit("/", 2)[0]
    assert ask(f"{root}/")[0] == 403
    assert ask(f"{root}/wrong/state")[0] == 403
    assert ask(server.address + "state", host="evil.example")[0] == 403
    assert ask(server.address + "../../etc/passwd")[0] in (403, 404)
    assert ask(server.address + "move", [1])[0] == 409
