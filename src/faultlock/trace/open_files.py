# SPDX-License-Identifier: GPL-2.0-only
"""Which mappings share an open file (kernel: struct file), and so a readahead state.

A recording has no open and no close, only the descriptor numbers of mmap. The rule:

- A mapping with descriptor n that is placed (MAP_FIXED) inside an earlier one of the same process
  and
  descriptor belongs to the same open file: that is how loaders map segments.
- Otherwise it is a new open file. When faults tell later that two open files of the same
  descriptor
  number are the same inode, and no other inode was mapped through that number in between, they
  are one: the descriptor stayed open.
- A child process shares its parent's open files (mappings are copied with theirs); exec does not.
- What the kernel's loader maps has one open file per process image and inode.
"""

from __future__ import annotations

from faultlock.trace.address_space import MAP_FIXED, OpenFile, Vma


class OpenFiles:
    """Gives out open files; two that turn out to be one are joined (`final`)."""

    def __init__(self, files: list[OpenFile]) -> None:
        self._files = files
        self._joined: dict[int, int] = {}
        self._latest: dict[tuple[int, int], OpenFile] = {}
        self._before: dict[int, OpenFile] = {}
        self._loaded: dict[tuple[int, int], OpenFile] = {}

    def _new(self, file: int | None = None) -> OpenFile:
        open_file = OpenFile(len(self._files), file)
        self._files.append(open_file)
        return open_file

    def final(self, number: int) -> int:
        """The number of the open file that `number` was joined with."""
        while number in self._joined:
            number = self._joined[number]
        return number

    def joined(self) -> dict[int, int]:
        """The numbers that were joined with others, and with which."""
        return {number: self.final(number) for number in self._joined}

    def loaded(self, mm: int, file: int) -> OpenFile:
        """The open file through which the kernel's loader mapped `file` into an address space."""
        key = (mm, file)
        if key not in self._loaded:
            self._loaded[key] = self._new(file)
        return self._loaded[key]

    def mapped(
        self, process: int, fd: int, start: int, end: int, replaced: Vma | None, flags: int
    ) -> OpenFile:
        """The open file of a mapping [start, end) through descriptor `fd` of a process."""
        latest = self._latest.get((process, fd))
        if replaced is not None and latest is not None and flags & MAP_FIXED:
            inside = replaced.start <= start and end <= replaced.end
            if inside and replaced.open_file is latest:
                return latest
        open_file = self._new()
        if latest is not None:
            self._before[open_file.number] = latest
        self._latest[process, fd] = open_file
        return open_file

    def process_execs(self, process: int) -> None:
        """Mappings after an exec belong to files that the new program opens."""
        for key in [key for key in self._latest if key[0] == process]:
            del self._latest[key]

    def identify(self, open_file: OpenFile, file: int) -> None:
        """A fault told which inode is behind an open file."""
        if open_file.file is None:
            open_file.file = file
            before = self._before.get(open_file.number)
            if before is not None and before.file == file:
                self._joined[open_file.number] = before.number
