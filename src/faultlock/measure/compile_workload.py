# SPDX-License-Identifier: GPL-2.0-only
"""A workload as the words that driver/workload.h reads; both files must agree on their order.

What a real kernel cannot do under the driver is refused here, or listed in `notes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faultlock.errors import FaultlockError
from faultlock.units import PAGE_BYTES, format_time_ns
from faultlock.workload.check import resolve_mapping
from faultlock.workload.distribution import Distribution
from faultlock.workload.operations import OPERATIONS
from faultlock.workload.schema import File, Mapping, Operation, Threads, Workload

# The order of enum operation_kind in driver/workload.h.
KINDS = (
    "touch", "kernel_mode_fault", "anon_touch", "fork", "mmap_munmap", "mmap", "munmap", "mprotect",
    "madvise", "populate", "populate_read", "willneed", "mlock", "gup", "read_proc", "read_file",
    "truncate", "punch_hole", "kill", "sleep", "compute",
)  # fmt: skip
ACCESS_LETTERS = {"random": "r", "own": "o", "sequential": "s", "herd": "h", "zipf": "z"}
ADVICE_NUMBERS = {  # include/uapi/asm-generic/mman-common.h
    "normal": 0, "random": 1, "sequential": 2, "willneed": 3, "dontneed": 4, "free": 8,
    "cold": 20, "pageout": 21,
}  # fmt: skip
EXECUTABLE_NUMBERS = {"none": 0, "odd": 1, "all": 2}
TABLE_ENTRIES = 1024
MAX_DEVICES = 16
NO_TIME = "c 0 0"


@dataclass(frozen=True)
class Compiled:
    """words: the driver's input. notes: what differs from the workload file, one sentence each."""

    words: str
    notes: tuple[str, ...]


def distribution_words(distribution: Distribution) -> str:
    """The words by which the C programs read a distribution (driver/record.h)."""
    if distribution.kind == "constant":
        return f"c {distribution.low_ns} {distribution.high_ns}"
    if distribution.kind == "uniform":
        return f"u {distribution.low_ns} {distribution.high_ns}"
    steps = ((index + 0.5) / TABLE_ENTRIES for index in range(TABLE_ENTRIES))
    return _table(int(distribution.quantile_ns(step)) for step in steps)


def _table(values: Iterator[int]) -> str:
    listed = list(values)
    return f"t {len(listed)} {' '.join(map(str, listed))}"


def zipf_table(exponent: float, n: int) -> str:
    """Quantiles of the rank (0 .. n-1) of a Zipf distribution, by its continuous approximation."""
    power = 1.0 - exponent
    if abs(power) < 1e-9:
        ranks = ((n + 1.0) ** (i / TABLE_ENTRIES) for i in range(TABLE_ENTRIES + 1))
    else:
        span = (n + 1.0) ** power - 1.0
        ranks = (
            (1.0 + span * i / TABLE_ENTRIES) ** (1.0 / power) for i in range(TABLE_ENTRIES + 1)
        )
    return _table(min(max(int(rank) - 1, 0), n - 1) for rank in ranks)


def _word(text: str) -> str:
    """Texts become one word of the driver's input."""
    clean = "".join(c if c.isalnum() or c in "_-./:@" else "_" for c in text)[:60]
    return clean or "-"


