# SPDX-License-Identifier: GPL-2.0-only
"""Which mappings share an open file (kernel: struct file), and so a readahead state.

A recording has no open and no close, only the descriptor numbers of mmap. The rule:

- A mapping with descriptor n that is placed (MAP_FIXED) inside an earlier one of the same process
  and descriptor belongs to the same open file: that is how loaders map segments.
- Otherwise it is a new open file. When faults tell later that two open files of the same
  descriptor number are the same inode, and no other inode is known to have been mapped through
  that number in between, they are one: the descriptor stayed open.
- A child process shares its parent's open files (mappings are copied with theirs); exec does not.
- What the kernel's loader maps has one open file per process image and inode.
"""

from __future__ import annotations

from itertools import pairwise

from faultlock.trace.address_space import MAP_FIXED, OpenFile, Vma


class OpenFiles:
    """Gives out open files; two that turn out to be one are joined (`final`)."""

    def __init__(self, files: list[OpenFile]) -> None:
        self._files = files
        self._joined: dict[int, int] | None = None  # until all events were seen
        # Of each descriptor number of a process, the open files one after the other.
        self._of_descriptor: dict[tuple[int, int], list[OpenFile]] = {}
        self._descriptors: list[list[OpenFile]] = []
        self._loaded: dict[tuple[int, int], OpenFile] = {}

    def _new(self, file: int | None = None) -> OpenFile:
        open_file = OpenFile(len(self._files), file)
        self._files.append(open_file)
        return open_file

    def final(self, number: int) -> int:
        """The number of the open file that `number` is one with; call it when all was seen."""
        return self.joined().get(number, number)

    def joined(self) -> dict[int, int]:
        """The numbers that are one with an earlier one, and with which."""
        if self._joined is None:
            self._joined = {}
            for files in self._descriptors:
                known = [open_file for open_file in files if open_file.file is not None]
                for before, open_file in pairwise(known):
                    if before.file == open_file.file:
                        first = self._joined.get(before.number, before.number)
                        self._joined[open_file.number] = first
        return self._joined

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
        files = self._of_descriptor.get((process, fd))
        if files is None:
            files = self._of_descriptor[process, fd] = []
            self._descriptors.append(files)
        latest = files[-1] if files else None
        if replaced is not None and latest is not None and flags & MAP_FIXED:
            inside = replaced.start <= start and end <= replaced.end
            if inside and replaced.open_file is latest:
                return latest
        open_file = self._new()
        files.append(open_file)
        return open_file

    def process_execs(self, process: int) -> None:
        """Mappings after an exec belong to files that the new program opens."""
        for key in [key for key in self._of_descriptor if key[0] == process]:
            del self._of_descriptor[key]

    def identify(self, open_file: OpenFile, file: int) -> None:
        """A fault told which inode is behind an open file."""
        if open_file.file is None:
            open_file.file = file
