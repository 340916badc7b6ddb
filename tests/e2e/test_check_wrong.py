# SPDX-License-Identifier: GPL-2.0-only
"""Each policy with a planted bug is found, on the property that its docstring names.

The scenarios are those of the catalogue, the same for all policies.
"""

from __future__ import annotations

import re

import pytest

from faultlock.check.explore import Limits
from faultlock.check.run import check_scenario
from faultlock.check.scenarios import find_scenario, wrong_policies

POLICIES = wrong_policies()
SAYS = re.compile(r"Must be found as: (\w+) in (\S+)")


def test_there_are_twenty_kinds() -> None:
    said = [SAYS.search(path.read_text()) for path in POLICIES.values()]
    assert len(said) >= 20
    assert all(said)
    assert len({found[1] for found in said if found}) >= 12


@pytest.mark.parametrize("name", POLICIES)
def test_planted_bug_is_found(name: str) -> None:
    said = SAYS.search(POLICIES[name].read_text())
    assert said is not None
    result = check_scenario(name, find_scenario(said[2]), Limits(states=300_000, seconds=60))
    violated = {item.name.split()[0]: item for item in result.violated}
    assert said[1] in violated
    assert violated[said[1]].counterexample is not None


@pytest.mark.parametrize("name", ["pin-kept", "no-i-size-recheck"])
def test_the_base_without_the_bug_holds_there(name: str) -> None:
    text = POLICIES[name].read_text()
    said, base = SAYS.search(text), re.search(r'^base = "(.*)"$', text, re.MULTILINE)
    assert said is not None and base is not None
    result = check_scenario(base[1], find_scenario(said[2]))
    assert said[1] not in {item.name.split()[0] for item in result.violated}
