# SPDX-License-Identifier: GPL-2.0-only
"""Native code of a Program: compiled with llvmlite, kept on disk by content.

step(u8* S, i32 thread, i64 choice, i64* out) -> i32
    thread: 1-based.  choice: NO_CHOICE (INT64_MIN) when the caller has none.
    0 blocked: state unchanged; out[1] = label, out[2] = struct id and out[3] = reference of
      what is waited for (0: not said)
    1 ran
    2 needs a choice: out[1] <= choice < out[2], out[3] = index into choice_names
    3 the thread has finished
    4 assertion failed: out[1] = number; the state is left where the step stood
    5 model error (null dereference, range, index, loop, free): out[1] = number
    6 cpu (simulate): out[1] = index into cost_names, out[2] = amount; the step is done
    7 sleep (simulate): out[1] = microseconds; the step is done
    Label of the step (simulate): out[6]; of `run`, that of the last one.
    Records (simulate): out[0] = how many, each 4 words from out[8]: event, a, b, c; event -1:
    a field that a wait condition of thread a reads was written.  The caller sets out[0] = 0.
run(u8* S, i32 thread, i64* out, i64 fuel) -> i32
    steps until a code other than 1, a record, or `fuel` steps; out[4] = steps done
address(NAME): i64 f(u8* S, i32 thread, i64...): an atomic function; a failure returns
    INT64_MIN + 8 * number + code (4 or 5), which no property does
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError, atomic_write
from faultlock.lang import program as ir
from faultlock.lang.cache import cache_folder
from faultlock.lang.layout import Layout
from faultlock.lang.llvm_ir import llvm_text
from faultlock.lang.llvm_module import NO_CHOICE, OUT_WORDS

BLOCKED, RAN, CHOICE, FINISHED, FAILED, ERROR, CPU, SLEEP = range(8)

__all__ = [
    "BLOCKED", "CHOICE", "CPU", "ERROR", "FAILED", "FINISHED", "NO_CHOICE", "OUT_WORDS", "RAN",
    "SLEEP", "ModelFailure", "NativeProgram", "compile_native", "failure_text",
]  # fmt: skip


class ModelFailure(FaultlockError):
    """An assertion or a model error inside an atomic function that was called directly."""


class NativeProgram:
    """The functions of a compiled program; addresses stay valid while this object lives."""

    def __init__(self, program: ir.Program, layout: Layout, machine_code: bytes) -> None:
        self.program = program
        self.layout = layout
        self.mode = layout.mode
        self._engine = load_object(machine_code)
        self.step_address = self._address("step")
        self.run_address = self._address("run")
        pointer, word = ctypes.c_void_p, ctypes.c_int64
        step_type = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, ctypes.c_int32, word, pointer)
        run_type = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, ctypes.c_int32, pointer, word)
        self._step = step_type(self.step_address)
        self._run = run_type(self.run_address)

    def _address(self, symbol: str) -> int:
        address: int = self._engine.get_function_address(symbol)
        if not address:
            raise KeyError(symbol)
        return address

    def address(self, name: str) -> int:
        """Address of an atomic function: i64 f(u8* S, i32 thread, i64...)."""
        if name not in self.program.atomics:
            raise KeyError(f"{name} is not an atomic function of this program")
        return self._address(f"call.{name}")

    def new_out(self) -> Any:
        """A zeroed int64 array for `step` and `run`."""
        import numpy

        return numpy.zeros(OUT_WORDS, dtype=numpy.int64)

    def step(self, state: Any, thread: int, out: Any, choice: int = NO_CHOICE) -> int:
        """One step of one thread (see the module's docstring); for tests and tools."""
        code: int = self._step(state.ctypes.data, thread, choice, out.ctypes.data)
        return code

    def run(self, state: Any, thread: int, out: Any, fuel: int) -> int:
        """Up to `fuel` steps of one thread."""
        code: int = self._run(state.ctypes.data, thread, out.ctypes.data, fuel)
        return code

    def call(self, name: str, state: Any, thread: int, *arguments: int) -> int:
        """Call an atomic function.  Raises ModelFailure when it fails an assertion or a check."""
        function = self.program.atomics[name]
        if len(arguments) != len(function.parameters):
            raise TypeError(f"{name} takes {len(function.parameters)} arguments")
        words = [ctypes.c_int64] * len(arguments)
        type_ = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int32, *words)
        value: int = type_(self.address(name))(state.ctypes.data, thread, *arguments)
        number, code = divmod(value - NO_CHOICE, 8)
        if code in (FAILED, ERROR) and number < 1 << 32:
            raise ModelFailure(failure_text(self.program, code, number))
        return value

    def new_state(self, entries: list[int] | None = None) -> Any:
        """The initial state: threads at their entries, then the setup function."""
        state = self.layout.new_state(entries)
        if self.program.setup is not None:
            self.call(self.program.setup, state, 1)
        return state


