# SPDX-License-Identifier: GPL-2.0-only
"""Spin on the exported Promela text: the same number of states, the same verdict.

A few pairs of scenario and policy are always run.  FAULTLOCK_SPIN_STATES=40000 runs all with up to
so many states (as expected.toml counts them; half an hour for 400 pairs); policies that make the
same program of a scenario count as one.
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
]
SEEN: set[str] = set()  # programs that Spin has searched


def pairs() -> list[tuple[str, str]]:
    """(scenario, policy) that are run."""
    most = int(os.environ.get("FAULTLOCK_SPIN_STATES", "0"))
    with open(CATALOGUE / "expected.toml", "rb") as stream:
        expected = tomllib.load(stream)
    found = [(found["states"], name, policy) for name, policies in expected.items()
             for policy, found in policies.items() if found["states"] <= most]
    return list(dict.fromkeys([*SCENARIOS, *((name, policy) for _, name, policy in sorted(found))]))


def pan(folder: Path, native: NativeProgram, flags: list[str]) -> tuple[int, int]:
    """(stored states, errors) that Spin finds."""
    spin, gcc = require_tool("spin"), require_tool("gcc")
    (folder / "model.pml").write_text(promela(native.program, native.layout))
    subprocess.run([spin, "-a", "model.pml"], cwd=folder, check=True, capture_output=True)
    subprocess.run([gcc, "-O0", "-fwrapv", "-w", "-DVECTORSZ=8192", *flags, "-o", "pan", "pan.c"],
                   cwd=folder, check=True)
    done = subprocess.run(["./pan", "-m2000000", "-E"], cwd=folder, capture_output=True,
                          text=True, check=False)
    states = re.search(r"(\d+) states, stored", done.stdout)
    errors = re.search(r"errors: (\d+)", done.stdout)
    assert states is not None and errors is not None, done.stdout
    return int(states[1]), int(errors[1])


def violates(native: NativeProgram) -> bool:
    """What Spin checks: `always`, assertions, model errors, deadlock."""
    result = check_program("", "", native, options=FULL)
    return any(item.kind in ("always", "event", "deadlock") for item in result.violated)


@pytest.mark.parametrize("text", [LOST_UPDATE, ABBA, SPIN])
def test_small_models(tmp_path: Path, text: str) -> None:
    native = native_of(tmp_path, text)
    states, _ = pan(tmp_path, native, ["-DNOREDUCE"])
    assert states == explore(native, options=FULL).states + EXTRA_STATES
    _, errors = pan(tmp_path, native, ["-DNOREDUCE", "-DPROPERTIES"])
    assert (errors > 0) == violates(native)


def test_failed_assertion(tmp_path: Path) -> None:
    native = native_of(tmp_path, ASSERTING)
    assert violates(native)
    assert pan(tmp_path, native, ["-DNOREDUCE", "-DPROPERTIES"])[1] > 0


@pytest.mark.parametrize(("scenario", "policy"), pairs())
def test_scenarios(tmp_path: Path, scenario: str, policy: str) -> None:
    native = compile_native(compile_scenario(policy, find_scenario(scenario)))
    text = re.sub(r"/\*.*?\*/", "", promela(native.program, native.layout))
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest in SEEN:
        return
    SEEN.add(digest)
    states, _ = pan(tmp_path, native, ["-DNOREDUCE"])
    assert states == explore(native, options=FULL).states + EXTRA_STATES
    _, errors = pan(tmp_path, native, ["-DNOREDUCE", "-DPROPERTIES"])
    assert (errors > 0) == violates(native)
