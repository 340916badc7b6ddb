#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Writes the shipped ground-truth workloads from the scenario tables of the measurements.

Usage: make_ground_truth_workloads.py FOLDER-WITH-scenarios*.txt [TARGET]
The result is in the repository; run this again only when the tables change.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from faultlock.workload.library import SHIPPED
from faultlock.workload.measurement_scenario import DEFAULT_FILE_PAGES, DEFAULT_MEMORY_MIB, document

COLUMNS = (
    "fault_threads",
    "vmas",
    "fork_threads",
    "mmap_threads",
    "mprotect_threads",
    "smaps_threads",
    "anon_threads",
    "advice",
    "think_fault_us",
    "think_other_us",
)
# table: latency in ns, seconds, memory in MiB, pages of the file
TABLES = {
    "scenarios.txt": (10_000_000, 4, DEFAULT_MEMORY_MIB, DEFAULT_FILE_PAGES),
    "scenarios-jitter.txt": (10_000_000, 4, DEFAULT_MEMORY_MIB, DEFAULT_FILE_PAGES),
    "scenarios-memory.txt": (1_000_000, 2, 128, 65_536),
}


def toml_value(value: Any) -> str:
    """Numbers as they are, texts in quotes."""
    return str(value) if isinstance(value, int) else f'"{value}"'


def to_toml(built: dict[str, Any], table: str) -> str:
    """The document as TOML text, plain keys first, then tables."""
    lines = [
        "# SPDX-License-Identifier: GPL-2.0-only",
        f"# Written by scripts/make_ground_truth_workloads.py from {table}.",
    ]
    built = {**built, "source": "measured on linux-6.12.117 under QEMU -icount, docs/measuring.md"}
    lines += [
        f"{key} = {toml_value(value)}"
        for key, value in built.items()
        if not isinstance(value, dict | list)
    ]
    for key, value in built.items():
        for header, entry in (
            [(f"[{key}]", value)]
            if isinstance(value, dict)
            else [(f"[[{key}]]", item) for item in value if isinstance(value, list)]
        ):
            lines += ["", header]
            lines += [f"{name} = {toml_value(item)}" for name, item in entry.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Reads all tables, writes one file per scenario."""
    source = Path(sys.argv[1])
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else SHIPPED / "ground-truth"
    for table, (latency_ns, seconds, memory_mib, file_pages) in TABLES.items():
        for line in (source / table).read_text().splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            name, access, *numbers = line.split()
            params = {
                "access": access,
                "seconds": seconds,
                **dict(zip(COLUMNS, map(int, numbers), strict=True)),
            }
            built = document(
                params,
                name=name,
                latency_ns=latency_ns,
                where=f"{table}: {name}",
                file_pages=file_pages,
                memory_mib=memory_mib,
            )
            built["duration"] = f"{seconds}s"
            built["device"]["latency"] = f"{latency_ns // 1_000_000}ms"
            built["files"][0]["size"] = f"{file_pages // 256}MiB"
            (target / f"{name}.toml").write_text(to_toml(built, table))


if __name__ == "__main__":
    main()
