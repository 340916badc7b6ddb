# SPDX-License-Identifier: GPL-2.0-only
"""Through which open file (and its readahead state) a replayed read(2) goes; what is populated."""

from __future__ import annotations

from typing import Any

from faultlock.trace.address_space import PAGE, PROT_WRITE, Vma
from faultlock.trace.plan_spaces import PlanSpaces
from faultlock.trace.recording import Recording
from faultlock.trace.replay_plan import ReplayPlan

_POPULATE_NS = 10_000_000_000
_MAP_POPULATE = 0x8000


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
        self._populated: list[tuple[int, int, int]] = []  # mm, start, end
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

    def mapped_at(self, row: dict[str, Any]) -> tuple[Vma, int] | None:
        """The mapping that a fault without a trap was for, and the address there.

        A page of a writable private mapping is populated by a write: without fault-around.
        """
        found: list[tuple[bool, int, Vma, int]] = []
        for vma in self.vmas_of[row["mm"], row["file"]]:
            address = vma.start + row["index"] * PAGE - vma.offset
            alive = vma.created_ns <= row["start_ns"] and not 0 <= vma.removed_ns < row["start_ns"]
            if row["inside"] == "mmap":  # MAP_POPULATE: before mmap has returned
                alive = 0 <= vma.created_ns - row["start_ns"] < _POPULATE_NS
            if alive and vma.start <= address < vma.end:
                copies = bool(vma.prot & PROT_WRITE) and not vma.shared
                fits = copies == (row["filemap_faults"] > 0 and not row["map_pages"])
                found.append((fits, vma.created_ns, vma, address))
        if not found:
            return None
        if row["inside"] == "mmap":
            _, _, vma, address = min(found, key=lambda item: item[1])
        else:
            _, _, vma, address = max(found, key=lambda item: item[:2])
        return vma, address

    def populates(self, row: dict[str, Any]) -> bool:
        """Does a call make anonymous pages (MAP_POPULATE), or unmap some that were made so?"""
        if not row["length"] or -4096 < row["result"] < 0:
            return False
        mm, start, end = row["mm"], row["address"], row["address"] + row["length"]
        if row["kind"] == "mmap":
            made = row["open_file"] < 0 and bool(row["flags"] & _MAP_POPULATE)
            if made:
                self._populated.append((mm, start, end))
            return made
        return any(m == mm and s < end and start < e for m, s, e in self._populated)
