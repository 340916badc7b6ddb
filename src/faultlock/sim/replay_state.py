# SPDX-License-Identifier: GPL-2.0-only
"""The state that a replay starts from."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np

from faultlock.lang.layout import Layout
from faultlock.lang.program import Program
from faultlock.sim.cost import CostTable
from faultlock.sim.parameters import MAX_REFCOUNT
from faultlock.sim.setup import Prepared
from faultlock.trace.compact_addresses import TABLE
from faultlock.trace.printable import printable
from faultlock.trace.replay_plan import KINDS, PlanVma, ReplayPlan
from faultlock.workload.schema import Device

RECORDED = "recorded"  # the kind of device whose reads take as long as they took
_SPARE_VMAS = 4096
VARIATION = 0.05  # standard deviation of recorded times in further replications
# What the model charges for a fault on anonymous memory: its work is in the recorded time up to the
# next event, too, because no event tells the end of such a fault.
ANONYMOUS_FAULT_COSTS = (
    *("fault_entry", "vma_lookup", "handle_mm_fault", "alloc_page", "clear_page", "fault_exit"),
)


class ReplayBuilder:
    """The first state of a replay.

    varied: a seed: every recorded time is another one than it was, by VARIATION; None: none is.
    """

    def __init__(
        self,
        program: Program,
        plan: ReplayPlan,
        device: Device,
        costs: CostTable,
        varied: int | None = None,
    ) -> None:
        self._random = None if varied is None else np.random.default_rng(varied)
        self.program, self.plan = program, plan
        self._reads_take_as_long = device.kind == RECORDED
        self._fault_ns = sum(costs.costs[name].ns for name in ANONYMOUS_FAULT_COSTS)
        threads = len(plan.threads) + 2
        vmas = sum(len(items) for items in plan.mm_vmas)
        longest = max(plan.file_pages, default=1)
        mms = max(1, len(plan.mm_vmas))
        version = kernel_number(plan)
        parameters = {
            "KERNEL_VERSION": version,
            "N_THREADS": threads,
            "N_MMS": mms,
            "N_VMAS": 2 * sum(plan.mm_map_count) + vmas + _SPARE_VMAS,
            "N_VMAS_PER_MM": max(plan.mm_map_count, default=1) + _SPARE_VMAS,
            "N_FILES": max(1, len(plan.open_files)),
            "N_MAPPINGS": max(1, len(plan.file_pages)),
            "N_FILE_PAGES": longest + 2 * plan.readahead_pages + 1,
            "N_ADDRESS_PAGES": plan.address_pages,
            "N_FOLIOS": sum(plan.file_pages) + 1024,
            "N_REQUESTS": device.queue_depth + 1,
            "MAX_REFCOUNT": MAX_REFCOUNT,
            "MAX_WINDOW_PAGES": 2 * plan.readahead_pages + 1024,
            "MAX_BIO_PAGES": plan.request_pages,
            "IO_PAGES": plan.readahead_pages,
            "FORK_CHILD": 1,
            "N_REPLAY_OPERATIONS": max(1, len(plan.operations["kind"])),
            "N_REPLAY_READS": max(1, sum(len(times) for times in plan.known_times)),
        }
        known = {name: n for name, n in parameters.items() if name in program.parameters}
        self.layout = Layout(program, known, "simulate")
        self.memory: Any = None
        self._vmas = 0

    def build(self) -> Prepared:
        """Everything in place; threads stand at the entries of their roles."""
        plan, program = self.plan, self.program
        roles = ["replay_thread"] * len(plan.threads) + ["rcu_gp_kthread", "interrupt"]
        self.memory = self.layout.new_state([program.roles[role] for role in roles])
        self._files()
        for mm in range(len(plan.mm_vmas)):
            self._mm(mm)
        self._operations()
        for number, thread in enumerate(plan.threads, start=1):
            self._set("Thread", number, mm=thread.mm + 1)
            first = thread.first + 1 if thread.count else 0
            self._set("ReplayThread", number, first_operation=first)
            self._set("ReplayThread", number, start_after_us=thread.start_after_us)
            self._set("ReplayThread", number, waits_for_parent=int(thread.waits_for_parent))
        names = [f"{printable(thread.name)}-{thread.tid}" for thread in plan.threads]
        return Prepared(
            self.layout,
            self.memory,
            roles,
            [*names, "rcu_sched", "interrupt"],
            [],
            list(KINDS),
            len(roles),
        )

    def _set(self, struct: str, instance: int, element: int = 0, **values: int) -> None:
        for name, value in values.items():
            if name in self.program.structs[struct].fields:
                self.layout.set(self.memory, struct, instance, name, value, element)

    def _files(self) -> None:
        plan = self.plan
        resident = self.layout.counts["Folio"] + 1
        self._set("page_cache", 1, resident=resident, shadow=resident + 1)
        self._set("page_cache", 1, shadow_workingset=resident + 2)
        allocated = self.program.structs["Mapping"].allocated
        order = plan.max_order if kernel_number(plan) >= 616 else 0
        for number, pages in enumerate(plan.file_pages):
            if allocated:
                self.layout.set_allocated(self.memory, "Mapping", number + 1, True)
            self._set("Mapping", number + 1, i_size=pages, uses_invalidate_lock=1, max_order=order)
            present = sorted(page for page in plan.resident.get(number, ()) if page < pages)
            place = self.layout.place("Mapping", "pages", number + 1, 0)
            view = self.memory[place.offset : place.offset + 4 * pages].view("<i4")
            view[np.array(present, dtype=np.int64)] = resident
        for number, file in enumerate(plan.open_files):
            self._set("File", number + 1, f_mapping=max(file, 0) + 1, f_count=1)
            self._set("File", number + 1, ra_pages=plan.readahead_pages)

    def _flags(self, prot: int, shared: bool, advice: int = 0) -> int:
        constants = self.program.constants
        names = ["VM_MAYWRITE"]
        names += ["VM_READ"] * (prot & 1) + ["VM_WRITE"] * (prot >> 1 & 1)
        names += ["VM_EXEC"] * (prot >> 2 & 1) + ["VM_SHARED"] * shared
        names += {1: ["VM_RAND_READ"], 2: ["VM_SEQ_READ"]}.get(advice, [])
        return sum(constants[name] or 0 for name in names)

    def _mm(self, mm: int) -> None:
        plan = self.plan
        if self.program.structs["MM"].allocated:
            self.layout.set_allocated(self.memory, "MM", mm + 1, True)
        self._set("MM", mm + 1, users=plan.mm_users[mm], map_count=len(plan.mm_vmas[mm]))
        private = sorted(plan.mm_private.get(mm, ()))
        flags = self.program.constants["PTE_PRIVATE"] or 0
        for page in private:
            self._set("MM", mm + 1, page, pte_flags=flags)
            table = page // TABLE
            mapped = self.layout.get(self.memory, "MM", mm + 1, "page_table", table)
            self._set("MM", mm + 1, table, page_table=max(mapped, 1) + 1)
        for slot, vma in enumerate(plan.mm_vmas[mm]):
            self._vma(mm + 1, slot, vma)
            first = bisect_left(private, vma.start)
            copied = first < len(private) and private[first] < vma.start + vma.pages
            self._set("VMA", self._vmas, anon_vma=int(copied))

    def _vma(self, mm: int, slot: int, vma: PlanVma) -> None:
        self._vmas += 1
        number = self._vmas
        self.layout.set_allocated(self.memory, "VMA", number, True)
        self._set("VMA", number, vm_mm=mm, vm_start=vma.start, vm_end=vma.start + vma.pages)
        self._set("VMA", number, vm_file=vma.open_file + 1, vm_pgoff=vma.pgoff, vm_refcnt=1)
        self._set("VMA", number, vm_flags=self._flags(vma.prot | 1, vma.shared, vma.advice))
        self._set("VMA", number, map_pages=int(vma.open_file >= 0))
        self._set("MM", mm, slot, vmas=number)
        if vma.open_file >= 0:
            mapping = self.plan.open_files[vma.open_file] + 1
            first = self.layout.get(self.memory, "Mapping", mapping, "i_mmap")
            self._set("VMA", number, next_in_mapping=first)
            self._set("Mapping", mapping, i_mmap=number)
            count = self.layout.get(self.memory, "File", vma.open_file + 1, "f_count")
            self._set("File", vma.open_file + 1, f_count=count + 1)

    def _column(self, name: str, values: Any, struct: str = "ReplayOperation") -> None:
        """Write a field of all operations (or of another struct) at once."""
        first = self.layout.place(struct, name, 1, 0)
        count = self.layout.counts[struct]
        if count > 1:
            step = self.layout.place(struct, name, 2, 0).offset - first.offset
        else:
            step = first.width
        kind = np.dtype(f"<i{first.width}")
        view = np.ndarray(
            (len(values),),
            dtype=kind,
            buffer=self.memory.data,
            offset=first.offset,
            strides=(step,),
        )
        view[:] = values

    def _varied(self, times: Any) -> Any:
        """Recorded times, ns, as another run of the application might have them."""
        if self._random is None:
            return times
        factors = self._random.normal(1.0, VARIATION, len(times)).clip(0.5, 1.5)
        return (np.asarray(times) * factors).astype(np.int64).clip(0, 2**31 - 1)

    def _known_reads(self) -> None:
        """The times of reads, each operation's one after the other."""
        times = self.plan.known_times
        first = np.ones(len(times) + 1, dtype=np.int64)
        np.cumsum([len(known) for known in times], out=first[1:])
        first[1:] += 1
        flat = [read for known in times for read in known]
        following = np.arange(2, len(flat) + 2)
        following[first[1:] - 2] = 0
        self._column("index", [index for index, _ in flat], "ReplayRead")
        self._column("ns", self._varied([ns for _, ns in flat]), "ReplayRead")
        self._column("following", following, "ReplayRead")
        number = self.plan.operations["reads"]
        self._column("first_read", np.where(number > 0, first[number - 1], 0))

    def _operations(self) -> None:
        operations = self.plan.operations
        count = len(operations["kind"])
        following = np.arange(2, count + 2)
        for thread in self.plan.threads:
            if thread.count:
                following[thread.first + thread.count - 1] = 0
        flags = np.zeros(count, dtype=np.int64)
        for number in np.nonzero(np.isin(operations["kind"], [KINDS["mmap"], KINDS["mprotect"]]))[
            0
        ]:
            flags[number] = self._flags(
                int(operations["prot"][number]), bool(operations["shared"][number])
            )
        compute_ns = operations["compute_ns"] - round(self._fault_ns) * operations["unseen_faults"]
        self._column("compute_ns", self._varied(np.maximum(compute_ns, 0)))
        if self._reads_take_as_long:
            self._known_reads()
        self._column("needs", operations["needs"])
        for name in ("kind", "sleep_us", "address", "pages", "write", "advice"):
            self._column(name, operations[name])
        for name in ("new_address", "new_pages", "pgoff"):
            self._column(name, operations[name])
        self._column("vm_flags", flags)
        self._column("next_operation", following)
        self._column("file", operations["file"] + 1)
        self._column("child", operations["child"] + 1)
        self._column("child_task", operations["child"] + 1)
        self._column("child_mm", operations["child_mm"] + 1)


def kernel_number(plan: ReplayPlan) -> int:
    """The model's KERNEL_VERSION that is nearest to the recorded kernel (618 when unknown)."""
    parts = (plan.kernel_version or "6.18").split(".")
    try:
        major, minor = int(parts[0]), int(parts[1].split("-")[0])
    except (ValueError, IndexError):
        return 618
    number = major * 100 + minor
    return 612 if number < 615 else 618 if number < 700 else 700
