# SPDX-License-Identifier: GPL-2.0-only
"""Random Programs, as IR: small, but every node, kind of step and kind of error occurs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

from faultlock.lang import program as ir
from faultlock.lang.labels import RESULT
from tests.unit.lang_backends.programs import BOOL, INT, Builder, C, between, field

T = TypeVar("T")
EDGES = (0, 1, 2, 3, 5, -1, -2, 7, 63, 64, 255, 256, -128, 2**31, -(2**63), 2**63 - 1)
BOX, BOXES, LENGTH = ir.RefType("Box"), 3, 3
SMALL = between(0, 3)
SIGNED = between(-200, 200)
WIDE = between(0, 70_000)
BOUNDED = ir.IntType(C(0), ir.Binary("+", ir.Param("LIMIT"), C(3)))
LOCALS: dict[str, ir.Type] = {
    "i": INT, "small": SMALL, "signed": SIGNED, "flag": BOOL, "box": BOX, "bounded": BOUNDED
}  # fmt: skip
OPERATORS = [
    "+", "-", "*", "//", "%", "<<", ">>", "&", "|", "^",
    "==", "!=", "<", "<=", ">", ">=", "min", "max",
]  # fmt: skip
SITES = 2  # call sites of each helper


class Generator:
    """Draws the parts of one program."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.builder = Builder(N_THREADS=2, LIMIT=self.pick((0, 4)))
        self.atomics: list[str] = []
        self.owner = ""
        self.locals: dict[str, ir.Type] = {}
        self.loops = 0
        self.heads: list[int] = []  # labels that steps of `main` may jump to

    def pick(self, items: tuple[T, ...] | list[T]) -> T:
        """One of the items."""
        return self.draw(st.sampled_from(items))  # type: ignore[no-any-return]

    def error(self) -> int:
        """A new error number."""
        return self.builder.next_error()

    # ---- expressions ---------------------------------------------------------------------------

    def local_of(self, type_: ir.Type) -> ir.Expr | None:
        """A local of this type, if there is one."""
        names = [name for name, each in self.locals.items() if each == type_]
        return ir.Local(self.owner, self.pick(names)) if names else None

    def reference(self, depth: int) -> ir.Expr:
        """A Box: possibly None, possibly the reserved value behind the last instance."""
        choices = ["const", "const", "const", "local"] + (["load", "conditional"] if depth else [])
        match self.pick(choices):
            case "local":
                return self.local_of(BOX) or C(1)
            case "load":
                box = self.reference(depth - 1)
                return ir.LoadField("Box", "next", box, None, self.error())
            case "conditional":
                sides = (self.reference(depth - 1), self.reference(depth - 1))
                return ir.Conditional(self.test(depth - 1), *sides)
        return C(self.pick((1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 0, BOXES + 1)))

    def index(self, depth: int) -> ir.Expr:
        """An array index, mostly right."""
        if depth and self.pick((True, False)):
            return ir.Binary("&", self.number(depth - 1), C(3))
        return C(self.pick((0, 1, 2, 0, 1, 2, 3, -1)))

    def load(self, depth: int) -> ir.Expr:
        """A numeric field of something."""
        match self.pick(("u", "s", "items", "inner", "thread", "big")):
            case "items":
                box, index = self.reference(depth - 1), self.index(depth - 1)
                return ir.LoadField("Box", "items", box, index, self.error())
            case "inner":
                box = self.reference(depth - 1)
                own = ir.OwnRef("Box", "inner", box, C(0), "Inner", self.error())
                return ir.LoadField("Inner", "value", own, None, self.error())
            case "thread":
                return ir.LoadField("Thread", "number", ir.Current(), None, 0)
            case name:
                box = self.reference(depth - 1)
                return ir.LoadField("Box", name, box, None, self.error())

    def number(self, depth: int) -> ir.Expr:
        """An integer expression."""
        leaves = ["const", "local", "param", "current"]
        inner = ["binary", "binary", "load", "unary", "conditional", "call", "test"]
        match self.pick(leaves + (inner if depth else [])):
            case "local":
                numbers = [n for n, t in self.locals.items() if isinstance(t, ir.IntType)]
                return ir.Local(self.owner, self.pick(numbers)) if numbers else C(4)
            case "param":
                return ir.Param("LIMIT")
            case "current":
                return ir.Current()
            case "binary":
                sides = (self.number(depth - 1), self.number(depth - 1))
                return ir.Binary(self.pick(OPERATORS), *sides)
            case "load":
                return self.load(depth)
            case "unary":
                return ir.Unary(self.pick(("-", "~")), self.number(depth - 1))
            case "conditional":
                sides = (self.number(depth - 1), self.number(depth - 1))
                return ir.Conditional(self.test(depth - 1), *sides)
            case "call" if self.atomics:
                return self.call(depth)
            case "test":
                return self.test(depth - 1)
        return C(self.pick(EDGES))

    def test(self, depth: int) -> ir.Expr:
        """A boolean expression."""
        leaves = ["const", "local"]
        match self.pick(leaves + (["compare", "logical", "not", "load"] * 2 if depth else [])):
            case "local":
                return self.local_of(BOOL) or C(1)
            case "compare":
                sides = (self.number(depth - 1), self.number(depth - 1))
                return ir.Binary(self.pick(("==", "!=", "<", "<=", ">", ">=")), *sides)
            case "logical":
                sides = (self.test(depth - 1), self.test(depth - 1))
                return ir.Logical(self.pick(("and", "or")), *sides)
            case "not":
                return ir.Unary("not", self.test(depth - 1))
            case "load":
                return ir.LoadField("Box", "b", self.reference(depth - 1), None, self.error())
        return C(self.pick((0, 1)))

    def call(self, depth: int) -> ir.Expr:
        """A call of an atomic function: (number, box) -> number."""
        arguments = (self.number(depth - 1), self.reference(depth - 1))
        return ir.AtomicCall(self.pick(self.atomics), arguments)

    def of_type(self, type_: ir.Type, depth: int) -> ir.Expr:
        """A value that may be stored in a place of this type."""
        if isinstance(type_, ir.BoolType):
            return self.test(depth)
        if isinstance(type_, ir.RefType):
            return self.reference(depth)
        if type_ != INT and self.pick((True, True, False)):
            return ir.Binary("&", self.number(depth), C(3))
        return self.number(depth)

    # ---- statements ----------------------------------------------------------------------------

    def set_local(self) -> ir.Stmt:
        """Set one of the locals."""
        names = [name for name in self.locals if name in LOCALS]
        name = self.pick(names)
        type_ = self.locals[name]
        error = self.error() if isinstance(type_, ir.IntType) and type_ != INT else 0
        return ir.SetLocal(ir.Local(self.owner, name), self.of_type(type_, 2), error)

    def set_field(self) -> ir.Stmt:
        """Set a field of a box, of an inner struct, or the woken field of a thread."""
        name = self.pick(("b", "u", "s", "next", "items", "inner", "wake", "number", "big"))
        if name == "wake":
            threads: list[ir.Expr] = [ir.Current(), C(1), C(2)]
            thread, value = self.pick(threads), self.test(1)
            return ir.SetField("Thread", "woken", thread, None, value, self.error(), 0, True)
        if name == "number":
            value = self.of_type(SMALL, 1)
            error = self.error()
            return ir.SetField("Thread", "number", ir.Current(), None, value, 0, error)
        if name == "inner":
            box = self.reference(1)
            own = ir.OwnRef("Box", "inner", box, C(0), "Inner", self.error())
            value = self.of_type(SIGNED, 2)
            return ir.SetField("Inner", "value", own, None, value, self.error(), self.error())
        type_ = self.builder.program.structs["Box"].fields[name].type
        checked = isinstance(type_, ir.IntType) and type_ != INT
        index = self.index(1) if name == "items" else None
        box, value = self.reference(1), self.of_type(type_, 2)
        range_error = self.error() if checked else 0
        return ir.SetField("Box", name, box, index, value, self.error(), range_error)

    def loop(self, depth: int) -> ir.Stmt:
        """A loop of at most 4 rounds, with its own counter."""
        counter = ir.Local(self.owner, self.pick(("count1", "count2")))
        more = ir.SetLocal(counter, ir.Binary("+", counter, C(1)))
        bound = ir.Binary("<", counter, C(self.pick((0, 1, 4))))
        self.loops += 1
        body = (more, *self.body(depth - 1, 2))
        self.loops -= 1
        return ir.While(ir.Logical("and", bound, self.test(1)), body, self.error())

    def statement(self, depth: int) -> ir.Stmt:
        """One statement that does not end the step."""
        kinds = ["local", "field", "field", "alloc", "free", "assert", "emit", "evaluate"]
        kinds += ["if", "if", "while"] if depth else []
        kinds += ["break", "continue"] if self.loops else []
        match self.pick(kinds):
            case "field":
                return self.set_field()
            case "alloc":
                return ir.Alloc("Box", ir.Local(self.owner, "box"))
            case "free":
                return ir.Free("Box", self.reference(1), self.error())
            case "assert":
                test = ir.Logical("or", self.test(2), self.test(1))
                return ir.Assert(test, self.pick((1, 2, 3)))
            case "emit":
                count = self.pick((0, 1, 2, 3))
                arguments = tuple(self.number(1) for _ in range(count))
                return ir.Emit(self.pick((0, 1, 2)), arguments)
            case "evaluate" if self.atomics:
                return ir.Evaluate(self.call(2))
            case "if":
                sides = (self.body(depth - 1, 2), self.body(depth - 1, 1))
                return ir.If(self.test(2), *sides)
            case "while":
                return self.loop(depth)
            case "break":
                return ir.If(self.test(1), (ir.Break(),))
            case "continue":
                return ir.If(self.test(1), (ir.Continue(),))
        return self.set_local()

    def body(self, depth: int, most: int) -> tuple[ir.Stmt, ...]:
        """A few statements."""
        count = self.draw(st.integers(0, most))
        return tuple(self.statement(depth) for _ in range(count))

    # ---- declarations --------------------------------------------------------------------------

    def declare(self) -> None:
        """Structs: every width, sign, reference, array, embedded struct and free map."""
        b = self.builder
        number = field("number", SMALL, private=True)
        b.threads(ir.Param("N_THREADS"), field("woken", BOOL, wakes=True), number)
        b.struct(
            "Box", C(BOXES), field("b", BOOL), field("u", BOUNDED), field("s", SIGNED),
            field("next", BOX), field("items", WIDE, C(LENGTH)), field("big", INT),
            field("inner", ir.RefType("Inner"), own=True), allocated=True,
        )  # fmt: skip
        b.struct("Inner", C(BOXES), field("value", SIGNED))

    def atomic_function(self, name: str) -> None:
        """An atomic function (number, box) -> number; it may call the earlier ones."""
        self.owner = name
        self.locals = {"a": INT, **LOCALS, "count1": INT, "count2": INT}
        body = [*self.body(2, 3)]
        if self.pick((True, False)):
            body.append(ir.If(self.test(1), (ir.Return(self.number(1)),)))
        body += [*self.body(0, 1), ir.Return(self.number(2))]
        extra = [name for name in self.locals if name not in ("a", "box")]
        self.builder.atomic(name, ["a", "box"], body, *extra, types=self.locals)
        self.atomics.append(name)

    def use(self, function: str, locals_: dict[str, ir.Type]) -> None:
        """Steps that follow belong to this function."""
        self.owner = function
        self.locals = locals_

    def end(self) -> tuple[ir.Stmt, ...]:
        """A jump to one of two steps of `main`; loop counters start again at 0."""
        there, other = (ir.Jump(self.pick(self.heads)) for _ in range(2))
        reset = tuple(ir.SetLocal(ir.Local(self.owner, f"count{n}"), C(0)) for n in (1, 2))
        return (*reset, ir.If(self.test(1), (there,)), other)

    def special(self) -> None:
        """A step of any kind."""
        kind = self.pick((ir.PLAIN, ir.WAIT, ir.CHOOSE, ir.CPU, ir.SLEEP))
        more: dict[str, Any] = {"kind": kind}
        if kind == ir.WAIT:
            woken = ir.LoadField("Thread", "woken", ir.Current(), None, 0)
            reason = ("Box", C(2)) if self.pick((True, False)) else None
            more |= {"guard": ir.Logical("or", woken, self.local_of(BOOL) or C(0))}
            more |= {"reason": reason, "killable": self.pick((True, False))}
        elif kind == ir.CHOOSE:
            target = ir.Local(self.owner, "signed")
            odd = ir.Binary(
                "!=", ir.Binary("%", target, C(3)), ir.Binary("&", self.number(1), C(3))
            )
            more |= {"low": C(self.pick((-1, 0))), "high": ir.Binary("&", self.number(1), C(7))}
            more |= {"target": target, "choice": self.pick((0, 1)), "guard": self.pick((None, odd))}
        elif kind in (ir.CPU, ir.SLEEP):
            more |= {"amount": self.pick((None, self.number(2))), "cost": self.pick((0, 1))}
        self.builder.step(self.owner, *self.body(2, 3), *self.end(), **more)

    def helper(self, name: str) -> int:
        """A step function with parameter `i` and a result; clears its locals when it returns."""
        locals_ = {**LOCALS, "count1": INT, "count2": INT}
        self.builder.function(name, {**locals_, RESULT: INT}, sites=SITES)
        self.use(name, locals_)
        entry = len(self.builder.program.steps) + 1
        body = [*self.body(1, 3), ir.SetLocal(ir.Local(name, RESULT), self.number(2))]
        body += [ir.SetLocal(ir.Local(name, local), C(0)) for local in locals_]
        self.builder.step(name, *body, ir.ReturnJump(name))
        return entry

    def call_steps(self, helper: str, entry: int, site: int) -> int:
        """Call and return of a helper in `main`; the label after the call."""
        cell, back = ir.Local(helper, "return site"), len(self.builder.program.steps) + 2
        arguments = [ir.SetLocal(ir.Local(helper, "i"), self.number(1)), ir.SetLocal(cell, C(site))]
        self.builder.step("main", *arguments, ir.Jump(entry))
        result = ir.Local(helper, RESULT)
        taken = [ir.SetLocal(ir.Local("main", "i"), result), ir.SetLocal(result, C(0))]
        self.builder.step("main", *taken, *self.end())
        return back

    def program(self) -> ir.Program:
        """The whole program."""
        self.declare()
        for name in ("twice", "thrice")[: self.draw(st.integers(0, 2))]:
            self.atomic_function(name)
        entries = {name: self.helper(name) for name in ("helper_a", "helper_b")}
        locals_ = {**LOCALS, "count1": INT, "count2": INT}
        self.builder.function("main", locals_, calls=tuple(entries))
        self.use("main", locals_)
        first = len(self.builder.program.steps) + 1
        specials = self.draw(st.integers(1, 4))
        calls = [(name, site) for name in entries for site in range(1, SITES + 1)]
        starts = [first + specials + 2 * number for number in range(len(calls))]
        self.heads = [*range(first, first + specials), *starts]
        for _ in range(specials):
            self.special()
        for name, site in calls:
            back = self.call_steps(name, entries[name], site)
            self.builder.program.return_sites.setdefault(name, []).append(back)
        clear = [ir.SetLocal(ir.Local("main", local), C(0)) for local in locals_]
        self.builder.step("main", *clear, ir.Finish())
        for _ in range(2):
            self.builder.thread("main")
        return self.builder.program


@st.composite
def programs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> ir.Program:
    """Random programs of two threads."""
    return Generator(draw).program()
