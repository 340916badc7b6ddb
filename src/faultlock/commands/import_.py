# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock import`: the text of another tracer becomes a recording."""

from __future__ import annotations

import argparse
from pathlib import Path

from faultlock.errors import EXIT_OK
from faultlock.report import console
from faultlock.report.arguments import output_file

HELP = "ftrace, trace-cmd or perf text to a faultlock trace"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.description = (
        "Reads the text of tracefs `trace`, of `trace-cmd report` or of `perf script`, plain, gzip "
        "or zstd; the format is detected. Lines that cannot be parsed are counted and the first "
        "ten are shown."
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "-o", "--output", type=output_file, metavar="FILE",
        help="recording to write (default: NAME.flt)"
    )
    parser.add_argument(
        "--kernel", metavar="VERSION", help="kernel it was recorded on; ftrace text does not say it"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable summary")


def output_path(file: Path) -> Path:
    """NAME.flt in the current folder for a/b/NAME.ftrace.txt.gz."""
    name = file.name
    for suffix in (".gz", ".zst", ".txt", ".ftrace", ".perf", ".trace"):
        name = name.removesuffix(suffix) or name
    return Path(name + ".flt")


def run(arguments: argparse.Namespace) -> int:
    """Import, write, say what was read and what was not."""
    from faultlock.trace.importer import import_text
    from faultlock.trace.printable import printable
    from faultlock.trace.store import write_trace

    target = arguments.output or output_path(arguments.file)
    with console.progress(f"reading {arguments.file.name}"):
        imported = import_text(arguments.file, arguments.kernel)
        write_trace(imported.trace, target)
    header = imported.trace.header
    first_ns, last_ns = imported.trace.span_ns
    summary = {
        "file": str(target),
        "source": header.source,
        "events": imported.trace.event_count,
        "duration_s": (last_ns - first_ns) / 1e9,
        "lost_events": header.lost_events,
        "unparseable_lines": header.unparseable_lines,
        "unknown_events": dict(sorted(header.unknown_events.items())),
    }
    if arguments.json:
        console.out_json(summary)
        return EXIT_OK
    console.out(
        f"{target}: {imported.trace.event_count:,} events in {summary['duration_s']:.3f} s "
        f"({header.source} text)"
    )
    if header.lost_events:
        console.warn(f"the tracer lost {header.lost_events:,} events; use a larger buffer")
    if header.unknown_events:
        total = sum(header.unknown_events.values())
        names = ", ".join(printable(name) for name in sorted(header.unknown_events)[:5])
        console.warn(f"{total:,} events of types that are not used were skipped: {names}")
    if header.unparseable_lines:
        console.warn(f"{header.unparseable_lines:,} lines could not be parsed, the first are:")
        for number, text in imported.unparseable:
            console.warn(f"line {number}: {printable(text)}")
    return EXIT_OK
