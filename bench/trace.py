# SPDX-License-Identifier: GPL-2.0-only
"""How fast recordings are imported, written, read and replayed: python bench/trace.py FILE...

Prints one line per file: size of the text, seconds of each step, peak memory of the process; then
one for its replay under all policies: wall and CPU seconds of all processes, peak memory of one.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faultlock.trace.importer import import_text
from faultlock.trace.source import open_bytes
from faultlock.trace.store import read_trace, write_trace


def text_bytes(path: Path) -> int:
    """Size of the decompressed text, bytes."""
    with open_bytes(path) as stream:
        return sum(len(chunk) for chunk in iter(lambda: stream.read(1 << 20), b""))


def measure(path: Path) -> list[str]:
    """The cells of one line."""
    cells = [f"{text_bytes(path) / 1e6:.1f}"]
    start_s = time.perf_counter()
    trace = import_text(path).trace
    cells += [f"{trace.event_count}", f"{time.perf_counter() - start_s:.2f}"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bench.flt"
        start_s = time.perf_counter()
        write_trace(trace, target)
        cells += [f"{time.perf_counter() - start_s:.2f}", f"{target.stat().st_size / 1e6:.2f}"]
        start_s = time.perf_counter()
        read_trace(target)
        cells.append(f"{time.perf_counter() - start_s:.2f}")
    return cells


def measure_replay(path: Path) -> str:
    """One line: `faultlock replay` of the imported file, a cold start of Python included."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bench.flt"
        command = [sys.executable, "-m", "faultlock"]
        subprocess.run([*command, "import", str(path), "-o", str(target), "--kernel", "6.18"],
                       check=True, capture_output=True)  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start_s = time.perf_counter()
        subprocess.run([*command, "replay", str(target)], check=True, capture_output=True)
        wall_s = time.perf_counter() - start_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak_mb = after.ru_maxrss / 1e3
    return f"replay, all policies: {wall_s:.1f} s, CPU {cpu_s:.1f} s, peak_MB {peak_mb:.0f}"


def main() -> None:
    """Measure the files named on the command line."""
    header = "text_MB events import_s write_s file_MB read_s peak_MB"
    print(header, "file")
    for name in sys.argv[1:]:
        cells = measure(Path(name))
        cells.append(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f}")
        widths = [len(word) for word in header.split()]
        print(" ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)), Path(name).name)
        print(measure_replay(Path(name)))


if __name__ == "__main__":
    main()
