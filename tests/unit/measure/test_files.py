# SPDX-License-Identifier: GPL-2.0-only
"""Measurement files, what the driver prints, facts, counterexamples: reading and refusing."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultlock.errors import FaultlockError
from faultlock.measure.measurement import check_measurement, read_measurement, write_measurement
from faultlock.measure.probe.facts import COUNTS, SIGNATURES, Fact, behaves_like, parse_facts
from faultlock.measure.reproduce.choose import REPRODUCERS, choose, source_text
from faultlock.measure.reproduce.counterexample import read_counterexamples
from faultlock.measure.results import parse_output
from faultlock.measure.tables import (
    actor_table,
    between_runs,
    notes_of,
    time_text,
    vmstat_table,
)
from tests.paths import shared
from tests.tools import faultlock

ACTOR = {"n": 2, "rate_hz": 2.0, "mean_us": 5.0, "p10_us": 4.0, "p50_us": 5.0, "p90_us": 6.0,
         "p99_us": 6.0, "max_us": 6.0}  # fmt: skip
GOOD: dict[str, Any] = {
    "schema": "faultlock-measurement/1",
    "kernel": "linux-6.12.1",
    "policy": None,
    "clock": "host",
    "cpus": 1,
    "device": {"kind": "fuse", "latency_ns": 1000},
    "scenarios": [{"name": "x", "params": {"seconds": 1}, "actors": {"fork": ACTOR}, "vmstat": {}}],
}


def test_shipped_measurements_are_valid(tmp_path: Path) -> None:
    folder = shared("ground-truth/README.md").parent
    for path in sorted(folder.glob("*.json")):
        if path.name == "facts.json":
            with pytest.raises(FaultlockError, match="faultlock-facts/1"):
                read_measurement(path)
        else:
            document = read_measurement(path)
            write_measurement(tmp_path / path.name, document)
            assert read_measurement(tmp_path / path.name) == document


@pytest.mark.parametrize(
    ("place", "value", "what"),
    [
        (("schema",), "other/1", "faultlock measure writes"),
        (("kernel",), None, "wrong type"),
        (("cpus",), True, "wrong type"),
        (("cpus",), -1, "key 'cpus' is negative"),
        (("device", "latency_ns"), -1, "negative"),
        (("scenarios",), [], "empty: nothing was measured"),
        (("scenarios", 0, "name"), 5, "a table with a name"),
        (("scenarios", 0, "actors"), {}, "no actors"),
        (("scenarios", 0, "params"), {}, "params.seconds"),
        (("scenarios", 0, "actors", "fork", "n"), -1, "n (how many values)"),
        (("scenarios", 0, "actors", "fork", "mean_us"), float("nan"), "mean_us is nan"),
        (("scenarios", 0, "actors", "fork", "p99_us"), "5", "p99_us is missing or no number"),
        (("scenarios", 0, "vmstat"), {"pgfault": "many"}, "vmstat"),
    ],
)
def test_bad_measurements(place: tuple[Any, ...], value: Any, what: str) -> None:
    document = copy.deepcopy(GOOD)
    table: Any = document
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    with pytest.raises(FaultlockError) as caught:
        check_measurement(document, "m.json")
    assert str(caught.value).startswith("m.json: ") and what in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_files_that_are_no_measurement(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(data)
    with pytest.raises(FaultlockError, match=r"m\.json"):
        read_measurement(path)


def test_a_file_without_end_is_read_to_the_limit_only() -> None:
    with pytest.raises(FaultlockError, match="larger than 64 MiB"):
        read_measurement(Path("/dev/zero"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*GOOD, "extra"]), JSON)
def test_any_value_gives_a_measurement_or_one_line(key: str, value: Any) -> None:
    for document in ({**GOOD, key: value}, value, {**GOOD, "scenarios": [value]}):
        try:
            check_measurement(document, "m.json")
        except FaultlockError as error:
            assert str(error).startswith("m.json: ") and len(str(error).splitlines()) == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["KERNEL ", "READY ", "RESULT ", "FACT ", "DONE ", ""]), st.text()
        )
    )
)
def test_any_console_is_read_or_refused(lines: list[tuple[str, str]]) -> None:
    text = "\n".join(marker + rest for marker, rest in lines)
    try:
        assert len(parse_output(text, ["w"]).runs) <= 1
        assert all(fact.name for fact in parse_facts(text)[1].values())
    except FaultlockError as error:
        assert str(error)


def test_a_bad_measurement_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("before")
    with pytest.raises(FaultlockError):
        write_measurement(path, {**GOOD, "scenarios": []})
    assert path.read_text() == "before" and len(list(tmp_path.iterdir())) == 1


def test_driver_output_among_kernel_messages() -> None:
    text = (
        "[    0.1] Booting\nKERNEL 6.12.117\nREADY /workload.0\n[ 1.0] noise RESULT {}\n"
        'RESULT {"process":"main","seconds":1.0,"hanging_threads":2,"actors":{"fork":{"n":0},'
        '"fork!failed":3},"vmstat":{"pgfault":7}}\nHANGS main\nDONE /workload.0\nFINISHED\n'
    )
    output = parse_output(text, ["w"])
    run = output.runs[0]
    assert output.release == "6.12.117" and output.finished and run.done
    assert run.failures == {"fork": 3} and run.hanging == ["main"] and run.hanging_threads == 2
    with pytest.raises(FaultlockError, match="not readable"):
        parse_output("READY x\nRESULT {broken\n", ["w"])


def test_tables_have_one_row_per_actor_and_kernel() -> None:
    header, rows = actor_table({"a": {"fork": ACTOR}, "b": {"fork": {"n": 0}}})
    assert [len(row) for row in rows] == [len(header)] * 2
    assert rows[0][4] == "5us" and rows[1][4] == "-"
    header, rows = vmstat_table({"a": {"pgfault": 1}, "b": {}})
    assert list(header) == ["vmstat", "a", "b"] and list(rows[0]) == ["pgfault", 1, "-"]
    assert time_text(10027.3) == "10ms" and time_text(0.1234) == "123ns"
    assert notes_of({"hanging_threads": 2, "failures": {"fork": 1}, "hanging": ["main"]}) == [
        "1 operations of fork failed",
        "2 threads did not end in time: they hang",
        "process main cannot be ended: it hangs",
    ]


def facts_of(policy: str) -> dict[str, Fact]:
    """Facts that have exactly the signature of a policy."""
    facts = {}
    for name, waits in SIGNATURES[policy].items():
        value = 16.0 if name in COUNTS else 150.0
        facts[name] = Fact(name, value if waits else 0.0)
    return facts


@pytest.mark.parametrize("policy", sorted(SIGNATURES))
def test_each_signature_names_its_policy(policy: str) -> None:
    assert behaves_like(facts_of(policy)) == policy


def test_contradicting_or_too_few_facts_name_none() -> None:
    mixed = facts_of("drop-retry") | {
        "fork_beside_user_fault_random": Fact("fork_beside_user_fault_random", 80.0)
    }
    assert behaves_like(mixed) is None
    assert behaves_like({}) is None


def test_facts_are_parsed() -> None:
    release, facts, finished = parse_facts(
        "KERNEL 6.12.117\nFACT zeroout_after_kill 5000.0 0.0 1\nnoise\nFINISHED\n"
    )
    assert (release, finished) == ("6.12.117", True)
    assert facts["zeroout_after_kill"].finding.startswith("hangs")
    with pytest.raises(FaultlockError, match="no null_blk"):
        parse_facts("ERROR this kernel has no null_blk\n")


@pytest.mark.parametrize(
    ("scenario", "name", "reproducer"),
    [
        ("fault+kill+truncate", "S4 lock balance", "kill_leaks_invalidate_lock"),
        ("fault+kill", "S3 reference balance", "kill_leaks_folio"),
        ("fault+kill", "L3 killability", "kill_waits_for_io"),
        ("fault+fork", "L2 bounded interference", "fork_waits_for_io"),
        ("fault_fork_mmap", "", "fork_waits_for_io"),
        ("kernel-fault+mmap", "L2 bounded interference", "kernel_mode_fault_blocks_mmap"),
        ("populate+mmap", "L2", "populate_blocks_mmap"),
        ("fuse-self+fault+mmap", "L1 no deadlock", "fuse_self_mmap_deadlock"),
        ("fuse-self+fault+fork", "L1 no deadlock", "fuse_self_fork_deadlock"),
        ("fault_munmap_mmap", "L2 bounded interference", "mprotect_waits_for_io"),
        ("fuse_daemon_fault_fork", "L1 no deadlock", None),
        ("nowait+io", "S6 NOWAIT", None),
    ],
)
def test_reproducers_are_chosen(scenario: str, name: str, reproducer: str | None) -> None:
    chosen = choose(scenario, name)
    assert (chosen.name if chosen else None) == reproducer


def test_reproducer_texts_are_complete_and_safe() -> None:
    step = {"thread": "T1", "function": "f */ int x; /*", "file": "a.py", "line": 3, "note": "n\nm"}
    for reproducer in REPRODUCERS:
        text = source_text(reproducer, "a */ b", "S4", "hold", [step, "no step"])
        assert text.count("SPDX-License-Identifier") == 1 and '#include "' not in text
        comment = text[text.index("/*") : text.index("#define")]
        assert comment.count("*/") == 1


def test_counterexample_files(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    entry = {
        "scenario": "fault+fork",
        "property": "L2 x",
        "verdict": "violated",
        "counterexample": [],
    }
    path.write_text(
        json.dumps({"policy": "hold", "results": [entry, {**entry, "verdict": "holds"}]})
    )
    assert [item.policy for item in read_counterexamples(path)] == ["hold"]
    path.write_text(json.dumps(entry))
    assert read_counterexamples(path)[0].property_name == "L2 x"
    for text, what in (
        ("", "no JSON"), ("[]", "one JSON object"), ("{}", "scenario or property is missing"),
        ('{"results": []}', "nothing in it is violated"), ('{"results": 5}', "list of tables"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(FaultlockError, match=what):
            read_counterexamples(path)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["measure"], "either --kernel BZIMAGE or --host"),
        (["measure", "--kernel", "/nothing"], "cannot be read"),
        (["measure", "--kernel", __file__], "no x86 kernel image"),
        (["measure", "--kernel", "/dev/null"], "not a regular file"),
        (["measure", "--kernel", "/"], "not a regular file"),
        (["measure", "--host", "--limit", "nan"], "--limit nan: give a number of seconds above 0"),
        (["measure", "--host", "--seconds", "-1"], "--seconds -1.0: give a number of seconds"),
        (["measure", "--host", "-w", "fork-strom"], "did you mean fork-storm?"),
        (["measure", "--host", "--set", "device.latency=-1ms"], "negative"),
        (["measure", "--host", "-w", "fuse-self"], "only the simulator"),
        (["measure", "--host", "--set", "machine.costs=absent.toml"], "there is no cost table"),
        (["measure", "--host", "-o", "/proc/x/m.json"], "choose another"),
        (["measure", "--host", "--compare-model"], "--policy NAME"),
        (["measure", "--host", "--runs", "0"], "--runs must be 1 to 100"),
        (["probe"], "either --kernel BZIMAGE or --host"),
        (["probe", "--kernel", __file__], "no x86 kernel image"),
        (["probe", "--host", "--limit", "0"], "--limit 0.0: give a number of seconds above 0"),
        (["reproduce", "kill_leaks_folio", "--kernel", "/dev/null"], "not a regular file"),
        (["reproduce", "fault+fork"], "give --kernel BZIMAGE"),
        (["reproduce", "nowait+io", "-o", "x.c"], "no known way"),
        (["reproduce", "nothing.json"], "no such file"),
    ],
)
def test_commands_refuse_in_one_line(words: list[str], what: str, tmp_path: Path) -> None:
    done = faultlock(*words, cwd=tmp_path)
    assert done.returncode in (2, 4) and what in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["measure"], ["probe"], ["reproduce", "kill_leaks_folio"]])
def test_no_qemu_is_said_before_anything_is_built(words: list[str], tmp_path: Path) -> None:
    kernel = tmp_path / "bzImage"
    kernel.write_bytes(bytes(0x202) + b"HdrS")
    nothing = {"PATH": str(tmp_path), "FAULTLOCK_CACHE": str(tmp_path / "cache")}
    done = faultlock(*words, "--kernel", kernel, environment=nothing)
    assert done.returncode == 4 and len(done.stderr.splitlines()) == 1
    assert "qemu-system-x86_64 is not installed" in done.stderr
    assert not (tmp_path / "cache").exists()


def test_a_reproducer_may_be_named_itself() -> None:
    for reproducer in REPRODUCERS:
        assert choose(reproducer.name) is reproducer


def test_workloads_command(tmp_path: Path) -> None:
    assert "fork-storm" in faultlock("workloads").stdout
    listed = json.loads(faultlock("workloads", "--json").stdout)
    assert len(listed) >= 50 and all(entry["threads"] for entry in listed)
    assert 'op = "fork"' in faultlock("workloads", "fork-storm").stdout
    assert "| think |" in faultlock("workloads", "--keys").stdout
    assert faultlock("workloads", "nothing").returncode == 2


def test_runs_of_one_workload_lie_apart() -> None:
    runs: Any = [
        {"fork": {**ACTOR, "rate_hz": 90.0, "mean_us": 5.0}, "mmap": ACTOR},
        {"fork": {**ACTOR, "rate_hz": 110.0, "mean_us": 5.0}, "mmap": {"n": 0}},
    ]
    _, rows = between_runs(runs)
    assert rows == [("fork", "100", "20.0", "5us", "0.0")], "mmap did nothing in one of them"
