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
from typing import Union

# ---- types -------------------------------------------------------------------------------


@dataclass(frozen=True)
class IntType:
    """A bounded integer; `low`/`high` are constant expressions (inclusive), None = 64-bit int."""

    low: "Expr | None" = None
    high: "Expr | None" = None
    name: str = "int"


@dataclass(frozen=True)
class BoolType:
    """True or False, stored as 1 or 0."""


@dataclass(frozen=True)
class RefType:
    """A reference to an instance of struct `struct`; 0 is None."""

    struct: str


@dataclass(frozen=True)
class NoneType:
    """The type of `None` and of functions that return nothing."""


Type = Union[IntType, BoolType, RefType, NoneType]

# ---- expressions (pure: no side effects except AtomicCall) ---------------------------------


@dataclass(frozen=True)
class Const:
    value: int


@dataclass(frozen=True)
class Param:
    """A parameter: a constant in the checker, a run-time value in the simulator."""

    name: str


@dataclass(frozen=True)
class Current:
    """The number (1-based) of the thread that executes the step."""


@dataclass(frozen=True)
class Local:
    """A local variable of `function` (a step function: a slot of the thread's frame;
    an atomic function: a temporary that lives only during the call)."""

    function: str
    name: str


@dataclass(frozen=True)
class LoadField:
    """`reference.field`, or `reference.field[index]` when index is not None.

    `error` is a number into Program.errors reported when reference is None (check mode).
    """

    struct: str
    field: str
    reference: "Expr"
    index: "Expr | None"
    error: int


@dataclass(frozen=True)
class OwnRef:
    """The instance of the embedded struct: `first + reference`, where `first` is a constant
    expression over parameters.  Null check as in LoadField."""

    struct: str  # the owner
    field: str
    reference: "Expr"
    first: "Expr"
    target: str
    error: int


@dataclass(frozen=True)
class Unary:
    operator: str  # "-", "~", "not"
    operand: "Expr"


@dataclass(frozen=True)
class Binary:
    operator: str  # + - * // % << >> & | ^ == != < <= > >= min max
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True)
class Logical:
    """Short-circuit `and` / `or` of booleans."""

    operator: str
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True)
class Conditional:
    test: "Expr"
    then: "Expr"
    otherwise: "Expr"


@dataclass(frozen=True)
class AtomicCall:
    """Call of an atomic function; evaluated left to right, may change the state."""

    function: str
    arguments: tuple["Expr", ...]


Expr = Union[
    Const, Param, Current, Local, LoadField, OwnRef, Unary, Binary, Logical, Conditional, AtomicCall
]

# ---- statements ----------------------------------------------------------------------------


@dataclass(frozen=True)
class SetLocal:
    target: Local
    value: Expr
    error: int = 0  # range error number, 0 = unchecked (type is int/bool/ref)


@dataclass(frozen=True)
class SetField:
    """`reference.field[index] = value`.  Reference and index are evaluated before value.

    `error`: null dereference / index out of bounds; `range_error`: value outside the range.
    `wakes`: the field is read by a wait condition: if reference != current, the simulator
    re-evaluates that thread (a record with event -1)."""

    struct: str
    field: str
    reference: Expr
    index: Expr | None
    value: Expr
    error: int
    range_error: int
    wakes: bool = False


@dataclass(frozen=True)
class If:
    test: Expr
    then: tuple["Stmt", ...]
    otherwise: tuple["Stmt", ...] = ()


@dataclass(frozen=True)
class While:
    """A loop inside one step or one atomic function.  Check mode stops after 100,000 rounds
    with error number `error` ("loop does not end")."""

    test: Expr
    body: tuple["Stmt", ...]
    error: int


@dataclass(frozen=True)
class Break:
    pass


@dataclass(frozen=True)
class Continue:
    """Next round of the innermost While.  (`for` loops are lowered so that the increment
    happens at the start of the round: Continue is always right.)"""


@dataclass(frozen=True)
class Evaluate:
    """Evaluate an expression for its effect (an AtomicCall)."""

    value: Expr


@dataclass(frozen=True)
class Alloc:
    """target = lowest free instance of struct, or 0."""

    struct: str
    target: Local


@dataclass(frozen=True)
class Free:
    """Mark free and set every scalar field of the instance to 0 (arrays and Own stay)."""

    struct: str
    reference: Expr
    error: int  # not allocated / None


@dataclass(frozen=True)
class Assert:
    """Event property: when false the step returns 4 with assertion number `number`."""

    test: Expr
    number: int


@dataclass(frozen=True)
class Emit:
    event: int
    arguments: tuple[Expr, ...]  # at most 3


@dataclass(frozen=True)
class Return:
    """Return from an atomic function."""

    value: Expr | None


@dataclass(frozen=True)
class Jump:
    """End of the step: pc = label."""

    label: int


@dataclass(frozen=True)
class ReturnJump:
    """End of the step: return from step function `function` to the call site whose number
    is in its return cell (Local(function, "return site")): pc = Program.return_sites
    [function][site - 1]; the cell is set to 0."""

    function: str


@dataclass(frozen=True)
class Finish:
    """End of the step: the thread has finished, pc = 0."""


Stmt = Union[
    SetLocal, SetField, If, While, Break, Continue, Evaluate, Alloc, Free, Assert, Emit, Return,
    Jump, ReturnJump, Finish,
]

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

    Parameters, `result` (if it returns something) and `return site` are locals too."""

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
    name: str
    parameters: dict[str, int]  # values (check mode: bound; simulate mode: defaults)
    structs: dict[str, Struct]
    atomics: dict[str, AtomicFunction]
    functions: dict[str, StepFunction]
    steps: list[Step]  # steps[label - 1].label == label; label 0 = finished
    return_sites: dict[str, list[int]]
    frames: dict[str, int]  # step function -> nesting depth order key (callers before callees)
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

    def step_at(self, label: int) -> Step:
        """The step with this label (1-based; 0 means finished and has no step)."""
        return self.steps[label - 1]
