# SPDX-License-Identifier: GPL-2.0-only
"""A Program as C functions over the bytes of `now.S`, for embedding in Promela.

    can(thread, k)   whether the thread's next step is enabled with its k-th choice (k = 0: none)
    take(thread, k)  the step; `bad` is set to what went wrong, 0 = nothing
    check()          sets `bad` when an `always` property is false or there is a deadlock
    boot()           the initial state
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from faultlock.lang import program as ir
from faultlock.lang.constants import evaluate_constant
from faultlock.lang.layout import RETURN_SITE, Layout
from faultlock.lang.traverse import subexpressions

HELPERS = r"""
#include <setjmp.h>
static long bad; /* 0, or: 1 deadlock, 2 a property, 3 an assertion, 4 a model error */
static long bad_number;
static jmp_buf out_of_step;
static long fail(long kind, long number) { bad = kind; bad_number = number;
    longjmp(out_of_step, 1); return 0; }
static inline long ld(long at, int w) { unsigned char *p = (unsigned char *) now.S + at;
    switch (w) { case 1: return *p; case -1: return *(signed char *) p;
    case 2: return *(unsigned short *) p; case -2: return *(short *) p;
    case 4: return *(unsigned int *) p; case -4: return *(int *) p; }
    return *(long *) p; }
static inline void st(long at, int w, long v) { unsigned char *p = (unsigned char *) now.S + at;
    switch (w) { case 1: case -1: *p = v; return; case 2: case -2: *(short *) p = v; return;
    case 4: case -4: *(int *) p = v; return; }
    *(long *) p = v; }
static inline long at(long r, long n, long base, long stride, long i, long len, long w, long e)
{ if (r < 1 || r > n || i < 0 || i >= len) fail(4, e);
    return base + (r - 1) * stride + i * w; }
static inline long within(long v, long low, long high, long e)
{ if (v < low || v > high) fail(4, e); return v; }
static inline long fdiv(long a, long b) { if (b == 0) return 0; if (b == -1) return -a;
    long q = a / b; return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q; }
static inline long fmodulo(long a, long b) { if (b == 0 || b == -1) return 0;
    long m = a % b; return (m != 0 && (m < 0) != (b < 0)) ? m + b : m; }
