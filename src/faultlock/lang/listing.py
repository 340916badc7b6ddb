# SPDX-License-Identifier: GPL-2.0-only
"""A Program for humans: its structs, atomic functions and steps as text, one step after another."""

from __future__ import annotations

from collections.abc import Iterable

from faultlock.lang import program as ir

PRECEDENCE = {
    "or": 1, "and": 2, "not": 3, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "|": 5,
    "^": 6, "&": 7, "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "//": 10, "%": 10,
}  # fmt: skip
UNARY_PRECEDENCE = 11


class Printer:
    """Expressions and statements of one program as text; names are those of the source."""

    def __init__(self, program: ir.Program) -> None:
        self.program = program

    def expression(self, expression: ir.Expr, outer: int = 0, owner: str = "") -> str:
        """Text of an expression; `owner`: the function whose locals need no prefix."""
        text, inner = self._parts(expression, owner)
        return f"({text})" if inner < outer else text

    def _parts(self, expression: ir.Expr, owner: str) -> tuple[str, int]:
        tight = UNARY_PRECEDENCE + 1
        match expression:
            case ir.Const(value):
                return str(value), tight if value >= 0 else UNARY_PRECEDENCE
            case ir.Param(name):
                return name, tight
            case ir.Current():
                return "current", tight
            case ir.Local(function, name):
                return (name if function == owner else f"{function}:{name}"), tight
            case ir.LoadField(struct, field, reference, index):
                return self.place(struct, field, reference, index, owner), tight
            case ir.OwnRef(struct=struct, field=field, reference=reference):
                return self.place(struct, field, reference, None, owner), tight
            case ir.Unary("not", operand):
                return f"not {self.expression(operand, PRECEDENCE['not'], owner)}", 3
            case ir.Unary(operator, operand):
                inner = self.expression(operand, UNARY_PRECEDENCE, owner)
                return f"{operator}{inner}", UNARY_PRECEDENCE
            case ir.Binary("min" | "max" as operator, left, right):
                sides = ", ".join(self.expression(side, 0, owner) for side in (left, right))
                return f"{operator}({sides})", tight
            case ir.Binary(operator, left, right) | ir.Logical(operator, left, right):
                level = PRECEDENCE[operator]
                chained = level == PRECEDENCE["=="]  # a == b == c would mean something else
                first = self.expression(left, level + chained, owner)
                return f"{first} {operator} {self.expression(right, level + 1, owner)}", level
            case ir.Conditional(test, then, otherwise):
                parts = [self.expression(each, 1, owner) for each in (then, test, otherwise)]
                return f"{parts[0]} if {parts[1]} else {parts[2]}", 0
            case ir.AtomicCall(function, arguments):
                passed = ", ".join(self.expression(each, 0, owner) for each in arguments)
                return f"{function}({passed})", tight

    def place(
        self, struct: str, field: str, reference: ir.Expr, index: ir.Expr | None, owner: str
    ) -> str:
        """Text of a field: reference.field, Struct.field for a pool of one, with [index]."""
        only = isinstance(reference, ir.Const) and reference.value == 1
        base = struct if only else self.expression(reference, UNARY_PRECEDENCE + 1, owner)
        subscript = "" if index is None else f"[{self.expression(index, 0, owner)}]"
        return f"{base}.{field}{subscript}"

    def statements(self, body: Iterable[ir.Stmt], owner: str, indent: str) -> list[str]:
        """Lines of a body."""
        lines: list[str] = []
        for statement in body:
            lines += self.statement(statement, owner, indent)
        return lines or [f"{indent}pass"]

    def statement(self, statement: ir.Stmt, owner: str, indent: str) -> list[str]:
        """Lines of one statement."""
        deeper = indent + "    "

        def text(expression: ir.Expr) -> str:
            return self.expression(expression, 0, owner)

        match statement:
            case ir.If(test, then, otherwise):
                lines = [f"{indent}if {text(test)}:", *self.statements(then, owner, deeper)]
                if otherwise:
                    lines += [f"{indent}else:", *self.statements(otherwise, owner, deeper)]
                return lines
            case ir.While(test, body):
                return [f"{indent}while {text(test)}:", *self.statements(body, owner, deeper)]
            case ir.SetLocal(target, value):
                line = f"{text(target)} = {text(value)}"
            case ir.SetField(struct, field, reference, index, value):
                line = f"{self.place(struct, field, reference, index, owner)} = {text(value)}"
            case ir.Break() | ir.Continue():
                line = type(statement).__name__.lower()
            case ir.Evaluate(value):
                line = text(value)
            case ir.Alloc(struct, target):
                line = f"{text(target)} = alloc({struct})"
            case ir.Free(_, reference):
                line = f"free({text(reference)})"
            case ir.Assert(test, number):
                line = f'assert {text(test)}, "{self.program.assertions[number - 1].property}"'
            case ir.Emit(event, arguments):
                name = self.program.event_names[event]
                line = f"emit({', '.join([name, *(text(each) for each in arguments)])})"
            case ir.Return(value):
                line = "return" if value is None else f"return {text(value)}"
            case ir.Jump(label):
                line = f"goto {label}"
            case ir.ReturnJump(function):
                line = f"return from {function}"
            case ir.Finish():
                line = "finish"
        return [indent + line]

    def guard(self, step: ir.Step) -> str:
        """What a step waits for, chooses or costs; empty for a plain step."""

        def text(expression: ir.Expr | None) -> str:
            return "1" if expression is None else self.expression(expression, 0, step.function)

        match step.kind:
            case ir.WAIT:
                on = "" if step.reason is None else f", on={text(step.reason[1])}"
                killable = ", killable" if step.killable else ""
                return f"wait({text(step.guard)}{killable}{on})"
            case ir.CHOOSE:
                where = "" if step.guard is None else f", where={text(step.guard)}"
                name = self.program.choice_names[step.choice]
                bounds = f"{text(step.low)}, {text(step.high)}"
                return f'{text(step.target)} = choose({bounds}, "{name}"{where})'
            case ir.CPU:
                return f'cpu("{self.program.cost_names[step.cost]}", {text(step.amount)})'
            case ir.SLEEP:
                return f"sleep({text(step.amount)})"
        return ""


