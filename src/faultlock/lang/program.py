# SPDX-License-Identifier: GPL-2.0-only
"""The compiled form of a model: typed expressions, statements and steps.

A `Program` is what every engine and printer reads.  It is symbolic in the parameters
(`Param` nodes): the checker binds them to constants, the simulator reads them at run time.

Meaning, in short (lang/evaluate.py is the definition):
- Integers are 64-bit two's complement; booleans are 0 and 1; a reference is 0 (None) or the
  1-based number of an instance in its pool.
- `x // 0 == x % 0 == 0`; division floors; a shift by less than 0 or more than 63 gives 0.
- One `Step` is one transition of one thread.  Its body is executed without interruption
  and ends at the first `Jump`, `ReturnJump` or `Finish`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from faultlock.lang.ir import (
    Alloc,
    Assert,
    AtomicCall,
    Binary,
    BoolType,
    Break,
    Conditional,
    Const,
    Continue,
    Current,
    Emit,
    Evaluate,
    Expr,
    Finish,
    Free,
    If,
    IntType,
    Jump,
    LoadField,
    Local,
    Logical,
    NoneType,
    OwnRef,
    Param,
    RefType,
    Return,
    ReturnJump,
    SetField,
    SetLocal,
    Stmt,
    Type,
    Unary,
    While,
)

# ---- declarations ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    name: str
    type: Type
    length: Expr | None = None  # not None: an array of that many elements
    const: bool = False
    private: bool = False
    own: bool = False  # type is RefType(target); no storage
    wakes: bool = False  # read by a wait condition


@dataclass(frozen=True)
class Struct:
    name: str
    number: int  # struct id, from 1
    count: Expr  # constant expression over parameters
    fields: dict[str, Field]
    allocated: bool  # alloc()/free() are used: a free map exists
    doc: str = ""


@dataclass
class AtomicFunction:
    name: str
    parameters: list[tuple[str, Type]]
    returns: Type
    locals: dict[str, Type]  # parameters included
    body: list[Stmt]
    file: str
    line: int
    doc: str = ""


@dataclass
class StepFunction:
    """A step function: its locals are slots of the thread's frame.

    Parameters, `return value` (if it returns something) and `return site` are locals too."""

    name: str
    parameters: list[tuple[str, Type]]
    returns: Type
    locals: dict[str, Type]
    entry: int  # label
    labels: list[int]
    calls: list[str]
    file: str
    line: int
    doc: str = ""


PLAIN, WAIT, CHOOSE, CPU, SLEEP = "plain", "wait", "choose", "cpu", "sleep"


@dataclass
class Step:
    """One transition.  kind:
    - plain: body.
    - wait: enabled when `guard` holds, or (killable) when the thread's fatal_signal_pending
      is set.  `reason` = (struct, expression) of what is waited for, or None.
    - choose: `low <= value < high`; the value is stored in `target`; when `guard` (may read
      target) is then false this alternative is disabled (blocked, state unchanged); then body.
    - cpu: body; then in the simulator cost `cost` times `amount` is charged.
    - sleep: body; then in the simulator the thread sleeps `amount` microseconds.
    `amount` is evaluated before the body (the body clears dead locals).
    """

    label: int
    function: str
    file: str
    line: int
    text: str  # the source line, stripped
    kind: str = PLAIN
    body: list[Stmt] = field(default_factory=list)
    guard: Expr | None = None
    killable: bool = False
    reason: tuple[str, Expr] | None = None
    low: Expr | None = None
    high: Expr | None = None
    choice: int = 0  # index into Program.choice_names
    target: Local | None = None
    cost: int = 0  # index into Program.cost_names
    amount: Expr | None = None
    is_local: bool = False  # touches nothing another thread can see and is always enabled
    reads: frozenset[tuple[str, str, bool]] = frozenset()  # (struct, field, only current's)
    writes: frozenset[tuple[str, str, bool]] = frozenset()
    live: frozenset[str] = frozenset()  # locals of `function` live on entry


@dataclass
class Property:
    kind: str  # always, eventually, sometimes
    name: str  # "S4 lock balance"
    function: str  # atomic function without parameters
    doc: str
    file: str
    line: int


@dataclass
class ThreadEntry:
    name: str
    function: str  # step function without parameters
    entry: int
    daemon: bool = False  # may wait for ever without that being a deadlock (disk, server)


@dataclass(frozen=True)
class ModelError:
    kind: str  # "null dereference", "range", "index", "loop", "free"
    text: str
    file: str
    line: int


@dataclass(frozen=True)
class Assertion:
    property: str  # first word of the message: S2
    text: str
    file: str
    line: int


@dataclass
class Program:
    """A compiled model; see the module."""

    name: str
    parameters: dict[str, int]  # values (check mode: bound; simulate mode: defaults)
    structs: dict[str, Struct]
    atomics: dict[str, AtomicFunction]
    functions: dict[str, StepFunction]
    steps: list[Step]  # steps[label - 1].label == label; label 0 = finished
    return_sites: dict[str, list[int]]
    threads: list[ThreadEntry]  # scenario threads in order, one entry per thread
    roles: dict[str, int]  # simulator roles: name -> entry label
    setup: str | None  # atomic function that makes the initial state
    properties: list[Property]
    cost_names: list[str]
    choice_names: list[str]
    event_names: list[str]
    assertions: list[Assertion]  # number 1 is assertions[0]
    errors: list[ModelError]  # number 1 is errors[0]
    constants: dict[str, int | None] = field(default_factory=dict)
    pruned: frozenset[tuple[str, str]] = frozenset()  # fields that are always 0 (lang/prune.py)
    digest: str = ""  # of everything it was compiled from; "" when it was not compiled here

    def step_at(self, label: int) -> Step:
        """The step with this label (1-based; 0 means finished and has no step)."""
        return self.steps[label - 1]


__all__ = [
    "CHOOSE",
    "CPU",
    "PLAIN",
    "SLEEP",
    "WAIT",
    "Alloc",
    "Assert",
    "Assertion",
    "AtomicCall",
    "AtomicFunction",
    "Binary",
    "BoolType",
    "Break",
    "Conditional",
    "Const",
    "Continue",
    "Current",
    "Emit",
    "Evaluate",
    "Expr",
    "Field",
    "Finish",
    "Free",
    "If",
    "IntType",
    "Jump",
    "LoadField",
    "Local",
    "Logical",
    "ModelError",
    "NoneType",
    "OwnRef",
    "Param",
    "Program",
    "Property",
    "RefType",
    "Return",
    "ReturnJump",
    "SetField",
    "SetLocal",
    "Step",
    "StepFunction",
    "Stmt",
    "Struct",
    "ThreadEntry",
    "Type",
    "Unary",
    "While",
]