static inline long shl(long a, long b)
{ return b < 0 || b > 63 ? 0 : (long)((unsigned long) a << b); }
static inline long shr(long a, long b) { return b < 0 || b > 63 ? 0 : a >> b; }
static inline long least(long a, long b) { return a < b ? a : b; }
static inline long most(long a, long b) { return a > b ? a : b; }
"""
CALLED = {"//": "fdiv", "%": "fmodulo", "<<": "shl", ">>": "shr", "min": "least", "max": "most"}


class CPrinter:
    """Prints one program for one layout (check mode)."""

    def __init__(self, program: ir.Program, layout: Layout) -> None:
        self.program = program
        self.layout = layout

    def constant(self, expression: ir.Expr) -> int:
        """The value of a constant expression."""
        return evaluate_constant(expression, self.program.parameters)

    # ---- expressions -----------------------------------------------------------------------------

    def text(self, expression: ir.Expr) -> str:
        """C of an expression; sides are evaluated left to right."""
        match expression:
            case ir.Const(value):
                return f"{value}L"
            case ir.Param(name):
                return f"{self.program.parameters[name]}L"
            case ir.Current():
                return "cur"
            case ir.Local():
                return self._local(expression)
            case ir.LoadField():
                place, width = self._place(expression, expression.error)
                return f"ld({place}, {width})"
            case ir.OwnRef(reference=reference, first=first, error=error, struct=struct):
                inner = self._checked(struct, reference, error)
                return f"({self.constant(first)}L + {inner})"
            case ir.Unary(operator, operand):
                return f"({'!' if operator == 'not' else operator}{self.text(operand)})"
            case ir.Logical(operator, left, right):
                sign = "&&" if operator == "and" else "||"
                return f"({self.text(left)} {sign} {self.text(right)})"
            case ir.Conditional(test, then, otherwise):
                return f"({self.text(test)} ? {self.text(then)} : {self.text(otherwise)})"
            case ir.Binary():
                return self._binary(expression)
            case ir.AtomicCall(function, arguments):
                return self._call(function, [self.text(item) for item in arguments])

    def _call(self, function: str, arguments: list[str]) -> str:
        made = "".join(f"long q{n} = {text}; " for n, text in enumerate(arguments))
        names = "".join(f", q{n}" for n in range(len(arguments)))
        return f"({{ {made}a_{function}(cur{names}); }})"

    def _binary(self, expression: ir.Binary) -> str:
        left, right = self.text(expression.left), self.text(expression.right)
        if any(isinstance(item, ir.AtomicCall) for item in subexpressions(expression)):
            made = f"long x_ = {left}; long y_ = {right}; "
            left, right = "x_", "y_"
        else:
            made = ""
        name = CALLED.get(expression.operator)
        text = f"{name}({left}, {right})" if name else f"({left} {expression.operator} {right})"
        return f"({{ {made}{text}; }})" if made else text

    def _local(self, local: ir.Local) -> str:
        if local.function not in self.program.functions:
            return c_name(local.name)
        place = self.layout.local_place(local.function, local.name)
        return f"ld(frame[cur] + {place.offset}, {width_code(place.width, place.signed)})"

    def _checked(self, struct: str, reference: ir.Expr, error: int) -> str:
        count = self.layout.count(struct)
        return f"within({self.text(reference)}, 1, {count}, {error})"

    def _place(self, item: ir.LoadField | ir.SetField, error: int) -> tuple[str, int]:
        where = self.layout.field_place(item.struct, item.field)
        index = "0" if item.index is None else self.text(item.index)
        length = 1 if where.length is None else where.length
        count = self.layout.count(item.struct)
        place = (f"at({self.text(item.reference)}, {count}, {where.base}, {where.stride}, "
                 f"{index}, {length}, {where.width}, {error})")
        return place, width_code(where.width, where.signed)

    # ---- statements ------------------------------------------------------------------------------

    def body(self, statements: Iterable[ir.Stmt]) -> str:
        """C of statements in braces."""
        return "{ " + " ".join(self.statement(item) for item in statements) + " }"

    def statement(self, statement: ir.Stmt) -> str:
        """C of one statement."""
        match statement:
            case ir.SetLocal(target, value, error):
                return self.set_local(target, self.text(value), error)
            case ir.SetField():
                return self._set_field(statement)
            case ir.If(test, then, otherwise):
                rest = f" else {self.body(otherwise)}" if otherwise else ""
                return f"if ({self.text(test)}) {self.body(then)}{rest}"
            case ir.While(test, body, error):
                return (f"{{ long n_ = 0; while ({self.text(test)}) {{ "
                        f"if (++n_ > 100000) fail(4, {error}); {self.body(body)} }} }}")
            case ir.Break():
                return "break;"
            case ir.Continue():
                return "continue;"
            case ir.Evaluate(value):
                return f"{self.text(value)};"
            case ir.Alloc(struct, target):
                return self._alloc(struct, target)
            case ir.Free(struct, reference, error):
                return f"free_{struct}({self.text(reference)}, {error});"
            case ir.Assert(test, number):
                return f"if (!{self.text(test)}) fail(3, {number});"
            case ir.Return(value):
                return f"return {'0' if value is None else self.text(value)};"
            case ir.Jump(label):
                return f"pc(cur, {label}); return;"
            case ir.ReturnJump(function):
                return self._return_jump(function)
            case ir.Finish():
                return "pc(cur, 0); return;"
            case ir.Emit():
                return ";"

    def bounds(self, kind: ir.Type) -> tuple[int, int] | None:
        """Lowest and highest value of a bounded integer type, None for other types."""
        if isinstance(kind, ir.IntType) and kind.low is not None and kind.high is not None:
            return self.constant(kind.low), self.constant(kind.high)
        return None

    def set_local(self, target: ir.Local, value: str, error: int) -> str:
        """C that stores a value in a local; error 0: without a check of its range."""
        step = self.program.functions.get(target.function)
        owner = step or self.program.atomics[target.function]
        bounds = self.bounds(owner.locals[target.name])
        if error and bounds is not None:
            value = f"within({value}, {bounds[0]}L, {bounds[1]}L, {error})"
        if step is None:
            return f"{c_name(target.name)} = {value};"
        place = self.layout.local_place(target.function, target.name)
        code = width_code(place.width, place.signed)
        return f"st(frame[cur] + {place.offset}, {code}, {value});"

    def _set_field(self, item: ir.SetField) -> str:
        field = self.program.structs[item.struct].fields[item.field]
        place, code = self._place(item, item.error)
        value = self.text(item.value)
        bounds = self.bounds(field.type)
        checked = "v_" if not item.range_error or bounds is None else (
            f"within(v_, {bounds[0]}L, {bounds[1]}L, {item.range_error})")
        # Reference and index first, then the value, then the checks: as in lang/evaluate.py.
        return f"{{ long v_ = {value}; long p_ = {place}; st(p_, {code}, {checked}); }}"

    def _alloc(self, struct: str, target: ir.Local) -> str:
        base, count = self.layout.region("free", struct, "0"), self.layout.count(struct)
        found = (f"long f_ = 0; for (long i_ = 0; i_ < {count}; i_++) "
                 f"if (!now.S[{base} + i_]) {{ now.S[{base} + i_] = 1; f_ = i_ + 1; break; }}")
        return f"{{ {found} {self.set_local(target, 'f_', 0)} }}"

    def _return_jump(self, function: str) -> str:
        place = self.layout.local_place(function, RETURN_SITE)
        code = width_code(place.width, place.signed)
        where = f"frame[cur] + {place.offset}"
        return (f"{{ long s_ = ld({where}, {code}); st({where}, {code}, 0); "
                f"pc(cur, sites_{function}[s_]); return; }}")

    # ---- functions -------------------------------------------------------------------------------

    def free_function(self, struct: str) -> str:
        """free(): mark free and zero the scalar fields."""
        base, count = self.layout.region("free", struct, "0"), self.layout.count(struct)
        lines = [f"static void free_{struct}(long r, long e) {{ within(r, 1, {count}, e);",
                 f"    if (!now.S[{base} + r - 1]) fail(4, e); now.S[{base} + r - 1] = 0;"]
        for name, field in self.program.structs[struct].fields.items():
            if field.length is None and not field.own:
                where = self.layout.field_place(struct, name)
                lines.append(f"    st({where.base} + (r - 1) * {where.stride}, {where.width}, 0);")
        return "\n".join([*lines, "}"])

    def atomic_head(self, function: ir.AtomicFunction) -> str:
        """The head of an atomic function in C."""
        parameters = "".join(f", long {c_name(name)}" for name, _ in function.parameters)
        return f"static long a_{function.name}(long cur{parameters})"

    def atomic(self, function: ir.AtomicFunction) -> str:
        """An atomic function in C."""
        given = {name for name, _ in function.parameters}
        made = "".join(f"long {c_name(n)} = 0; " for n in function.locals if n not in given)
        return f"{self.atomic_head(function)} {{ {made}{self.body(function.body)} return 0; }}"


def c_name(name: str) -> str:
    """A local's name in C."""
    return "l_" + re.sub(r"\W", "_", name)


def width_code(width: int, signed: bool) -> int:
    """Bytes, negative when signed."""
    return -width if signed and width < 8 else width
