# SPDX-License-Identifier: GPL-2.0-only
"""Check every scenario under every shipped policy and write catalogue/expected.toml.

Run it after a change of the kernel text or the catalogue, read the difference, commit it.
State counts are those without partial order reduction: they do not depend on timing.
"""

from __future__ import annotations

import sys

from faultlock.check.explore import Limits, Options
from faultlock.check.run import check_scenario
from faultlock.check.scenarios import CATALOGUE, expected, shipped_scenarios
from faultlock.errors import FaultlockError, atomic_write
from faultlock.lang.model import shipped_policies

LIMITS = Limits(states=4_000_000, seconds=60)
HEAD = """# SPDX-License-Identifier: GPL-2.0-only
# Written by scripts/make_expected.py: violated properties and stored states (local steps fused,
# no partial order reduction) per scenario and policy; unknown: a limit was reached.
"""


def entry(policy: str, name: str) -> str:
    """One line of TOML."""
    result = check_scenario(policy, shipped_scenarios()[name], LIMITS,
                            Options(partial_order=False))
    violated = sorted(item.name for item in result.violated)
    unknown = sum(item.verdict == "unknown" for item in result.properties)
    states = result.exploration.states if result.exploration.complete else 0
    listed = ", ".join(f'"{item}"' for item in violated)
    text = f"{policy} = {{ states = {states}, violated = [{listed}]"
    return text + (f", unknown = {unknown} }}" if unknown else " }")


def main(words: list[str]) -> int:
    """Scenarios named on the command line are renewed, others kept; none: all."""
    try:
        kept = expected()
    except OSError:
        kept = {}
    lines = [HEAD]
    for name in shipped_scenarios():
        lines.append(f'["{name}"]')
        for policy in [*shipped_policies()]:
            if words and name not in words and policy in kept.get(name, {}):
                old = kept[name][policy]
                listed = ", ".join(f'"{item}"' for item in old["violated"])
                tail = f", unknown = {old['unknown']} }}" if "unknown" in old else " }"
                lines.append(f"{policy} = {{ states = {old['states']}, violated = [{listed}]{tail}")
                continue
            try:
                lines.append(entry(policy, name))
            except FaultlockError as error:
                print(f"{name} {policy}: {error}", file=sys.stderr)
            print(lines[-1], name, file=sys.stderr)
        lines.append("")
    with atomic_write(CATALOGUE / "expected.toml") as stream:
        stream.write("\n".join(lines))  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
