# SPDX-License-Identifier: GPL-2.0-only
"""Spin on the exported Promela text: the same number of states, the same verdict.

Every pair of scenario and policy with up to FAULTLOCK_SPIN_STATES states (as expected.toml counts
them; 1000 without it) is run; policies that make the same program of a scenario count as one.
A few are compiled with gcc, as the documentation says; the rest with tcc, which makes a pan in a
fiftieth of the second that gcc needs.  A pair then costs 0.6 s of CPU, most of it our own native
code.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from faultlock.check.explore import Options, explore
from faultlock.check.judge import check_program
from faultlock.check.scenarios import CATALOGUE, compile_scenario, find_scenario
from faultlock.export.promela import EXTRA_STATES, promela
from faultlock.lang.native import NativeProgram, compile_native
from tests.tools import require_tool
from tests.unit.check.models import ABBA, ASSERTING, LOST_UPDATE, SPIN, native_of

FULL = Options(fuse=False, partial_order=False, workers=1, symmetry=False)
SCENARIOS = [
    ("fault+kill", "drop-retry"), ("fault+kill", "hold"), ("fault+kill", "hold-fix"),
    ("fault-missing+kill+stuck-disk", "hold"), ("fault-missing+kill+stuck-disk", "drop-retry"),
    ("nowait+io", "hold-fix"),
]  # compiled with gcc
MOST_STATES = 1000
SPARE_DEPTH = 1000  # pan counts steps of its own as well
GCC = ["-O0", "-fwrapv", "-w"]
SEEN: set[str] = set()  # programs that Spin has searched with tcc's pan


def pairs() -> list[tuple[str, str]]:
    """(scenario, policy) that are run, those with few states first."""
    most = int(os.environ.get("FAULTLOCK_SPIN_STATES", MOST_STATES))
    with open(CATALOGUE / "expected.toml", "rb") as stream:
        expected = tomllib.load(stream)
    found = [(found["states"], name, policy) for name, policies in expected.items()
             for policy, found in policies.items() if found["states"] <= most]
    return [(name, policy) for _, name, policy in sorted(found)]


def compile_pan(folder: Path, text: str, compiler: str, flags: list[str]) -> None:
    """One pan for both questions: it looks at properties when its environment says so."""
    spin, path = require_tool("spin"), require_tool(compiler)
    (folder / "model.pml").write_text(text)
    subprocess.run([spin, "-a", "model.pml"], cwd=folder, check=True, capture_output=True)
    wanted = '-DPROPERTIES=(getenv("PAN_PROPERTIES") != 0)'
    subprocess.run([path, *flags, "-DVECTORSZ=8192", "-DNOREDUCE", wanted, "-o", "pan", "pan.c"],
                   cwd=folder, check=True)


def pan(folder: Path, depth: int, properties: bool) -> tuple[int, int]:
    """(stored states, errors) that Spin finds."""
    environment = {**os.environ, **({"PAN_PROPERTIES": "1"} if properties else {})}
    done = subprocess.run(["./pan", f"-m{depth}", "-w20", "-E"], cwd=folder, env=environment,
                          capture_output=True, text=True, check=False)
    assert "search depth too small" not in done.stdout
    states = re.search(r"(\d+) states, stored", done.stdout)
    errors = re.search(r"errors: (\d+)", done.stdout)
    assert states is not None and errors is not None, done.stdout
    return int(states[1]), int(errors[1])


def violates(native: NativeProgram) -> bool:
    """What Spin checks: `always`, assertions, model errors, deadlock."""
    result = check_program("", "", native, options=FULL)
    return any(item.kind in ("always", "event", "deadlock") for item in result.violated)


def agree(folder: Path, native: NativeProgram) -> None:
    """Both count the same states and find something wrong, or both nothing."""
    states = explore(native, options=FULL).states + EXTRA_STATES
    assert pan(folder, states + SPARE_DEPTH, properties=False)[0] == states
    assert (pan(folder, states + SPARE_DEPTH, properties=True)[1] > 0) == violates(native)


@pytest.mark.parametrize("text", [LOST_UPDATE, ABBA, SPIN])
def test_small_models(tmp_path: Path, text: str) -> None:
    native = native_of(tmp_path, text)
    compile_pan(tmp_path, promela(native.program, native.layout), "gcc", GCC)
    agree(tmp_path, native)


def test_failed_assertion(tmp_path: Path) -> None:
    native = native_of(tmp_path, ASSERTING)
    assert violates(native)
    compile_pan(tmp_path, promela(native.program, native.layout), "gcc", GCC)
    assert pan(tmp_path, 1000, properties=True)[1] > 0


@pytest.mark.parametrize(("scenario", "policy"), SCENARIOS)
def test_documented_compilation(tmp_path: Path, scenario: str, policy: str) -> None:
    native = compile_native(compile_scenario(policy, find_scenario(scenario)))
    compile_pan(tmp_path, promela(native.program, native.layout), "gcc", GCC)
    agree(tmp_path, native)


@pytest.mark.parametrize(("scenario", "policy"), pairs())
def test_scenarios(tmp_path: Path, scenario: str, policy: str) -> None:
    program = compile_scenario(policy, find_scenario(scenario))
    text = promela(program)
    digest = hashlib.sha256(re.sub(r"/\*.*?\*/", "", text).encode()).hexdigest()
    if digest in SEEN:
        return
    compile_pan(tmp_path, text, "tcc", [])
    agree(tmp_path, compile_native(program))
    SEEN.add(digest)
