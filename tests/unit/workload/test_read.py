# SPDX-License-Identifier: GPL-2.0-only
"""Workload files: what they may hold, and what the errors say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultlock.workload import WorkloadError, load, loads, override, overrides, shipped_names
from faultlock.workload.measurement_scenario import kernel_version, workload_of_scenario
from faultlock.workload.reference import reference_lines
from tests.paths import REPOSITORY, shared

GOOD = """
duration = "1s"
[device]
latency = "1ms"
[[files]]
name = "data"
size = "1MiB"
[[mappings]]
name = "m"
file = "data"
count = 4
[[threads]]
op = "touch"
count = 2
"""


def error_of(text: str) -> str:
    with pytest.raises(WorkloadError) as caught:
        loads(text, "my.toml")
    message = str(caught.value)
    assert message.startswith("my.toml") and "\n" not in message
    return message


def test_a_short_file_has_all_defaults() -> None:
    workload = loads(GOOD, "my.toml")
    assert workload.name == "my"
    assert workload.n_threads == 2
    assert workload.vma_pages(workload.mapping("m")) == 64
    assert workload.threads[0].name == workload.threads[0].loop[0].actor == "fault"
    assert workload.kernel.number == 618 and workload.kernel.effective_vma_lock == "refcount"


@pytest.mark.parametrize(
    ("change", "key", "cure"),
    [
        (('latency = "1ms"', 'latencey = "1ms"'), "device.latencey", "did you mean latency?"),
        (('latency = "1ms"', 'latency = "-1ms"'), "device.latency", "negative"),
        (('latency = "1ms"', "latency = 5"), "device.latency", "forms:"),
        (("count = 2", "count = 20000"), "threads[0].count", "at most 16384"),
        (("count = 2", "count = -2"), "threads[0].count", "negative"),
        (("count = 2", 'count = "2"'), "threads[0].count", "whole number"),
        (('op = "touch"', 'op = "tuch"'), "threads[0].op", "did you mean touch?"),
        (('op = "touch"', 'op = "touch"\nmapping = "x"'), "threads[0].mapping", "mappings: m"),
        (('op = "touch"', 'op = "fork"\naccess = "own"'), "threads[0].access", "no such key"),
        (
            ('op = "touch"', 'op = "touch"\naccess = "rnd"'),
            "threads[0].access",
            "did you mean random?",
        ),
        (('op = "touch"', 'op = "touch"\nwrite = true'), "threads[0].write", "writable = true"),
        (('op = "touch"', 'op = "sleep"'), "threads[0].time", "needs a time"),
        (('file = "data"', 'file = "date"'), "mappings[0].file", "files: data"),
        (("count = 4", "count = 500"), "mappings[0].count", "fewer pages than VMAs"),
        (("count = 4", 'count = 4\nsize = "1MiB"'), "mappings[0].size", "end beyond file"),
        (("count = 4", 'offset = "1KiB"'), "mappings[0].offset", "page size"),
        (('size = "1MiB"', ""), "files[0].size", "size is missing"),
        (('name = "data"', ""), "files[0].name", "name is missing"),
        (('duration = "1s"', 'duration = "1us"'), "duration", "at least"),
        (('duration = "1s"', "duration = 1"), "duration", "not a text in quotes"),
        (("[device]", "[devices]"), "devices", "did you mean device?"),
        (("[device]", "[[device]]"), "device", "must be a table"),
        (("[[threads]]", "[threads]"), "threads", "must be a list of tables"),
    ],
)
def test_errors_name_key_and_cure(change: tuple[str, str], key: str, cure: str) -> None:
    assert change[0] in GOOD
    message = error_of(GOOD.replace(*change))
    assert f"my.toml: {key}: " in message
    assert cure in message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no threads"),
        ("x = [", "no valid TOML"),
        ('[[threads]]\nop = "fork"\nloop = [{op = "fork"}]', "exclude each other"),
        ("[[threads]]\ncount = 1", "without anything to do"),
        ('[[threads]]\nop = "kill"\ntarget = "nobody"', "there are no threads 'nobody'"),
        ('[[threads]]\nop = "read_proc"\ntarget = "other"', "there is no process 'other'"),
        ('[[threads]]\nop = "fork"\n[[threads]]\nop = "fork"', "are called 'fork'"),
        (
            '[[files]]\nname="f"\nsize="1MiB"\nserver="s"\n[[threads]]\nop = "fork"',
            "no threads 's'",
        ),
        ('[page_cache]\nlimit="1MiB"\nhigh="2MiB"\n[[threads]]\nop="fork"', "above limit"),
        ('description = "\\u001b[31m"\n[[threads]]\nop="fork"', "control characters"),
        ("a = " + "[" * 100_000, "no valid TOML"),
    ],
)
def test_other_errors(text: str, what: str) -> None:
    assert what in error_of(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_a_workload_or_one_line(text: str) -> None:
    for candidate in (text, GOOD + text, GOOD.replace('"1ms"', json.dumps(text))):
        try:
            loads(candidate, "my.toml")
        except WorkloadError as error:
            assert str(error).startswith("my.toml")


def test_overrides() -> None:
    workload = loads(GOOD, "my.toml")
    changed = overrides(
        workload,
        ["device.latency=2ms", "threads.fault.count=3", "threads.0.think=exponential(1ms)",
         "mappings.m.count = 2", "page_cache.limit=1GiB", "name=42"],
    )  # fmt: skip
    assert changed.device.latency.mean_ns() == 2e6
    assert changed.n_threads == 3 and changed.threads[0].loop[0].think.kind == "exponential"
    assert changed.mapping("m").count == 2 and changed.page_cache.limit_bytes == 1 << 30
    assert changed.name == "42"
    assert workload.n_threads == 2, "the original is left alone"
    assert overrides(workload, ["threads.fault=5"]).threads[0].count == 5


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("device.latency", "the = is missing"),
        ("device.latncy=1ms", "did you mean latency?"),
        ("threads.fork.count=1", "there is no 'fork'"),
        ("device.latency.x=1", "is a value"),
        ("threads=3", "list of tables"),
        ("mappings.0=3", "name a key of it"),
        ("../etc=1", "not a key"),
        ("device.latency=-1ms", "negative"),
    ],
)
def test_bad_overrides(setting: str, what: str) -> None:
    with pytest.raises(Exception, match=r"--set|my\.toml") as caught:
        overrides(loads(GOOD, "my.toml"), [setting])
    assert what in str(caught.value)


def test_every_shipped_workload_is_valid_and_says_where_it_comes_from() -> None:
    names = shipped_names()
    assert {"default", "lespinasse", "phone-warm-start", "memcg-thrash", "fork-storm"} <= set(names)
    assert {"one-huge-vma", "proc-monitor", "kvm-async-pf", "fuse-self", "all-cached"} <= set(names)
    for name in names:
        workload = load(name)
        assert workload.n_threads > 0 and workload.source, name


def test_unknown_workload_shows_the_nearest() -> None:
    with pytest.raises(WorkloadError, match="did you mean fork-storm"):
        load("fork-strom")
    with pytest.raises(WorkloadError, match="cannot be read"):
        load("./nothing.toml")


def test_a_file_beside_a_shipped_name(tmp_path: Path) -> None:
    path = tmp_path / "default.toml"
    path.write_text(GOOD)
    assert load(path).n_threads == 2
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(WorkloadError, match="UTF-8"):
        load(path)


def test_measured_scenarios_are_the_shipped_workloads() -> None:
    folder = shared("ground-truth/README.md").parent
    files = [path for path in sorted(folder.glob("*.json")) if path.name != "facts.json"]
    assert files
    for path in files:
        measurement = json.loads(path.read_text())
        for scenario in measurement["scenarios"]:
            built = workload_of_scenario(measurement, scenario, path.name)
            shipped = load(f"ground-truth/{scenario['name']}")
            shipped = override(shipped, "device.latency", str(built.device.latency))
            # The statistics that the scenario before left belong to the file, not to the workload.
            same: dict[str, Any] = {
                "source": "", "duration_ns": 0, "page_cache": shipped.page_cache
            }
            assert dataclasses.replace(built, **same) == dataclasses.replace(shipped, **same)


@pytest.mark.parametrize(
    ("kernel", "version"),
    [("linux-6.12.117", "6.12"), ("6.14.1", "6.12"), ("linux-6.15-rc1", "6.18"), ("7.1.0", "7.0")],
)
def test_kernel_versions(kernel: str, version: str) -> None:
    assert kernel_version(kernel) == version


def test_the_reference_page_is_printed_from_the_schema() -> None:
    page = (REPOSITORY / "docs" / "reference-workload.md").read_text()
    assert "\n".join(reference_lines()) in page, "run scripts/make_reference_workload.py"
