# SPDX-License-Identifier: GPL-2.0-only
"""From a workload to the first state of the compiled kernel: parameters, memory, threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.lang.layout import Layout
from faultlock.lang.program import Program
from faultlock.sim.memory_plan import PlannedVma, Process, Region, plan_memory
from faultlock.sim.parameters import (
    ADVICE,
    KINDS,
    PAGE_BYTES,
    PROC_FILES,
    expanded,
    kernel_roles,
    memcg_kernel_pages,
    ops_of,
    parameters_of,
)
from faultlock.sim.start import threads_of_last_turn
from faultlock.sim.user_memory import add_heaps, fill_tlb
from faultlock.workload.operations import OPERATIONS, default_actor
from faultlock.workload.schema import Operation, Workload


@dataclass
class SimulatedOperation:
    """An operation of one thread as the engine sees it."""

    actor: str  # empty: not timed
    think: int  # rows of the table of distributions
    time: int
    zipf: float


@dataclass
class Prepared:
    """A state ready to run, and what its numbers mean."""

    layout: Layout
    memory: Any
    roles: list[str]  # of each thread
    names: list[str]
    operations: list[SimulatedOperation]
    actors: list[str]
    interrupt: int  # its thread number


class Builder:
    """Fills one state."""

    def __init__(self, program: Program, workload: Workload, cpus: int) -> None:
        self.program, self.workload = program, workload
        self.plan = plan_memory(workload, cpus)
        self.threads = expanded(workload)
        self.forking = [
            number
            for number, (group, _, _) in enumerate(self.threads)
            if any(operation.op == "fork" for operation in group.loop)
        ]
        self.workers = int(any("vcpu" in ops_of(group) for group, _, _ in self.threads))
        self.kernel = kernel_roles(workload, self.plan)
        total = len(self.threads) + len(self.forking) + self.workers + len(self.kernel)
        n_operations = sum(len(group.loop) for group, _, _ in self.threads)
        known = {
            name: value
            for name, value in parameters_of(workload, self.plan, total, n_operations).items()
            if name in program.parameters
        }
        self.tlb_slots = known.get("TLB_SLOTS_MIN", 1)
        self.layout = Layout(program, known, "simulate")
        self.memory: Any = None
        self.distributions: dict[Any, int] = {}
        self.operations: list[SimulatedOperation] = []
        self.actors: list[str] = []
        self.vma_count = 0
        self.vcpus = 0
        self.heaps = 0

    def set(self, struct: str, instance: int, field: str, value: int, element: int = 0) -> None:
        if field in self.program.structs[struct].fields:
            self.layout.set(self.memory, struct, instance, field, value, element)

    def constant(self, name: str) -> int:
        value = self.program.constants.get(name)
        if value is None:
            raise FaultlockError(f"{self.program.name}: the model has no constant {name}")
        return value

    def flags(self, vma: PlannedVma) -> int:
        names = ["VM_MAYWRITE"] if vma.no_access else ["VM_READ", "VM_MAYWRITE"]
        names += ["VM_WRITE"] * vma.write + ["VM_EXEC"] * vma.execute + ["VM_SHARED"] * vma.shared
        names += {"random": ["VM_RAND_READ"], "sequential": ["VM_SEQ_READ"]}.get(vma.advice, [])
        return sum(self.constant(name) for name in names)

    def add_vma(self, mm: int, slot: int, vma: PlannedVma) -> None:
        self.vma_count += 1
        number = self.vma_count
        self.layout.set_allocated(self.memory, "VMA", number, True)
        for field, value in (
            ("vm_mm", mm),
            ("vm_start", vma.start),
            ("vm_end", vma.start + vma.pages),
            ("vm_file", vma.file),
            ("vm_pgoff", vma.offset),
            ("vm_flags", self.flags(vma)),
            ("anon_vma", int(vma.written > 0)),
            ("map_pages", int(vma.file > 0)),
            ("vm_refcnt", 1),
        ):
            self.set("VMA", number, field, value)
        self.set("MM", mm, "vmas", number, slot)
        written = self.constant("PTE_PRIVATE") | self.constant("PTE_WRITE")
        for page in range(vma.written):
            self.add_private(mm, vma.start + vma.written_at + page, written)
        if vma.file:
            cache = self.plan.files[vma.file - 1].mapping
            first = self.layout.get(self.memory, "Mapping", cache, "i_mmap")
            self.set("VMA", number, "next_in_mapping", first)
            self.set("Mapping", cache, "i_mmap", number)
            count = self.layout.get(self.memory, "File", vma.file, "f_count")
            self.set("File", vma.file, "f_count", count + 1)

    def add_private(self, mm: int, address: int, flags: int) -> None:
        self.set("MM", mm, "pte_flags", flags | self.constant("PTE_ACCESSED"), address)
        table = address // self.constant("PTRS_PER_PTE")
        present = self.layout.get(self.memory, "MM", mm, "page_table", table)
        self.set("MM", mm, "page_table", max(present, 1) + 1, table)

    def add_files(self) -> None:
        resident = self.layout.counts["Folio"] + 1
        self.set("page_cache", 1, "resident", resident)
        self.set("mem_cgroup", 1, "memory", memcg_kernel_pages(self.workload, self.plan))
        self.set("page_cache", 1, "shadow", resident + 1)
        self.set("page_cache", 1, "shadow_workingset", resident + 2)
        served = {self.plan.first_cache[f.name] for f in self.workload.files if f.server}
        files = [file for file in self.workload.files for _ in range(file.count)]
        for number, (pages, cached) in enumerate(self.plan.caches, start=1):
            if self.program.structs["Mapping"].allocated:
                self.layout.set_allocated(self.memory, "Mapping", number, True)
            self.set("Mapping", number, "i_size", pages)
            self.set("Mapping", number, "uses_invalidate_lock", 1)
            self.set("Mapping", number, "served", int(number in served))
            self.set("Mapping", number, "sparse", int(files[number - 1].sparse))
            self.set("Mapping", number, "max_order", files[number - 1].max_order)
            if cached > 0:
                self.fill_cache(number, pages, cached, resident)
        for number, file in enumerate(self.plan.files, start=1):
            self.set("File", number, "f_mapping", file.mapping)
            self.set("File", number, "ra_pages", self.workload.kernel.readahead_pages)
            self.set("File", number, "f_count", 1)

    def fill_cache(self, mapping: int, pages: int, share: float, resident: int) -> None:
        """Mark the first `share` of a file's pages resident (as one block: fast and sparse)."""
        place = self.layout.place("Mapping", "pages", mapping, 0)
        end = place.offset + 4 * round(pages * share)
        self.memory[place.offset : end].view("<i4")[:] = resident

    def add_process(self, mm: int, process: Process) -> None:
        self.set("MM", mm, "mmap_base", process.mmap_base)
        vmas = sorted(process.vmas, key=lambda vma: vma.start)
        for slot, vma in enumerate(vmas):
            self.add_vma(mm, slot, vma)
        self.set("MM", mm, "map_count", len(vmas))
        self.heaps += add_heaps(self.set, self.layout.counts, mm, process, self.heaps + 1)

    def distribution(self, value: Any) -> int:
        """The row of a distribution in the engine's table (0 is the device's)."""
        return self.distributions.setdefault(value, len(self.distributions) + 1)

    def actor(self, operation: Operation) -> str:
        if not operation.timed:
            return ""
        name = operation.actor or default_actor(operation.op, operation.proc_file)
        if name not in self.actors:
            self.actors.append(name)
        return name

    def add_operation(self, number: int, thread: int, index: int, operation: Operation) -> None:
        group, own, _ = self.threads[thread]
        process = self.plan.processes[group.process]
        kind = KINDS.get(operation.op)
        if kind is None:
            raise FaultlockError(
                f"{self.workload.name}: threads {group.name!r}: the simulator cannot do "
                f"{operation.op!r} yet (it can do {', '.join(sorted(KINDS))})"
            )
        default = OPERATIONS[operation.op].size_bytes // PAGE_BYTES
        size = operation.pages or default
        names = list(process.regions)
        region = process.regions.get(operation.mapping or (names[0] if names else ""))
        fields = {
            "kind": self.constant(f"OPERATION_{kind}"),
            "number": number - 1,
            "next_operation": number + 1 if index + 1 < len(group.loop) else 0,
            "repeat": operation.repeat,
            "access": self.constant(f"ACCESS_{operation.access.upper()}"),
            "write": int(operation.write),
            "size": size,
            "has_think": int(not operation.think.is_zero),
            "what": self.what(operation),
            "target": self.process_number(operation.target or group.process),
        }
        if operation.op == "anon_touch":
            fields["start"] = process.anonymous[own, index]
        elif region is not None:
            fields.update(
                start=region.start,
                vma_pages=region.pages,
                vma_stride=region.stride,
                vma_count=region.count,
                size=size or region.pages,
            )
        fields.update(self.memory_fields(thread, operation, region))
        for field, value in fields.items():
            self.set("Operation", number, field, value)
        self.operations.append(
            SimulatedOperation(
                self.actor(operation),
                self.distribution(operation.think),
                self.distribution(operation.time),
                operation.zipf_exponent,
            )
        )

    def memory_fields(
        self, thread: int, operation: Operation, region: Region | None
    ) -> dict[str, int]:
        """What the operations of kernel/roles_memory.py need besides."""
        group, own, _ = self.threads[thread]
        if operation.op in ("mmap", "munmap") and region is not None:
            if operation.which != "own":
                raise FaultlockError(
                    f"{self.workload.name}: threads {group.name!r}: the simulator can do "
                    f'{operation.op!r} only with which = "own"'
                )
            vma = region.vmas[own % region.count]
            return {
                "start": vma.start,
                "map_file": vma.file,
                "map_pgoff": vma.offset,
                "map_flags": self.flags(vma),
            }
        if operation.op == "vcpu":
            self.vcpus += 1
            self.set("VCPU", self.vcpus, "can_inject", int(operation.async_page_fault))
            return {"vcpu": self.vcpus}
        if operation.op == "fuse_receive":
            served = [file.name for file in self.workload.files if file.server == group.name]
            return {"serves": self.plan.first_cache[served[0]]} if served else {}
        return {}

    def what(self, operation: Operation) -> int:
        """What an operation is about: the advice, or the file of /proc."""
        if operation.op == "willneed":
            return ADVICE["willneed"]
        if operation.op == "read_proc":
            return PROC_FILES.get(operation.proc_file, 0)
        return ADVICE.get(operation.advice, 0)

    def process_number(self, name: str) -> int:
        return list(self.plan.processes).index(name) + 1 if name in self.plan.processes else 1

    def add_thread(self, number: int, first_operation: int, child: int) -> None:
        """Thread `number` (1-based) with its operations from `first_operation` on."""
        group, own, _ = self.threads[number - 1]
        process = self.plan.processes[group.process]
        mm = self.process_number(group.process)
        self.set("Thread", number, "mm", mm)
        self.set("MM", mm, "users", self.layout.get(self.memory, "MM", mm, "users") + 1)
        fields = {
            "number": own,
            "first_operation": first_operation,
            "rounds": group.rounds,
            "stack": process.stacks[own] if process.stacks else -1,
            "malloc": mm,
            "begins": int(number > len(self.threads) - threads_of_last_turn(len(self.threads))),
            "shared_data": process.shared_data,
            "shared_stack": process.shared_stack,
            "thread_count": len(process.stacks),
            "child": child,
        }
        for field, value in fields.items():
            self.set("Task", number, field, value)

    def build(self) -> Prepared:
        """Everything in place; threads stand at the entries of their roles."""
        program, layout = self.program, self.layout
        count = len(self.threads)
        roles = [
            "fuse_server" if "fuse_receive" in ops_of(group) else "workload_thread"
            for group, _, _ in self.threads
        ]
        roles += ["child"] * len(self.forking) + ["workqueue_thread"] * self.workers
        roles += self.kernel.values()
        self.memory = layout.new_state([program.roles[role] for role in roles])
        self.add_files()
        for mm, process in enumerate(self.plan.processes.values(), start=1):
            self.add_process(mm, process)
        names = []
        rounds = self.add_rounds()
        operation = 0
        for number, (group, _, index) in enumerate(self.threads, start=1):
            first = operation + 1
            for position, item in enumerate(group.loop):
                operation += 1
                self.add_operation(operation, number - 1, position, item)
            child = 0
            if number - 1 in self.forking:
                child = count + self.forking.index(number - 1) + 1
                self.set("Task", child, "thread_count", 0)
            self.add_thread(number, first, child)
            self.set("Task", number, "round_number", rounds.get(group.round_actor, -1))
            name = group.name or group.loop[0].op
            names.append(f"{name}-{index + 1}" if group.count > 1 else name)
        processes = list(self.plan.processes.values())
        fill_tlb(self.set, self.program.constants, self.tlb_slots, processes)
        for position, parent in enumerate(self.forking):
            child = count + position + 1
            self.copy_counts(parent + 1, child)
            mapping = self.plan.first_mapping(self.threads[parent][0].process)
            self.set("Task", child, "exit_mapping", mapping)
            names.append(f"child of {names[parent]}")
        for name in rounds:
            if name not in self.actors:
                self.actors.append(name)
            self.operations.append(SimulatedOperation(name, 0, 0, 0.0))
        names += ["workqueue"] * self.workers + list(self.kernel)
        return Prepared(layout, self.memory, roles, names, self.operations, self.actors, len(roles))

    def add_rounds(self) -> dict[str, int]:
        """Number of each name under which whole passes of a loop appear (behind the operations)."""
        found: dict[str, int] = {}
        first = sum(len(group.loop) for group, _, _ in self.threads)
        for group, _, _ in self.threads:
            if group.round_actor:
                found.setdefault(group.round_actor, first + len(found))
        return found

    def copy_counts(self, parent: int, child: int) -> None:
        """The child's costs depend on the parent's process; child_exits needs the parent."""
        for field in ("malloc", "thread_count"):
            value = self.layout.get(self.memory, "Task", parent, field)
            self.set("Task", child, field, value)
        self.set("Task", child, "parent_task", parent)
        self.set("Task", child, "parent_mm", self.layout.get(self.memory, "Thread", parent, "mm"))
