# SPDX-License-Identifier: GPL-2.0-only
"""Through which open file (and its readahead state) a replayed read(2) goes."""

from __future__ import annotations

from typing import Any

from faultlock.trace.address_space import Vma
from faultlock.trace.plan_spaces import PlanSpaces
from faultlock.trace.recording import Recording
from faultlock.trace.replay_plan import ReplayPlan


class PlanReaders:
    """Of read(2) the recording tells the file only; `index` first, then `of`.

    `vmas_of`: (mm, file) -> the mappings of a file in an address space.
    """

    def __init__(self, recording: Recording, plan: ReplayPlan, spaces: PlanSpaces) -> None:
        self._recording, self._plan, self._spaces = recording, plan, spaces
        self._readers: dict[tuple[int, int], int] = {}
        self._mms: dict[int, set[int]] = {}
        self._mapped: dict[tuple[int, int], list[int]] = {}
        self.vmas_of: dict[tuple[int, int], list[Vma]] = {}
        self._unread_until_ns: dict[int, int] = {}
        for number, until_ns in recording.unread_until_ns.items():
            number = recording.joined_open_files.get(number, number)
            self._unread_until_ns[number] = max(until_ns, self._unread_until_ns.get(number, -1))

    def index(self) -> None:
        """Process -> its mms; (mm, file) -> the open files that were mapped."""
        for thread in self._recording.threads:
            self._mms.setdefault(thread.process, set()).update((thread.mm, thread.first_mm))
        for vma in self._recording.vmas:
            if vma.open_file is not None and vma.open_file.file is not None:
                found = self._spaces.open(vma.open_file.number)
                if found >= 0:
                    key = (vma.mm, vma.open_file.file)
                    self._mapped.setdefault(key, []).append(found)
                    self.vmas_of.setdefault(key, []).append(vma)

    def of(self, row: dict[str, Any]) -> int:
        """The open file of a read: the one that its process maps next, else its own.

        Loaders read the beginning of a file through the descriptor that they map then.
        """
        process = self._recording.threads[row["thread"]].process
        key = (process, row["file"])
        if key not in self._readers:
            self._readers[key] = self._mapped_by(row, process)
        return self._readers[key]

    def _mapped_by(self, row: dict[str, Any], process: int) -> int:
        for mm in sorted(self._mms.get(process, set()) | {row["mm"]}):
            for open_file in self._mapped.get((mm, row["file"]), ()):
                if self._unread_until_ns.get(open_file, -1) < row["end_ns"]:
                    return open_file
        self._plan.open_files.append(row["file"])
        return len(self._plan.open_files) - 1
