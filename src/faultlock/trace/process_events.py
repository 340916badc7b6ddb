# SPDX-License-Identifier: GPL-2.0-only
"""Threads, processes and system calls: who exists, in which address space, what it maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from faultlock.trace.address_space import MAP_ANONYMOUS, MAP_SHARED, PAGE, AddressSpace, OpenFile
from faultlock.trace.events import EVENTS
from faultlock.trace.recording import EXIT, Operation
from faultlock.trace.thread_state import ThreadState
from faultlock.trace.world import World

CLONE_VM, CLONE_THREAD = 0x100, 0x10000
_ADDRESS_SPACE = 1 << 47  # bytes, of a process on x86-64


class ProcessEvents:
    """Handlers of the sched, task, mmap_lock and system-call events."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.handlers: dict[str, Callable[..., None]] = {
            "sched_process_exec": self._exec,
            "sched_process_exit": self._exit,
            "task_newtask": self._new_task,
            "vma_snapshot": self._snapshot,
            "mmap_lock_start_locking": self._lock_start,
            "mmap_lock_acquire_returned": self._lock_acquired,
            "mmap_lock_released": self._lock_released,
        }
        for event in EVENTS:
            if event.startswith("sys_enter_"):
                self.handlers[event] = partial(self._enter, event[10:])
            elif event.startswith("sys_exit_"):
                self.handlers[event] = partial(self._leave, event[9:])

    def _lock_start(self, thread: ThreadState, pointer: int, write: bool) -> None:
        self._mmap_lock(thread, "start", pointer, write)

    def _lock_acquired(self, thread: ThreadState, pointer: int, write: bool, success: bool) -> None:
        self._mmap_lock(thread, "acquired", pointer, write)

    def _lock_released(self, thread: ThreadState, pointer: int, write: bool) -> None:
        self._mmap_lock(thread, "released", pointer, write)

    def switch(self, row: tuple[Any, ...]) -> None:
        """sched_switch concerns two threads, both of which may be strangers."""
        now_ns, cpu, _, _, _, prev_tid, prev_state, next_tid, _ = row
        use, threads = self._world.cpu_use, self._world.threads
        use.switch(cpu, now_ns, prev_tid in threads, next_tid, next_tid in threads)
        previous = threads.get(prev_tid)
        if previous is not None:
            if prev_state[:1] in "XZ":
                self._world.finish_fault(previous)
            fault = previous.fault
            previous.switch_out(now_ns, prev_state, cpu, use.taken_ns(cpu, now_ns))
            if fault is not None and previous.fault is None:
                self._world.resolve(previous, fault)
        following = threads.get(next_tid)
        if following is not None:
            following.switch_in(now_ns, use.taken_ns(following.off_cpu, now_ns))
        elif next_tid in self._world.recording.header.root_tids:
            self._world.thread(next_tid, None, None).seen(now_ns)

    def _new_task(self, parent: ThreadState, child_tid: int, flags: int) -> None:
        space = self._world.spaces[parent.mm]
        if flags & CLONE_VM:
            mm = parent.mm
        else:
            child_space = self._world.new_space("fork", parent.mm)
            space.fork_into(child_space, self._world.now_ns)
            mm = child_space.number
        parent_record = self._world.recording.threads[parent.number]
        process = parent_record.process if flags & 0x10000 else child_tid
        self._world.mm_of_process[process] = mm
        self._world.threads.pop(child_tid, None)
        child = self._world.add_thread(child_tid, process, parent_record.name, mm)
        record = self._world.recording.threads[child.number]
        record.parent, record.start_ns, record.clone_flags = (
            parent.number,
            self._world.now_ns,
            flags,
        )
        child.switch_out(self._world.now_ns, "R")
        if parent.call is not None:
            parent.call.child = child.number
            parent.call.flags = flags

    def _exec(self, thread: ThreadState, filename: str | None) -> None:
        self._world.finish_fault(thread)
        if not self._recently_execed(thread):
            self._exec_mm(thread)
        thread.exec_pending, thread.exec_mm_pointer = False, None
        thread.mark("exec", self._world.now_ns)
        self._world.recording.mms[thread.mm].program = filename or ""

    def _recently_execed(self, thread: ThreadState) -> bool:
        mm = self._world.recording.mms[thread.mm]
        return mm.origin == "exec" and not mm.program and thread.exec_pending

    def _exec_mm(self, thread: ThreadState) -> None:
        """The thread's process has a new, empty address space."""
        space = self._world.new_space("exec", thread.mm)
        space.pointer = thread.exec_mm_pointer
        thread.mm = space.number
        record = self._world.recording.threads[thread.number]
        record.mm = space.number
        self._world.mm_of_process[record.process] = space.number
        self._world.open_files.process_execs(record.process)

    def _exit(self, thread: ThreadState, group_dead: bool | None) -> None:
        self._world.finish_fault(thread)
        thread.call, thread.call_name = None, ""
        thread.mark(EXIT, self._world.now_ns)
        self._world.recording.threads[thread.number].end_ns = self._world.now_ns

    def _mmap_lock(self, thread: ThreadState, step: str, pointer: int, write: bool) -> None:
        space = self._world.spaces[thread.mm]
        if thread.exec_pending and space.pointer not in (None, pointer):
            thread.exec_mm_pointer = pointer
        fault = thread.fault
        if thread.exec_pending and fault is not None and fault.kernel:
            if pointer == thread.exec_mm_pointer and not self._recently_execed(thread):
                self._exec_mm(thread)
                fault.mm = thread.mm
        elif (thread.call is not None and space.pointer is None) or (
            fault is not None and fault.address and space.pointer is None
        ):
            space.pointer = pointer
        if write and fault is not None:
            self._world.finish_fault(thread)
        self._world.event_cost.lock_event(thread.number, self._world.now_ns, step)
        thread.lock_event(self._world.now_ns, step, write)

    def _enter(self, name: str, thread: ThreadState, *arguments: int) -> None:
        self._world.finish_fault(thread)
        if name.startswith("exec"):
            thread.exec_pending, thread.exec_mm_pointer = True, None
            return
        if name.startswith("exit"):
            return
        call = thread.begin_call(name, self._world.now_ns)
        values = dict(zip(EVENTS[f"sys_enter_{name}"], arguments, strict=True))
        call.address = values.get("address", 0)
        call.length = values.get("length", 0)
        call.prot = values.get("prot", 0)
        call.flags = values.get("flags", values.get("advice", 0))
        thread.arguments = values

    def _leave(self, name: str, thread: ThreadState, result: int) -> None:
        self._world.finish_fault(thread)
        if name.startswith("exec"):
            thread.exec_pending = False
            return
        call = thread.end_call(self._world.now_ns, result)
        if call is None or call.kind != name or -4096 < result < 0:
            return
        if max(call.length, thread.arguments.get("new_length", 0)) >= _ADDRESS_SPACE:
            call.length = 0  # the line is damaged: such a call fails
            return
        values = thread.arguments
        now_ns = self._world.now_ns
        result &= (1 << 64) - 1  # an address
        space = self._world.spaces[thread.mm]
        if name == "mmap":
            self._mmap(thread, space, call, result, values)
        elif name == "munmap":
            end = call.address + -(-call.length // PAGE) * PAGE
            space.remove(now_ns, call.address, end)
        elif name == "mprotect":
            space.protect(now_ns, call.address, call.length, call.prot)
        elif name == "madvise":
            space.advise(now_ns, call.address, call.length, call.flags)
        elif name == "mremap":
            call.new_address, call.new_length = result, values["new_length"]
            space.move(
                now_ns,
                call.address,
                call.length,
                result,
                values["new_length"],
                call.flags,
            )
        elif name == "brk":
            call.address, call.new_address = space.brk or result, result
            space.set_brk(now_ns, result)

    def _mmap(
        self,
        thread: ThreadState,
        space: AddressSpace,
        call: Operation,
        result: int,
        values: dict[str, int],
    ) -> None:
        process = self._world.recording.threads[thread.number].process
        end = result + -(-call.length // PAGE) * PAGE
        open_file: OpenFile | None = None
        if not call.flags & MAP_ANONYMOUS and values["fd"] >= 0:
            open_file = self._world.open_files.mapped(
                process, values["fd"], result, end, space.find(result), call.flags
            )
        if open_file is not None and call.file >= 0:
            self._world.open_files.identify(open_file, call.file)
        vma = space.add(
            self._world.now_ns,
            result,
            end,
            prot=call.prot,
            shared=bool(call.flags & MAP_SHARED),
            offset=values["offset"] if open_file else 0,
            open_file=open_file,
        )
        call.vma, call.open_file, call.address = (
            vma.number,
            open_file.number if open_file else -1,
            result,
        )

    def _snapshot(
        self,
        thread: ThreadState,
        address: int,
        length: int,
        prot: int,
        flags: int,
        offset: int,
        dev: int,
        ino: int,
        filename: str | None,
    ) -> None:
        space = self._world.spaces[thread.mm]
        open_file = None
        if ino:
            # The file may be shorter than the mapping, by less than a page as a rule.
            file = self._world.file(dev, ino, (offset + length) // PAGE - 1)
            self._world.recording.files[file].path = filename or ""
            open_file = self._world.open_files.loaded(space.number, file)
        space.add(
            self._world.now_ns,
            address,
            address + length,
            prot=prot,
            shared=bool(flags & MAP_SHARED),
            offset=offset,
            open_file=open_file,
        )
