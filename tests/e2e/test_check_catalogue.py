# SPDX-License-Identifier: GPL-2.0-only
"""The catalogue against expected.toml: every scenario is listed, samples are checked again.

`python scripts/make_expected.py` renews the file after a change of the kernel text.
"""

from __future__ import annotations

import pytest

from faultlock.check.explore import Options
from faultlock.check.run import check_scenario
from faultlock.check.scenarios import expected, find_scenario, shipped_scenarios
from faultlock.lang.model import shipped_policies

SAMPLES = [
    ("fault+kill", "hold"), ("fault+kill", "drop-retry"), ("fault+kill", "hold-fix"),
    ("fault-missing+kill+stuck-disk", "hold"), ("fault-missing+kill+stuck-disk", "hold-fix"),
    ("nowait+in-flight", "hold"), ("kernel-fault+mmap", "hold"), ("kernel-fault+mmap", "hold-vma"),
    ("fuse-self+kernel-fault+mmap", "hold"), ("fuse-self+fault+fork", "drop-retry"),
    ("fault+kill+truncate", "hold"), ("marked-fault+fork", "drop-retry"),
]


def test_every_scenario_has_expected_verdicts_for_every_policy() -> None:
    listed = expected()
    assert set(listed) == set(shipped_scenarios())
    for name, policies in listed.items():
        assert set(policies) == set(shipped_policies()), name


@pytest.mark.parametrize(("scenario", "policy"), SAMPLES)
def test_sample(scenario: str, policy: str) -> None:
    known = expected()[scenario][policy]
    result = check_scenario(policy, find_scenario(scenario),
                            options=Options(partial_order=False, symmetry=False))
    assert sorted(item.name for item in result.violated) == known["violated"]
    assert result.exploration.states == known["states"]
    reduced = check_scenario(policy, find_scenario(scenario))
    assert sorted(item.name for item in reduced.violated) == known["violated"]
    assert reduced.exploration.states <= known["states"]


@pytest.mark.parametrize("scenario", ["fault+kill", "fault-missing+kill+stuck-disk"])
@pytest.mark.parametrize("policy", ["drop-retry", "hold"])
def test_verdicts_are_the_same_without_any_reduction(scenario: str, policy: str) -> None:
    known = expected()[scenario][policy]
    full = check_scenario(policy, find_scenario(scenario),
                          options=Options(False, False, symmetry=False))
    assert sorted(item.name for item in full.violated) == known["violated"]
    assert full.exploration.states > known["states"]
