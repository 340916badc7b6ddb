# SPDX-License-Identifier: GPL-2.0-only
"""The nodes of a compiled model: types, expressions, statements.  See lang/program.py."""

from __future__ import annotations

from dataclasses import dataclass

# ---- types -------------------------------------------------------------------------------


@dataclass(frozen=True)
class IntType:
    """A bounded integer; `low`/`high` are constant expressions (inclusive), None = 64-bit int."""

    low: Expr | None = None
    high: Expr | None = None
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


Type = IntType | BoolType | RefType | NoneType

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
    reference: Expr
    index: Expr | None
    error: int


@dataclass(frozen=True)
class OwnRef:
    """The instance of the embedded struct: `first + reference`, where `first` is a constant
    expression over parameters.  Null check as in LoadField."""

    struct: str  # the owner
    field: str
    reference: Expr
    first: Expr
    target: str
    error: int


@dataclass(frozen=True)
class Unary:
    operator: str  # "-", "~", "not"
    operand: Expr


@dataclass(frozen=True)
class Binary:
    operator: str  # + - * // % << >> & | ^ == != < <= > >= min max
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Logical:
    """Short-circuit `and` / `or` of booleans."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Conditional:
    test: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True)
class AtomicCall:
    """Call of an atomic function; evaluated left to right, may change the state."""

    function: str
    arguments: tuple[Expr, ...]


Expr = (
    Const
    | Param
    | Current
    | Local
    | LoadField
    | OwnRef
    | Unary
    | Binary
    | Logical
    | Conditional
    | AtomicCall
)

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
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@dataclass(frozen=True)
class While:
    """A loop inside one step or one atomic function.  Check mode stops after 100,000 rounds
    with error number `error` ("loop does not end")."""

    test: Expr
    body: tuple[Stmt, ...]
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


Stmt = (
    SetLocal
    | SetField
    | If
    | While
    | Break
    | Continue
    | Evaluate
    | Alloc
    | Free
    | Assert
    | Emit
    | Return
    | Jump
    | ReturnJump
    | Finish
)