def type_text(program: ir.Program, type_: ir.Type) -> str:
    """A type as the language writes it."""
    match type_:
        case ir.IntType(low=low, high=high) if low is not None and high is not None:
            printer = Printer(program)
            return f"Range[{printer.expression(low)}, {printer.expression(high)}]"
        case ir.IntType():
            return "int"
        case ir.BoolType():
            return "bool"
        case ir.RefType(struct):
            return struct
    return "None"


def struct_lines(program: ir.Program, struct: ir.Struct) -> list[str]:
    """The declaration of a struct."""
    printer = Printer(program)
    lines = [f"struct {struct.name} [{printer.expression(struct.count)}]"]
    for field in struct.fields.values():
        flags = [name for name in ("const", "private", "own", "wakes") if getattr(field, name)]
        length = "" if field.length is None else f"[{printer.expression(field.length)}]"
        marks = f"  ({', '.join(flags)})" if flags else ""
        lines.append(f"    {field.name}: {type_text(program, field.type)}{length}{marks}")
    return lines


def step_lines(program: ir.Program, step: ir.Step) -> list[str]:
    """One step: label, place, source line, what it does."""
    printer = Printer(program)
    local = " local" if step.is_local else ""
    lines = [f"{step.label:5}  {step.file}:{step.line}  {step.text}{local and '  #' + local}"]
    guard = printer.guard(step)
    if guard:
        lines.append(f"           {guard}")
    return lines + printer.statements(step.body, step.function, " " * 11)


def listing(program: ir.Program) -> str:
    """The whole program."""
    printer = Printer(program)
    lines = [f"program {program.name}: {len(program.steps)} steps"]
    for struct in program.structs.values():
        lines += ["", *struct_lines(program, struct)]
    for function in program.atomics.values():
        parameters = ", ".join(name for name, _ in function.parameters)
        lines += ["", f"atomic {function.name}({parameters})  {function.file}:{function.line}"]
        lines += printer.statements(function.body, function.name, "    ")
    for owner in program.functions.values():
        parameters = ", ".join(name for name, _ in owner.parameters)
        lines += ["", f"function {owner.name}({parameters})  {owner.file}:{owner.line}"]
        for label in owner.labels:
            lines += step_lines(program, program.step_at(label))
    return "\n".join(lines)
