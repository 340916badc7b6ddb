# SPDX-License-Identifier: GPL-2.0-only
"""`replay --html`: the page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faultlock.report.replay_page import replay_page
from tests.browser import Browser, chromium
from tests.tools import faultlock
from tests.unit.report.samples import HOSTILE
from tests.unit.report.test_replay_page import replay_result


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as page:
        yield page


@pytest.mark.parametrize("width", [400, 1600])
def test_the_page_fits_and_runs_no_foreign_text(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "replay.html"
    path.write_text(replay_page(replay_result(), "faultlock replay app.flt"), encoding="utf-8")
    browser.requests.clear()
    browser.errors.clear()
    browser.open(path.as_uri(), width=width)
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.requests == [path.as_uri()]
    assert browser.errors == []
    assert browser.value("document.querySelectorAll('img').length") == 0
    headings = browser.value("[...document.querySelectorAll('h2')].map(h => h.innerText).join()")
    assert "In total" in headings and "Per thread" in headings and "Latencies" in headings
    text = browser.value("document.querySelector('#s2').innerText")
    assert "quiet-41" in text
    assert HOSTILE[:30] in text


def test_a_replay_writes_its_page(browser: Browser, tmp_path: Path) -> None:
    words = ["replay", "java-cold-start", "--policies", "drop-retry,hold", "--html", "r.html"]
    done = faultlock(*words, cwd=tmp_path, timeout_s=300)
    assert done.returncode == 0, done.stderr
    assert "GC Thread#0-16260" in done.stdout
    browser.errors.clear()
    browser.open((tmp_path / "r.html").as_uri(), width=1200)
    assert browser.errors == []
    verdict = browser.value("document.querySelector('#verdict').innerText")
    assert "java-cold-start took 0.606 s when it was recorded" in verdict
    rows = browser.value(
        "[...document.querySelectorAll('#s0 tbody th')].map(cell => cell.innerText).join()"
    )
    assert rows == "recorded,drop-retry,hold"
    assert browser.value("document.querySelectorAll('#s2 .bar-row').length") == 3