def failure_text(program: ir.Program, code: int, number: int) -> str:
    """One line about an assertion (code 4) or a model error (code 5)."""
    table: Sequence[ir.Assertion | ir.ModelError]
    table = program.assertions if code == FAILED else program.errors
    if not 1 <= number <= len(table):
        return f"model error {number}"
    entry = table[number - 1]
    if isinstance(entry, ir.Assertion):
        return f"{entry.file}:{entry.line}: assertion failed: {entry.property} {entry.text}"
    return f"{entry.file}:{entry.line}: {entry.kind}: {entry.text}"


def compile_native(
    program: ir.Program,
    mode: str = "check",
    layout: Layout | None = None,
    checks: bool = True,
    effort: str = "quick",
) -> NativeProgram:
    """Native code of a program, from the cache when it was compiled before.

    mode: "check" (parameters are constants) or "simulate" (one code for all parameter values;
    `layout` says the values of this state).
    checks: report model errors as code 5 (they cost 10 to 20 % of the bare steps' speed; without
    them a wrong model may write anywhere).
    effort: "quick" compiles 1,000 steps in 0.4 s, without LLVM's optimiser (some passes of it
    cost a third more time and gained nothing measurable); "good" needs 1.5 s, with another code
    generator, for code that is 1.3 to 1.7 times as fast; "best" 3.5 s, with the optimiser too, for
    1.5 to 2 times.  Better code that is in the cache is always used.
    """
    if layout is None:
        layout = Layout(program, mode=mode)
    elif layout.mode != mode:
        raise ValueError(f"the layout is for mode {layout.mode!r}, not {mode!r}")
    text = "" if program.digest else llvm_text(program, layout, checks)
    # A program that came from model files has a digest of them and of this compiler: from the
    # cache its code is ready without printing the module first.
    values = sorted(layout.parameters.items()) if mode == "check" else []
    key = text or f"{program.digest} {mode} {checks} {values}"
    paths = {each: cache_folder() / f"{digest(f'{each} {key}')}.o" for each in EFFORTS}
    efforts = list(EFFORTS)
    for each in reversed(efforts[efforts.index(effort) :]):
        kept = kept_code(paths[each])
        if kept is not None:
            return NativeProgram(program, layout, kept)
    machine_code = compile_text(text or llvm_text(program, layout, checks), effort)
    save(paths[effort], machine_code)
    return NativeProgram(program, layout, machine_code)


def digest(text: str) -> str:
    """The name of the object code of a module on this machine."""
    import llvmlite
    import llvmlite.binding as llvm

    host = f"{llvmlite.__version__} {llvm.get_host_cpu_name()}"
    return hashlib.sha256(f"{host}\n{text}".encode()).hexdigest()[:40]


def kept_code(path: Path) -> bytes | None:
    """Object code from the cache; None when there is none or the file is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    check, machine_code = content[:CHECK_BYTES], content[CHECK_BYTES:]
    return machine_code if check == hashlib.sha256(machine_code).digest() else None


def save(path: Path, machine_code: bytes) -> None:
    """Keep object code behind its digest; a cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "wb") as stream:
            stream.write(hashlib.sha256(machine_code).digest() + machine_code)
    except (OSError, FaultlockError):
        return


CHECK_BYTES = hashlib.sha256().digest_size
# from the quickest to the best; the level of LLVM's code generator, where 0 is FastISel
EFFORTS = {"quick": 0, "good": 1, "best": 1}


def target_machine(level: int) -> Any:
    """Code for this machine's processor, for use from memory."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), opt=level, jit=True, codemodel="jitdefault"
    )


def compile_text(text: str, effort: str) -> bytes:
    """Object code of an LLVM module.  effort: see compile_native."""
    import llvmlite.binding as llvm

    machine = target_machine(EFFORTS[effort])
    module = llvm.parse_assembly(text)
    if effort == "best":
        options = llvm.create_pipeline_tuning_options(speed_level=1)
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


def load_object(machine_code: bytes) -> Any:
    """An execution engine with the object code loaded."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(0))
    engine.add_object_file(llvm.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    return engine
