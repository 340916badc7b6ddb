# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock doctor`: what is here, what is missing, what each piece would add."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from faultlock.errors import EXIT_ENVIRONMENT, EXIT_OK
from faultlock.report import console
from faultlock.version import version_line

HELP = """\
Say which tools are on this machine and what each adds.

Exit code 0 when everything that faultlock needs is here (optional tools may be missing),
4 when something that it needs is not."""

LIBRARIES = {
    "llvmlite": "compiling the model, the checker's search and the simulator's engine",
    "numpy": "the engines of checker and simulator",
    "pyarrow": "traces and sweep results on disk",
    "polars": "tables of sweeps and traces",
    "rich": "progress on a terminal",
    "perfetto": "--perfetto",
}
TOOLS = {
    "qemu-system-x86_64": ("measure in QEMU's virtual time", "apt-get install qemu-system-x86"),
    "cc": ("measure (builds its driver), export --run", "apt-get install gcc libc6-dev"),
    "spin": ("a second opinion on exported scenarios", "apt-get install spin"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; `found` is a version or a reason, never empty."""

    name: str
    required: bool
    present: bool
    found: str
    adds: str
    cure: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def run(arguments: argparse.Namespace) -> int:
    findings = [*_needed(), *_tools(), *_kernel(), *_left_behind()]
    missing = [finding for finding in findings if finding.required and not finding.present]
    if arguments.json:
        console.out_json(
            {"version": version_line(), "findings": [asdict(finding) for finding in findings]}
        )
    else:
        _print(findings, missing)
    return EXIT_ENVIRONMENT if missing else EXIT_OK


def _needed() -> Iterator[Finding]:
    yield Finding(
        "python", True, sys.version_info >= (3, 11), platform.python_version(),
        "everything", "install Python 3.11 or later",
    )
    for name, adds in LIBRARIES.items():
        present = importlib.util.find_spec(name) is not None
        version = importlib.metadata.version(name) if present else "missing"
        yield Finding(name, True, present, version, adds, f"pip install {name}")
    cache = Path(os.environ.get("FAULTLOCK_CACHE") or Path.home() / ".cache" / "faultlock")
    existing = next(path for path in (cache, *cache.parents) if path.exists())
    yield Finding(
        "cache folder", True, existing.is_dir() and os.access(existing, os.W_OK), str(cache),
        "compiled models are kept", "set FAULTLOCK_CACHE to a folder that can be written",
    )


def _tools() -> Iterator[Finding]:
    for name, (adds, cure) in TOOLS.items():
        path = shutil.which(name)
        yield Finding(name, False, path is not None, path or "missing", adds, cure)
    present = importlib.util.find_spec("distributed") is not None
    version = importlib.metadata.version("distributed") if present else "missing"
    yield Finding(
        "dask.distributed", False, present, version,
        "sweep --scheduler", "pip install 'faultlock[cluster]'",
    )


def _kernel() -> Iterator[Finding]:
    tracing = Path("/sys/kernel/tracing")
    can_trace = os.access(tracing / "tracing_on", os.W_OK)
    yield Finding(
        "ftrace", False, can_trace, str(tracing) if can_trace else "not writable",
        "record", "run as root with tracefs mounted on /sys/kernel/tracing",
    )
    counters = _has_vma_lock_counters()
    yield Finding(
        "vma_lock counters", False, counters, "/proc/vmstat" if counters else "not in this kernel",
        "retry and abort counts of measure --host", "a kernel with CONFIG_PER_VMA_LOCK_STATS",
    )


def _left_behind() -> Iterator[Finding]:
    """Folders and file systems of runs that were killed; nothing when there are none."""
    from faultlock.measure.scratch import mount_points, stale_folders

    for folder in stale_folders():
        mounted = ", with a file system" if mount_points(folder.resolve()) else ""
        yield Finding(
            "left behind", False, False, f"{folder}{mounted}",
            "nothing, a killed run left it", "the next measure, probe or reproduce removes it",
        )


def _has_vma_lock_counters() -> bool:
    try:
        return "vma_lock_retry" in Path("/proc/vmstat").read_text(encoding="ascii")
    except OSError:
        return False


def _print(findings: list[Finding], missing: list[Finding]) -> None:
    console.out(
        f"{version_line()}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.release()} {platform.machine()}, {os.cpu_count()} CPUs"
    )
    console.out()
    rows = [
        (
            "ok" if finding.present else "MISSING" if finding.required else "absent",
            finding.name,
            finding.found,
            finding.adds if finding.present else f"{finding.adds}: {finding.cure}",
        )
        for finding in findings
    ]
    console.out_table(("", "what", "found", "adds"), rows)
    console.out()
    if missing:
        names = ", ".join(finding.name for finding in missing)
        console.out(console.paint(f"not usable: {names}", "bad"))
    else:
        console.out("Everything that is needed is here; what is absent is optional.")
