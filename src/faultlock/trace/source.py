# SPDX-License-Identifier: GPL-2.0-only
"""Read a stranger's text: plain, gzip or zstd, in blocks of whole lines, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from faultlock.errors import FaultlockError, LimitReached

BLOCK_BYTES = 8 << 20
MAX_BLOCK_LINES = 1 << 18
MAX_LINE_BYTES = 64 << 10
MAX_TEXT_BYTES = 4 << 30

_REFUSED = (
    (b"PAR1", "is a recording already", "use it as it is: faultlock info FILE"),
    (b"\x17\x08\x44tracing", "is a binary trace.dat", "run `trace-cmd report FILE > trace.txt`"),
    (b"PERFILE2", "is a binary perf.data", "run `perf script -i FILE --header > trace.txt`"),
)


@dataclass(frozen=True)
class TextBlock:
    """Whole lines. `first_line` is the number of the first one (from 1).

    `too_long` counts lines longer than MAX_LINE_BYTES; only their beginning is kept, marked as
    cut, so that line numbers stay right and the line counts as unparseable.
    """

    lines: list[str]
    first_line: int
    too_long: int


_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


def open_bytes(path: Path) -> IO[bytes]:
    """The decompressed bytes of a file; the format is told by its first bytes."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(16)
    except OSError as error:
        raise FaultlockError(
            f"{path}: cannot be read: {error.strerror}; check the name and its permissions"
        ) from None
    for prefix, what, cure in _REFUSED:
        if magic.startswith(prefix):
            raise FaultlockError(f"{path}: {what}; {cure.replace('FILE', str(path))}")
    # Arrow's decompressors notice a stream that was cut off; their windows are bounded.
    kind = next((name for prefix, name in _COMPRESSED if magic.startswith(prefix)), None)
    return cast(IO[bytes], pa.input_stream(str(path), compression=kind))


def _read(stream: IO[bytes], path: Path, size: int) -> bytes:
    """The next bytes; damage of the compressed stream becomes one clear error."""
    try:
        return stream.read(size)
    except OSError as error:
        text = str(error).splitlines()[0][:100]
        raise FaultlockError(
            f"{path}: damaged or cut off ({text}); copy it again, or decompress what can be saved"
        ) from None


def text_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[TextBlock]:
    """The lines of a file, block by block. Bytes that are not UTF-8 become U+FFFD.

    Raises FaultlockError for an unreadable or damaged file, LimitReached beyond MAX_TEXT_BYTES.
    """
    with open_bytes(path) as stream:
        rest = b""
        total_bytes, next_line = 0, 1
        while chunk := _read(stream, path, block_bytes):
            total_bytes += len(chunk)
            if total_bytes > MAX_TEXT_BYTES:
                raise LimitReached(
                    f"{path}: more than {MAX_TEXT_BYTES >> 30} GiB of text after line {next_line}; "
                    "split it, or record for a shorter time"
                )
            head, newline, tail = chunk.rpartition(b"\n")
            if not newline:
                # Of a line longer than a block only the beginning matters: it is refused later.
                rest += chunk[: max(0, MAX_LINE_BYTES + 1 - len(rest))]
                continue
            for block in _blocks(rest + head, next_line):
                next_line += len(block.lines)
                yield block
            rest = tail
        if rest:
            yield from _blocks(rest, next_line)


def _blocks(data: bytes, first_line: int) -> Iterator[TextBlock]:
    lines = data.decode("utf-8", "replace").split("\n")
    for first in range(0, len(lines), MAX_BLOCK_LINES):
        part = lines[first : first + MAX_BLOCK_LINES]
        yield _block(part, first_line + first, len(data))


def _block(lines: list[str], first_line: int, size: int) -> TextBlock:
    """A block of these lines, which are part of `size` bytes."""
    too_long = 0
    if size > MAX_LINE_BYTES:
        for number, line in enumerate(lines):
            if len(line) > MAX_LINE_BYTES:
                # So that no pattern takes the cut line for a whole one.
                lines[number] = f"(line of {len(line):,} characters or more) {line[:100]}"
                too_long += 1
    return TextBlock(lines, first_line, too_long)