class _Compiler:
    def __init__(self, workload: Workload, file_paths: dict[str, str] | None) -> None:
        self.workload = workload
        self.file_paths = file_paths
        self.notes: list[str] = []
        self.devices: list[str] = []
        self.first_file: dict[str, int] = {}
        self.used_actors: dict[str, str] = {}

    def compile(self) -> Compiled:
        workload = self.workload
        files = [line for file in workload.files for line in self._file(file)]
        mappings = [self._mapping(mapping) for mapping in workload.mappings]
        groups = [self._group(group) for group in workload.threads if group.count]
        cache = workload.page_cache
        in_guest = self.file_paths is None
        if not in_guest and (cache.limit_bytes or cache.high_bytes):
            self.notes.append("the page-cache limit is not set on the host")
        # A thread that still waits after this is said to hang: many I/Os of the slowest device.
        grace_ns = int(2e9 + 100 * workload.device.latency.mean_ns())
        lines = [
            "faultlock-driver-1",
            f"{workload.duration_ns} {grace_ns}",
            f"{cache.limit_bytes if in_guest else 0} {cache.high_bytes if in_guest else 0}",
            f"{len(workload.processes)} {' '.join(_word(name) for name in workload.processes)}",
            f"{len(self.devices)} {len(files)} {len(mappings)} {len(groups)}",
            *self.devices, *files, *mappings, *groups, "end",
        ]  # fmt: skip
        return Compiled("\n".join(lines) + "\n", tuple(dict.fromkeys(self.notes)))

    def _device(self, pages: int, latency: Distribution) -> int:
        device = self.workload.device
        latency_ns = round(latency.mean_ns())
        if latency.kind != "constant":
            self.notes.append(
                f"null_blk has one latency: {latency} became its mean, {format_time_ns(latency_ns)}"
            )
        if device.error_rate:
            self.notes.append("null_blk gives no read errors: error_rate was left out")
        mebibytes = -(-pages * PAGE_BYTES >> 20)
        self.devices.append(
            f"{latency_ns} {device.queue_depth} {device.submit_queues} "
            f"{device.bandwidth_bytes_per_s // 1_000_000} {max(mebibytes, 1)}"
        )
        return len(self.devices) - 1

    def _file(self, file: File) -> list[str]:
        """One line per instance; a file with many instances shares one device."""
        if file.server:
            raise FaultlockError(
                f"{self.workload.name}: file {file.name!r} is served by threads of the workload; "
                "only the simulator can do that (see `faultlock reproduce`)"
            )
        if file.sparse and self.file_paths is None:
            self.notes.append("files of a guest are not sparse: holes became reads of the device")
        if file.large_folios:
            self.notes.append("large_folios was left out: the measured file system decides")
        self.first_file[file.name] = sum(
            other.count for other in self.workload.files[: self.workload.files.index(file)]
        )
        cached = round(file.cached * 1e6)
        if self.file_paths is not None:
            base = self.file_paths[file.name]
            names = [base] if file.count == 1 else [f"{base}.{i}" for i in range(file.count)]
            return [f"{name} 0 0 {file.pages} {cached}" for name in names]
        latency = file.latency or self.workload.device.latency
        if len(self.devices) + file.count <= MAX_DEVICES:
            numbers = [self._device(file.pages, latency) for _ in range(file.count)]
            return [f"@{number} 1 0 {file.pages} {cached}" for number in numbers]
        number = self._device(file.pages * file.count, latency)
        self.notes.append(
            f"the {file.count} files {file.name!r} are parts of one device: one invalidate_lock, "
            "one queue"
        )
        return [f"@{number} 1 {i * file.pages} {file.pages} {cached}" for i in range(file.count)]

    def _mapping(self, mapping: Mapping) -> str:
        workload = self.workload
        n_files = workload.file(mapping.file).count if mapping.file else 0
        values = (
            workload.processes.index(mapping.process), mapping.count,
            self.first_file.get(mapping.file, 0), n_files,
            workload.vma_pages(mapping), mapping.offset_bytes // PAGE_BYTES,
            mapping.sharing == "shared", mapping.writable, EXECUTABLE_NUMBERS[mapping.executable],
            ADVICE_NUMBERS[mapping.advice], mapping.open_files == "each",
            -(-mapping.written_bytes // PAGE_BYTES), mapping.at_start,
        )  # fmt: skip
        return " ".join(str(int(value)) for value in values)

    def _actor(self, actor: str, process: str) -> str:
        """Actors are reported per process; a name used in two gets the process in front."""
        owner = self.used_actors.setdefault(actor, process)
        return _word(actor if owner == process else f"{process}:{actor}")

    def _group(self, group: Threads) -> str:
        head = (
            f"{self.workload.processes.index(group.process)} {group.count} {group.rounds} "
            f"{self._actor(group.round_actor, group.process) if group.round_actor else '-'} "
            f"{distribution_words(group.start_after)} {len(group.loop)}"
        )
        return "\n".join([head, *(self._operation(group, operation) for operation in group.loop)])

    def _operation(self, group: Threads, operation: Operation) -> str:
        workload = self.workload
        where = f"{workload.name}: threads {group.name!r}: {operation.op}"
        if not OPERATIONS[operation.op].real:
            raise FaultlockError(
                f"{where}: the driver cannot do this on a real kernel, only the simulator can"
            )
        mapping = resolve_mapping(workload, group, operation)
        number = workload.mappings.index(mapping) if mapping else 0
        zipf = NO_TIME
        if operation.access == "zipf" and mapping:
            zipf = zipf_table(operation.zipf_exponent, mapping.count * workload.vma_pages(mapping))
        if operation.op == "gup" and (operation.gup == "nowait" or operation.target):
            raise FaultlockError(
                f"{where}: the driver can do neither nowait nor another process's pages"
            )
        values = (
            KINDS.index(operation.op), self._actor(operation.actor, group.process),
            int(operation.timed), number, ACCESS_LETTERS[operation.access], int(operation.write),
            operation.which[0], ADVICE_NUMBERS[operation.advice], self._target(operation),
            int(operation.gup == "locked"),
            self.first_file.get(operation.file, 0), operation.pages, operation.repeat,
            operation.proc_file, distribution_words(operation.think),
            distribution_words(operation.time), zipf,
        )  # fmt: skip
        return " ".join(map(str, values))

    def _target(self, operation: Operation) -> int:
        """The number of the process an operation is aimed at, -1 for the own one."""
        if not operation.target:
            return -1
        owners = {group.name: group.process for group in self.workload.threads}
        process = owners[operation.target] if operation.op == "kill" else operation.target
        return self.workload.processes.index(process)


def compile_workload(workload: Workload, file_paths: dict[str, str] | None = None) -> Compiled:
    """The driver's input for `workload`.

    file_paths: None in a guest (null_blk devices are made); on a host the path of each file by its
    name (instances of a file with count > 1 have .0, .1 ... appended).
    Raises FaultlockError for what the driver cannot do.
    """
    return _Compiler(workload, file_paths).compile()
