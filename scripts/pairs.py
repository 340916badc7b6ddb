# SPDX-License-Identifier: GPL-2.0-only
"""Which actors of the specification's section 8 meet in which scenario: the matrix of pairs.

    python scripts/pairs.py            prints how many scenarios each pair meets in

A pair meets where two threads of a scenario can reach the functions of one actor each.
"""

from __future__ import annotations

import sys
from itertools import combinations, combinations_with_replacement

from faultlock.check.scenarios import compile_scenario, shipped_scenarios
from faultlock.lang.program import Program
from faultlock.lang.traverse import reachable

# actor -> step functions that are its entry
ACTORS = {
    "fault": ("do_user_addr_fault",),
    "8.1 truncate": ("ext4_setattr", "truncate_setsize"),
    "8.2 punch": ("ext4_punch_hole",),
    "8.3 reclaim": ("reclaim_once",),
    "8.4 read": ("ksys_read",),
    "8.5 fork": ("sys_fork",),
    "8.6 address space": ("vm_mmap_pgoff", "__vm_munmap", "do_mprotect", "sys_mremap", "do_mlock",
                          "do_madvise"),
    "8.7 exit": ("do_exit", "exec_mmap"),
    "8.8 proc": ("read_proc", "process_vm_readv"),
    "8.9 khugepaged": ("collapse_file",),
    "8.10 GUP": ("__mm_populate",),
    "8.11 KVM": ("kvm_faultin_pfn", "get_user_pages_unlocked"),
    "8.12 OOM": ("out_of_memory",),
    "8.13 writeback": ("filemap_write_and_wait", "write_folio"),
}
Pair = tuple[str, str]


def actors_of(program: Program) -> list[set[str]]:
    """For each thread the actors that it can be."""
    found = []
    for thread in program.threads:
        functions = set(reachable(program.functions, thread.function))
        found.append({actor for actor, entries in ACTORS.items() if functions & set(entries)})
    return found


def met() -> dict[Pair, list[str]]:
    """Pair of actors -> scenarios in which both can run at once."""
    pairs: dict[Pair, list[str]] = {
        pair: [] for pair in combinations_with_replacement(ACTORS, 2)
    }
    order = list(ACTORS)
    for name, scenario in shipped_scenarios().items():
        here: set[Pair] = set()
        for left, right in combinations(actors_of(compile_scenario("drop-retry", scenario)), 2):
            for one in left:
                for other in right:
                    first, second = sorted((one, other), key=order.index)
                    here.add((first, second))
        for pair in here:
            pairs[pair].append(name)
    return pairs


def main() -> int:
    """Print the matrix; exit code 1 when a pair meets nowhere."""
    pairs = met()
    names = list(ACTORS)
    print(" " * 18 + " ".join(name.split()[0].rjust(5) for name in names))
    for row, one in enumerate(names):
        cells = [str(len(pairs[one, other])).rjust(5) for other in names[row:]]
        print(one.ljust(18) + " ".join(["     "] * row + cells))
    missing = [pair for pair, scenarios in pairs.items() if not scenarios]
    for one, other in missing:
        print(f"nowhere: {one} and {other}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
