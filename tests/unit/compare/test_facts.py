# SPDX-License-Identifier: GPL-2.0-only
"""Facts files: every pair has a workload, the model gives both times, wrong ones are seen."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from faultlock.commands import validate as command
from faultlock.compare.facts import BESIDES, OPERATIONS, workload_of_fact
from faultlock.compare.kernel_values import DATA, Fact, read_facts
from faultlock.errors import FaultlockError
from faultlock.measure.measurement import read_document

POLICIES = ("drop-retry", "hold", "retry-vma")
FEW = {
    ("mprotect_same_vma", "user_fault_random"),
    ("anon_first_touch", "populate_256"),
    ("mmap_munmap", "kernel_mode_fault"),
}


def shipped() -> dict[str, Any]:
    return read_document(DATA / "facts.json")


def few(**times_of: str) -> dict[str, Any]:
    """The shipped file with the pairs of FEW only; times_of: policy -> policy of the times."""
    document = shipped()
    document["policies"] = {
        policy.replace("_", "-"): [
            row for row in document["policies"][other] if (row["operation"], row["beside"]) in FEW
        ]
        for policy, other in times_of.items()
    }
    return document


def validated(folder: Path, document: dict[str, Any]) -> dict[str, Any]:
    path = folder / "facts.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return command.result_of(parser.parse_args([str(path), "--workers", "1"]))


def fact(**changes: Any) -> Fact:
    values = {
        "policy": "hold",
        "file": "facts.json",
        "operation": "fork",
        "beside": "kernel_mode_fault",
        "operation_ms": 1.0,
        "rest_of_fault_ms": 1.0,
        "latency_ns": 100_000_000,
        "started_after_ms": 20.0,
    }
    return Fact(**{**values, **changes})


def test_every_shipped_pair_has_a_workload() -> None:
    facts = read_facts(shipped(), "facts.json", POLICIES)
    assert len(facts) == len(POLICIES) * len(OPERATIONS) * len(BESIDES) == 126
    for one in facts:
        workload = workload_of_fact(one)
        assert workload.device.latency.high_ns == 100_000_000
        assert (workload.kernel.version, workload.machine.cpus) == ("6.12", 1)


def test_the_model_agrees_on_what_waits(tmp_path: Path) -> None:
    result = validated(tmp_path, few(drop_retry="drop-retry", hold="hold"))
    assert (result["facts_right"], result["facts"]) == (6, 6)
    assert len(result["fact_rows"]) == 12
    assert "facts right: 6 of 6" in command.summary_lines(result)


def test_the_times_of_another_policy_are_wrong(tmp_path: Path) -> None:
    result = validated(tmp_path, few(drop_retry="hold"))
    assert (result["facts_right"], result["facts"]) == (0, 3)
    assert not any(row["right"] for row in result["fact_rows"] if row["quantity"] == "operation_ms")


@pytest.mark.parametrize("key", ["operation", "beside"])
def test_an_unknown_name_is_named_with_the_known_ones(key: str) -> None:
    with pytest.raises(FaultlockError, match=f"facts.json: {key} 'nothing' is not known; set it"):
        workload_of_fact(fact(**{key: "nothing"}))


def test_an_unknown_policy_is_named_with_the_known_ones() -> None:
    document = few(hold="hold")
    document["policies"]["mine"] = []
    with pytest.raises(FaultlockError, match=r"policy is 'mine'.*set it to one of"):
        read_facts(document, "facts.json", POLICIES)
