# SPDX-License-Identifier: GPL-2.0-only
"""Fuzz the importers and the reader of recordings with atheris: scripts/fuzz_trace.py [SECONDS]

Coverage-guided; ends after SECONDS (default 30) or at the first exception that is no clear error.
Without atheris it says so and ends with 0.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Run the fuzzer for the time given."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    try:
        import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        print("atheris is not installed (pip install atheris): nothing fuzzed")
        return 0
    with atheris.instrument_imports(include=["faultlock.trace"]):
        from faultlock.errors import FaultlockError
        from faultlock.trace.describe import describe
        from faultlock.trace.importer import import_text
        from faultlock.trace.store import read_trace

    folder = Path(tempfile.mkdtemp(prefix="faultlock-fuzz-"))
    file = folder / "input"

    def one(data: bytes) -> None:
        file.write_bytes(data)
        for read in (lambda: import_text(file).trace, lambda: read_trace(file)):
            try:
                describe(read())  # type: ignore[no-untyped-call,unused-ignore]
            except FaultlockError as error:
                if "\n" in str(error):
                    raise AssertionError(f"more than one line: {error}") from None

    shipped = Path(__file__).parent.parent / "src" / "faultlock" / "trace" / "data"
    options = [sys.argv[0], f"-max_total_time={seconds}", "-max_len=20000", str(folder / "corpus")]
    corpus = folder / "corpus"
    corpus.mkdir()
    for path in shipped.glob("*.flt"):
        (corpus / path.name).write_bytes(path.read_bytes()[:20_000])
    atheris.Setup(options, one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
