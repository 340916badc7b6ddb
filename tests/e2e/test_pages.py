# SPDX-License-Identifier: GPL-2.0-only
"""The HTML pages in a real browser: clicked through, by keyboard, small and large, no network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faultlock.report import page as html
from faultlock.report.check_page import check_page
from faultlock.report.compare_page import compare_page, measurement_page
from faultlock.report.lanes import Span, time_lanes
from faultlock.report.plots import latency_plot, legend, stacked_bars
from faultlock.report.validate_page import validate_page
from tests.browser import Browser, chromium
from tests.unit.report.samples import (
    HOSTILE,
    check_result,
    compare_result,
    measurement,
    validate_result,
)

SPANS = [
    Span("T1 fault", 0, 10_000, "io", "I/O", "kernel/filemap.py:120", "wait(...)"),
    Span("T2 fork", 400, 10_050, "wait", "waits for VMA 3", "kernel/vma_lock.py:80", HOSTILE),
    Span("T3 mmap", 900, 12_000, "wait", "waits for mmap_lock"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as page:
        yield page


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    plots = html.Page("plots", ["hold: 40 times longer"], html.BAD)
    series = {
        name: [(0.1, 1.0 * k), (0.5, 2.0 * k), (0.9, 10.0 * k), (0.99, 900.0 * k), (1.0, 9e3 * k)]
        for k, name in enumerate(("drop-retry", "hold", HOSTILE), 1)
    }
    plots.add("Latencies", legend(list(series)), latency_plot("fork", series))
    plots.add("Blocked", stacked_bars("fork", {"hold": {"I/O": 3.0, "CPU": 1.0}}, "s"))
    plots.add("Chains", time_lanes("worst chain", SPANS))
    texts = {
        "check": check_page(check_result(), "faultlock check hold"),
        "compare": compare_page(compare_result(), ["fork: 40 times longer"], "faultlock compare"),
        "validate": validate_page(validate_result(), ["median 6.2 %"], "faultlock validate"),
        "measure": measurement_page(
            {"drop": measurement("drop-retry"), "hold": measurement("hold")}, "faultlock measure"
        ),
        "plots": html.render(plots),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in texts}


@pytest.mark.parametrize("name", ["check", "compare", "validate", "measure", "plots"])
@pytest.mark.parametrize("width", [400, 1600])
def test_page_fits_and_asks_the_network_for_nothing(
    browser: Browser, files: dict[str, str], name: str, width: int
) -> None:
    browser.requests.clear()
    browser.errors.clear()
    browser.open(files[name], width=width)
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.requests == [files[name]]
    assert browser.errors == []
    assert browser.value("document.querySelectorAll('img').length") == 0


def test_verdict_comes_first(browser: Browser, files: dict[str, str]) -> None:
    browser.open(files["check"])
    text = browser.value("document.querySelector('main').firstElementChild.innerText")
    assert text.startswith("hold violates 1 property in 1 of 3 scenarios")
    assert browser.value("document.querySelector('.verdict').classList.contains('bad')")


def visible_steps(browser: Browser) -> int:
    count: int = browser.value("document.querySelectorAll('tr[data-step]:not(.later)').length")
    return count


def test_slider_by_button_and_by_keyboard(browser: Browser, files: dict[str, str]) -> None:
    browser.open(files["check"])
    assert visible_steps(browser) == 5
    browser.click(".stepper .move[data-by='-1']")
    assert visible_steps(browser) == 4
    browser.value("document.querySelector('.slider').focus()")
    browser.press("ArrowLeft", 37)
    assert visible_steps(browser) == 3
    assert browser.value("document.querySelector('.stepper output').value") == "3 of 5"
    assert "no-return" in browser.value("document.querySelector('tr.now').className")
    browser.press("Home", 36)
    assert visible_steps(browser) == 1


def test_click_on_a_span_shows_its_source_line(browser: Browser, files: dict[str, str]) -> None:
    browser.open(files["plots"], width=400)
    browser.click(".span.wait")
    said = browser.value("document.querySelector('.source').innerText")
    assert "kernel/vma_lock.py:80" in said
    assert HOSTILE in said
    browser.value("document.querySelector('.span.io').focus()")
    browser.press("Enter", 13)
    assert "kernel/filemap.py:120" in browser.value("document.querySelector('.source').innerText")


def test_the_worst_chain_is_drawn_with_its_root_cause(
    browser: Browser, files: dict[str, str]
) -> None:
    browser.open(files["compare"])
    lanes = browser.value(
        "[...document.querySelectorAll('details[open] .lane-name')].map(e => e.innerText)"
    )
    assert lanes[:3] == ["mmap 3", "fork 2", "fault 1"]
    browser.click(".span.io")
    said = browser.value("document.querySelector('details[open] .source').innerText")
    assert said.startswith("fault 1: I/O of folio 12")
    assert "kernel/filemap.py:96" in said


def test_a_hold_is_drawn_and_a_wait_names_its_source_line(
    browser: Browser, files: dict[str, str]
) -> None:
    browser.open(files["compare"], width=400)
    holds = browser.value(
        "[...document.querySelectorAll('details[open] .span.hold')].map(e => e.innerText)"
    )
    assert holds == ["holds mmap_lock 1", "holds vma_lock 7"]
    browser.click("details[open] .span.hold")
    said = browser.value("document.querySelector('details[open] .source').innerText")
    assert said.startswith("fork 2: holds mmap_lock 1, 9.8ms")
    assert "kernel/fork.py:206 dup_mmap: mmap_write_lock_killable(oldmm)" in said
    assert "meanwhile: waits itself at kernel/fork.py:164 dup_mmap" in said
    browser.click("details[open] .span.wait")
    said = browser.value("document.querySelector('details[open] .source').innerText")
    assert "kernel/mmap.py:150 vm_mmap_pgoff: mmap_write_lock_killable(mm)" in said
    assert "sleeps in kernel/rwsem.py:166 down_write_killable" in said


def contrast(browser: Browser, selector: str) -> float:
    """WCAG contrast of an element's text against the page."""
    luminance = (
        "c => { const v = c.match(/[0-9.]+/g).slice(0, 3).map(x => x / 255)"
        ".map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);"
        "return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; }"
    )
    ratio: float = browser.value(
        f"(() => {{ const l = {luminance};"
        f"const a = l(getComputedStyle(document.querySelector('{selector}')).color);"
        "const b = l(getComputedStyle(document.body).backgroundColor);"
        "return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })()"
    )
    return ratio


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_are_readable(
    browser: Browser, files: dict[str, str], dark: bool
) -> None:
    browser.open(files["check"], dark=dark)
    paper = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark
    for selector in (".verdict p", "th", ".steps .place", ".steps .step-note", "a", "footer"):
        assert contrast(browser, selector) >= 4.5, selector
    browser.click("#theme")
    assert browser.value("getComputedStyle(document.body).backgroundColor") != paper
