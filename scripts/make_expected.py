# SPDX-License-Identifier: GPL-2.0-only
"""Check every scenario under every shipped policy and write catalogue/expected.toml.

Run it after a change of the kernel text or the catalogue, read the difference, commit it.
State counts are those without partial order reduction and symmetry, properties both ways equal.
"""

from __future__ import annotations

import sys
from typing import Any

from faultlock.check.explore import Limits, Options
from faultlock.check.run import check_scenario
from faultlock.check.scenarios import CATALOGUE, expected, shipped_scenarios
from faultlock.errors import FaultlockError, atomic_write
from faultlock.lang.model import shipped_policies

LIMITS = Limits(states=4_000_000, seconds=60)
HEAD = """# SPDX-License-Identifier: GPL-2.0-only
# Written by scripts/make_expected.py: violated properties and stored states (local steps fused,
# no partial order reduction, no symmetry) per scenario and policy; unknown: a limit was reached.
"""


def entry(policy: str, name: str) -> dict[str, Any]:
    """What a check finds: states, violated properties, number of open questions."""
    result = check_scenario(policy, shipped_scenarios()[name], LIMITS,
                            Options(partial_order=False, symmetry=False))
    found: dict[str, Any] = {
        "states": result.exploration.states if result.exploration.complete else 0,
        "violated": sorted(item.name for item in result.violated),
    }
    unknown = sum(item.verdict == "unknown" for item in result.properties)
    return {**found, "unknown": unknown} if unknown else found


def line_of(policy: str, found: dict[str, Any]) -> str:
    """One line of TOML."""
    listed = ", ".join(f'"{item}"' for item in found["violated"])
    unknown = f", unknown = {found['unknown']}" if "unknown" in found else ""
    return f"{policy} = {{ states = {found['states']}, violated = [{listed}]{unknown} }}"


def write(kept: dict[str, Any]) -> None:
    """Write the file."""
    lines = [HEAD]
    for name in sorted(kept):
        lines.append(f'["{name}"]')
        lines += [line_of(policy, found) for policy, found in kept[name].items()]
        lines.append("")
    with atomic_write(CATALOGUE / "expected.toml") as stream:
        stream.write("\n".join(lines))


def main(words: list[str]) -> int:
    """Scenarios named on the command line are renewed, others kept; `missing`: only those that
    the file lacks; nothing: all."""
    try:
        kept = expected()
    except OSError:
        kept = {}
    kept = {name: found for name, found in kept.items() if name in shipped_scenarios()}
    for name in shipped_scenarios():
        if words and name not in words and not (words == ["missing"] and name not in kept):
            continue
        found = {}
        for policy in shipped_policies():
            try:
                found[policy] = entry(policy, name)
            except FaultlockError as error:
                print(f"{name} {policy}: {error}", file=sys.stderr)
        kept[name] = found
        print(name, file=sys.stderr)
        write(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
