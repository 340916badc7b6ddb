# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs, the compiler, the compiled workload and the driver as an ordinary process."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from faultlock.errors import EnvironmentMissing, FaultlockError
from faultlock.measure.compile_workload import KINDS, compile_workload, zipf_table
from faultlock.measure.compiler import build, cache_folder
from faultlock.measure.in_guest import DRIVER
from faultlock.measure.initramfs import initramfs
from faultlock.measure.results import RunResult, parse_output
from faultlock.workload import load, loads, shipped_names
from faultlock.workload.operations import OPERATIONS
from tests.tools import require_tool

SIMULATOR_ONLY = {"fuse-self", "kvm-async-pf"}


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """name -> (mode, content), read with an independent reader of the newc format."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name_end = at + 110 + fields[11]
        name = archive[at + 110 : name_end - 1].decode()
        data = -(-name_end // 4) * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], archive[data : data + fields[6]])
        at = -(-(data + fields[6]) // 4) * 4


def test_initramfs_is_a_newc_archive() -> None:
    archive = initramfs({"init": b"program", "etc/deep/x": b"12345"})
    found = entries(archive)
    assert found["init"] == (0o100755, b"program")
    assert found["etc/deep/x"][1] == b"12345"
    assert [name for name in found if name.startswith("etc")] == ["etc", "etc/deep", "etc/deep/x"]
    assert found["dev/console"][0] == 0o020600
    assert archive == initramfs({"etc/deep/x": b"12345", "init": b"program"})


def test_initramfs_unpacks_with_cpio(tmp_path: Path) -> None:
    cpio = require_tool("cpio")
    listed = subprocess.run(
        [cpio, "-t"], input=initramfs({"init": b"x"}), capture_output=True, check=True
    )
    assert listed.stdout.decode().split() == ["dev", "dev/console", "init"]


def test_compiler_caches_by_content_and_reports_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_tool("cc")
    monkeypatch.setenv("FAULTLOCK_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "source" / "a.c"
    source.parent.mkdir()
    source.write_text("int main(void) { return 0; }\n")
    first = build(source)
    assert build(source) == first and first.is_file()
    source.write_text("int main(void) { return 1; }\n")
    assert build(source) != first
    (source.parent / "b.h").write_text("#define RESULT 2\n")
    source.write_text('#include "b.h"\nint main(void) { return RESULT; }\n')
    with_header = build(source)
    (source.parent / "b.h").write_text("#define RESULT 3\n")
    assert build(source) != with_header, "a header is part of the content"
    source.write_text("int main(void) { return x; }\n")
    with pytest.raises(EnvironmentMissing, match="undeclared"):
        build(source)
    assert not list((tmp_path / "cache" / "programs").glob("faultlock-cc-*"))


def test_missing_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EnvironmentMissing, match="apt-get install gcc"):
        build(DRIVER)


def test_cache_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FAULTLOCK_CACHE", str(tmp_path / "file" / "sub"))
    with pytest.raises(EnvironmentMissing, match="FAULTLOCK_CACHE"):
        cache_folder()


def test_every_real_operation_has_a_number_in_the_driver() -> None:
    header = (DRIVER.parent / "workload.h").read_text()
    enum = header[header.index("enum operation_kind {") :]
    numbers = [word.strip() for word in enum[enum.index("{") + 1 : enum.index("}")].split(",")]
    assert [kind.upper() for kind in KINDS] == numbers[:-1] and numbers[-1] == "N_KINDS"
    assert set(KINDS) == {name for name, kind in OPERATIONS.items() if kind.real}


def test_every_shipped_workload_compiles_or_says_why_not() -> None:
    for name in shipped_names():
        if name in SIMULATOR_ONLY:
            with pytest.raises(FaultlockError, match="only the simulator"):
                compile_workload(load(name))
        else:
            assert compile_workload(load(name)).words.endswith("end\n")


def test_what_a_guest_cannot_do_is_noted() -> None:
    notes = compile_workload(load("memcg-thrash")).notes
    assert any("parts of one device" in note for note in notes)
    assert any("large_folios was left out" in note for note in notes)
    assert any("became its mean" in note for note in compile_workload(load("default")).notes)
    assert compile_workload(load("fork_8f8v")).notes == ()


def test_zipf_ranks_ascend_to_the_last_page() -> None:
    for exponent in (0.0, 0.5, 1.0, 2.0):
        kind, n, *ranks = zipf_table(exponent, 1000).split()
        values = [int(rank) for rank in ranks]
        assert (kind, int(n)) == ("t", len(values))
        assert values == sorted(values) and values[0] == 0 and values[-1] == 999
    assert int(zipf_table(2.0, 1000).split()[513]) < int(zipf_table(0.5, 1000).split()[513])


def run_driver(text: str, folder: Path) -> RunResult:
    """Runs a workload whose file `data` is an ordinary file, on the kernel that is running."""
    require_tool("cc")
    workload = loads(text, "test.toml")
    data = folder / "data"
    with data.open("wb") as stream:
        stream.truncate(1 << 20)
    words = folder / "words"
    words.write_text(compile_workload(workload, {"data": str(data)}).words)
    done = subprocess.run(
        [build(DRIVER), words], capture_output=True, text=True, timeout=60, check=True
    )
    output = parse_output(done.stdout, ["test"])
    assert not output.errors and output.runs[0].done
    return output.runs[0]


BASE = """
duration = "100ms"
[[files]]
name = "data"
size = "1MiB"
[[mappings]]
name = "m"
file = "data"
count = 2
"""


def test_driver_does_every_real_operation(tmp_path: Path) -> None:
    # mlock would make the madvise of another thread fail, truncate its touches.
    special = {"mmap", "munmap", "kill", "punch_hole", "sleep", "compute", "read_file", "truncate"}
    special |= {"mlock"}
    text = BASE
    for name in sorted(set(KINDS) - special):
        text += f'[[threads]]\nop = "{name}"\nthink = "uniform(0, 500us)"\n'
        if name in ("populate", "populate_read", "willneed", "mlock"):
            text += 'size = "64KiB"\n'
    text += '[[threads]]\nop = "compute"\ntime = "10us"\n[[threads]]\nop = "sleep"\ntime = "1ms"\n'
    text += '[[threads]]\nop = "read_file"\nfile = "data"\nthink = "1ms"\n'
    run = run_driver(text, tmp_path)
    assert run.hanging_threads == 0 and not run.failures
    for actor, values in run.actors.items():
        assert values["n"] > 0, actor
        assert values["p10_us"] <= values["p50_us"] <= values["p99_us"] <= values["max_us"], actor
    assert {"fault", "fork", "smaps", "anon_fault", "kernel_mode_fault", "gup"} <= set(run.actors)


def test_driver_locks_reads_and_cuts_files(tmp_path: Path) -> None:
    run = run_driver(
        BASE
        + '[[threads]]\nop = "mlock"\nsize = "64KiB"\nthink = "1ms"\n[[threads]]\nop = "truncate"\n'
        + 'file = "data"\nsize = "64KiB"\nthink = "1ms"\n[[threads]]\nop = "punch_hole"\n'
        + 'file = "data"\nsize = "64KiB"\nthink = "1ms"\n',
        tmp_path,
    )
    assert all(values["n"] > 0 for values in run.actors.values()) and len(run.actors) == 3


def test_driver_loops_rounds_and_mapped_later(tmp_path: Path) -> None:
    run = run_driver(
        BASE
        + 'at_start = false\n[[threads]]\nname = "s"\nround_actor = "round"\nrounds = 3\nloop = [\n'
        + '{ op = "mmap", which = "own" }, { op = "touch", access = "sequential", repeat = 7 },\n'
        + '{ op = "munmap", which = "own", timed = false }]\n',
        tmp_path,
    )
    assert {name: values["n"] for name, values in run.actors.items()} == {
        "mmap": 3, "fault": 21, "round": 3,
    }  # fmt: skip


def test_driver_with_two_processes_and_a_kill(tmp_path: Path) -> None:
    run = run_driver(
        BASE
        + '[[threads]]\nop = "touch"\n[[threads]]\nop = "read_proc"\nprocess = "monitor"\n'
        + 'target = "main"\nthink = "1ms"\n[[threads]]\nop = "kill"\nprocess = "monitor"\n'
        + 'target = "fault"\nrounds = 1\nstart_after = "20ms"\n',
        tmp_path,
    )
    assert run.killed == ["main"]
    assert run.actors["kill"]["n"] == 1 and run.actors["smaps"]["n"] > 0


def test_driver_refuses_what_is_no_compiled_workload(tmp_path: Path) -> None:
    require_tool("cc")
    path = tmp_path / "words"
    for text in ("", "something else", "faultlock-driver-1 5"):
        path.write_text(text)
        done = subprocess.run([build(DRIVER), path], capture_output=True, text=True, check=False)
        assert done.returncode == 3 and "ERROR" in done.stdout
