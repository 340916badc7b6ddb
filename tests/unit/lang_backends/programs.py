# SPDX-License-Identifier: GPL-2.0-only
"""Small programs built by hand, so that the back ends are tested without the front end."""

from __future__ import annotations

from dataclasses import replace

from faultlock.lang import program as ir

C = ir.Const
INT = ir.IntType()
BOOL = ir.BoolType()


def between(low: int, high: int) -> ir.IntType:
    """The type Range[low, high]."""
    return ir.IntType(C(low), C(high))


def field(name: str, type_: ir.Type, length: ir.Expr | None = None, **flags: bool) -> ir.Field:
    """A field of a struct."""
    return ir.Field(name, type_, length, **flags)


class Builder:
    """Collects the parts of a program; labels are given in the order of `step`."""

    def __init__(self, name: str = "test", **parameters: int) -> None:
        self.program = ir.Program(
            name=name, parameters=parameters, structs={}, atomics={}, functions={}, steps=[],
            return_sites={}, threads=[], roles={}, setup=None, properties=[],
            cost_names=["entry", "lookup"], choice_names=["which", "other"],
            event_names=["E0", "E1", "E2"],
            assertions=[ir.Assertion("S1", f"text {n}", "t.py", n) for n in range(20)],
            errors=[ir.ModelError("null dereference", f"text {n}", "t.py", n) for n in range(40)],
        )  # fmt: skip
        self.error = 0

    def next_error(self) -> int:
        """A new error number."""
        self.error += 1
        return self.error

    def struct(self, name: str, count: ir.Expr, *fields: ir.Field, allocated: bool = False) -> None:
        """Declare a struct."""
        number = len(self.program.structs) + 1
        self.program.structs[name] = ir.Struct(
            name, number, count, {f.name: f for f in fields}, allocated
        )

    def threads(self, count: ir.Expr, *fields: ir.Field) -> None:
        """Declare Thread with its required fields."""
        required = [field("fatal_signal_pending", BOOL, wakes=True), field("rwsem_granted", BOOL)]
        self.struct("Thread", count, *required, *fields)

    def atomic(
        self, name: str, parameters: list[str], body: list[ir.Stmt], *extra: str,
        types: dict[str, ir.Type] | None = None,
    ) -> None:  # fmt: skip
        """Declare an atomic function of integers."""
        types = types or {}
        self.program.atomics[name] = ir.AtomicFunction(
            name, [(p, types.get(p, INT)) for p in parameters], INT,
            {n: types.get(n, INT) for n in (*parameters, *extra)}, body, "t.py", 1,
        )  # fmt: skip

    def function(
        self, name: str, locals_: dict[str, ir.Type], calls: tuple[str, ...] = (), sites: int = 0
    ) -> None:
        """Declare a step function; its entry is the next step."""
        cells: dict[str, ir.Type] = {"return site": between(0, sites)} if sites else {}
        self.program.functions[name] = ir.StepFunction(
            name, [], INT, {**locals_, **cells}, len(self.program.steps) + 1, [], list(calls),
            "t.py", 1,
        )  # fmt: skip

    def step(self, function: str, *body: ir.Stmt, **more: object) -> int:
        """Add a step; its label."""
        label = len(self.program.steps) + 1
        step = ir.Step(label, function, "t.py", label, f"line {label}", body=list(body))
        self.program.steps.append(replace(step, **more))  # type: ignore[arg-type]
        self.program.functions[function].labels.append(label)
        return label

    def thread(self, function: str) -> None:
        """Start one more thread there."""
        entry = self.program.functions[function].entry
        self.program.threads.append(
            ir.ThreadEntry(f"T{len(self.program.threads)}", function, entry)
        )


def spinning(threads: int = 2) -> ir.Program:
    """Threads that take a lock, count, and release it, for ever."""
    b = Builder(N_THREADS=threads)
    b.threads(ir.Param("N_THREADS"))
    b.struct("Lock", C(1), field("held", BOOL), field("count", between(0, 100)))
    lock = C(1)
    held = ir.LoadField("Lock", "held", lock, None, 1)
    count = ir.LoadField("Lock", "count", lock, None, 1)
    b.atomic("trylock", [], [
        ir.If(held, (ir.Return(C(0)),)),
        ir.SetField("Lock", "held", lock, None, C(1), 1, 2),
        ir.Return(C(1)),
    ])  # fmt: skip
    b.function("worker", {"got": BOOL, "next": between(0, 100)})
    got, next_ = ir.Local("worker", "got"), ir.Local("worker", "next")
    b.step("worker", ir.SetLocal(got, ir.AtomicCall("trylock", ())), ir.Jump(2))
    b.step("worker", ir.If(got, (ir.SetLocal(got, C(0)), ir.Jump(3))), ir.Jump(1))
    b.step(
        "worker",
        ir.SetLocal(next_, ir.Binary("%", ir.Binary("+", count, C(1)), C(100))),
        ir.Jump(4),
    )
    b.step(
        "worker",
        ir.SetField("Lock", "count", lock, None, next_, 1, 3),
        ir.SetLocal(next_, C(0)),
        ir.Jump(5),
    )
    b.step("worker", ir.SetField("Lock", "held", lock, None, C(0), 1, 2), ir.Jump(1))
    for _ in range(threads):
        b.thread("worker")
    return b.program


def pool(count: int, allocated: bool = True) -> ir.Program:
    """A pool of `count` items and atomic functions take() -> item, give(item)."""
    b = Builder(N_ITEMS=count)
    b.threads(C(1))
    b.struct(
        "Item", ir.Param("N_ITEMS"), field("value", between(0, 9)), allocated=allocated
    )  # fmt: skip
    item = ir.Local("take", "item")
    b.atomic("take", [], [ir.Alloc("Item", item), ir.Return(item)], "item")
    n, last = ir.Local("take_many", "n"), ir.Local("take_many", "last")
    more = ir.SetLocal(n, ir.Binary("-", n, C(1)))
    loop = ir.While(ir.Binary(">", n, C(0)), (more, ir.Alloc("Item", last)), 7)
    b.atomic("take_many", ["n"], [loop, ir.Return(last)], "last")
    given = ir.Local("give", "item")
    b.atomic("give", ["item"], [ir.Free("Item", given, 5)])
    value, put = ir.Local("put", "value"), ir.Local("put", "item")
    b.atomic("put", ["item", "value"], [
        ir.SetField("Item", "value", put, None, value, 5, 6), ir.Return(C(0)),
    ])  # fmt: skip
    got = ir.LoadField("Item", "value", ir.Local("get", "item"), None, 5)
    b.atomic("get", ["item"], [ir.Return(got)])
    b.function("main", {})
    b.step("main", ir.Finish())
    b.thread("main")
    return b.program
