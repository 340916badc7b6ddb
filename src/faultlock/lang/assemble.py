# SPDX-License-Identifier: GPL-2.0-only
"""Putting a Program together: roots, functions, passes, tables."""

from __future__ import annotations

import ast

from faultlock.lang.block import BlockCompiler
from faultlock.lang.checks import check_recursion, check_unused
from faultlock.lang.constants import evaluate_constant
from faultlock.lang.control import simplify_control
from faultlock.lang.deadlocals import clear_dead_locals
from faultlock.lang.expressions import ExpressionBuilder
from faultlock.lang.footprint import mark_footprints
from faultlock.lang.labels import RETURN_SITE, Labels
from faultlock.lang.program import (
    AtomicCall,
    AtomicFunction,
    Const,
    IntType,
    NoneType,
    Program,
    Property,
    ThreadEntry,
)
from faultlock.lang.prune import prune_state
from faultlock.lang.source import (
    FunctionSource,
    Namespace,
)
from faultlock.lang.steps import compile_step_function
from faultlock.lang.symbols import Symbols
from faultlock.lang.traverse import expressions_in, step_expressions

MAX_THREADS_PER_ENTRY = 16


def assemble(
    name: str,
    space: Namespace,
    values: dict[str, int],
    statistics: bool,
    everything: bool,
    ignored: frozenset[str] = frozenset(),
) -> Program | None:
    """Compile a namespace; None when there were errors (they are in space.errors)."""
    symbols = Symbols(space, ignored=ignored)
    _find_wake_fields(symbols)
    _bind_parameters(symbols, values)
    threads = _threads(symbols)
    if threads and "N_THREADS" in symbols.parameters:
        symbols.parameters["N_THREADS"] = len(threads)
    symbols.bound = not statistics  # the checker's parameters are constants from here on
    symbols.constants.clear()
    symbols.read_structs()
    _check_thread_struct(symbols)
    labels = Labels(symbols, statistics)
    roots = _roots(space, threads, everything)
    labels.roots = {item.name for item in roots}
    for function in roots:
        labels.entry_of(function.name)
    if everything:
        for function in space.functions.values():
            if not function.is_atomic:
                labels.entry_of(function.name)
    while labels.pending:
        compile_step_function(labels, space.functions[labels.pending.pop()])
    atomics = _compile_atomics(symbols, labels, statistics, everything)
    check_recursion(symbols, labels, atomics)
    check_unused(symbols)
    for constant in space.constants:  # a constant that nobody uses may be wrong, too
        symbols.named_constant(constant)
    if space.errors:
        return None
    return _finish(name, symbols, labels, atomics, threads, everything, roots)


def _finish(
    name: str,
    symbols: Symbols,
    labels: Labels,
    atomics: dict[str, AtomicFunction],
    threads: list[ThreadEntry],
    everything: bool,
    roots: list[FunctionSource],
) -> Program:
    space = symbols.space
    starts = [labels.entries[item.name] for item in roots]
    if everything:
        starts = list(labels.entries.values())
    for function_name in labels.functions:  # lint compiles functions that nobody calls, too
        if function_name not in labels.roots:
            labels.return_sites.setdefault(function_name, [])
    for function_name, sites in labels.return_sites.items():
        kind = IntType(Const(0), Const(len(sites)), RETURN_SITE)
        labels.functions[function_name].locals[RETURN_SITE] = kind
    simplify_control(labels, starts)
    clear_dead_locals(labels)
    for thread in threads:
        thread.entry = labels.entries[thread.function]
    program = _program(name, symbols, labels, atomics, threads)
    for constant in space.constants:
        value = symbols.named_constant(constant)
        assert value is not None
        program.constants[constant] = evaluate_constant(value, symbols.parameters)
    if symbols.bound and not everything:
        prune_state(program)
    mark_footprints(program)
    return program


def _program(
    name: str,
    symbols: Symbols,
    labels: Labels,
    atomics: dict[str, AtomicFunction],
    threads: list[ThreadEntry],
) -> Program:
    space = symbols.space
    roles = {
        n: labels.entries[n]
        for n, f in space.functions.items()
        if "role" in f.decorators and n in labels.entries
    }
    setups = [n for n, f in space.functions.items() if "setup" in f.decorators]
    return Program(
        name,
        symbols.parameters,
        symbols.structs,
        atomics,
        labels.functions,
        [labels.steps[label] for label in sorted(labels.steps)],
        labels.return_sites,
        threads,
        roles,
        setups[-1] if setups else None,
        _properties(space),
        symbols.costs,
        symbols.choices,
        symbols.events,
        symbols.assertions,
        symbols.errors,
    )


def _find_wake_fields(symbols: Symbols) -> None:
    """Fields of Thread that a wait condition reads: writing them wakes that thread."""
    symbols.wake_fields.add("fatal_signal_pending")
    for function in symbols.space.functions.values():
        first, last = function.node.lineno - 1, function.node.end_lineno
        if not any("wait(" in line for line in function.source.lines[first:last]):
            continue  # walking every tree would cost a fifth of the compile time
        for node in ast.walk(function.node):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "wait"
                and node.args
            ):
                for part in ast.walk(node.args[0]):
                    if (
                        isinstance(part, ast.Attribute)
                        and isinstance(part.value, ast.Name)
                        and part.value.id == "current"
                    ):
                        symbols.wake_fields.add(part.attr)


def _check_thread_struct(symbols: Symbols) -> None:
    thread = symbols.structs.get("Thread")
    if thread is None or "fatal_signal_pending" not in thread.fields:
        for item in list(symbols.space.functions.values())[:1]:
            symbols.space.error(
                item.source,
                item.node,
                "no struct Thread with fatal_signal_pending",
                "class Thread(Struct, count=N_THREADS) with fatal_signal_pending: bool",
            )


def _bind_parameters(symbols: Symbols, values: dict[str, int]) -> None:
    for name, (node, source) in symbols.space.parameters.items():
        expression = symbols.constant(node, source)
        symbols.parameters[name] = (
            values[name] if name in values else evaluate_constant(expression, symbols.parameters)
        )
    for name in values:
        if name not in symbols.space.parameters:
            from faultlock.errors import FaultlockError

            raise FaultlockError(f"{name} is not a parameter of the model; {symbols.nearest(name)}")


def _threads(symbols: Symbols) -> list[ThreadEntry]:
    result: list[ThreadEntry] = []
    for function in symbols.space.functions.values():
        decorator = function.decorators.get("thread")
        if decorator is None:
            continue
        call = decorator if isinstance(decorator, ast.Call) else None
        label = (
            call.args[0].value
            if call and call.args and isinstance(call.args[0], ast.Constant)
            else None
        )
        if not isinstance(label, str):
            symbols.space.error(
                function.source, function.node, "a thread needs a name", '@thread("T1")'
            )
            continue
        assert call is not None
        count, daemon = 1, False
        for keyword in call.keywords:
            if keyword.arg == "count":
                count = evaluate_constant(
                    symbols.constant(keyword.value, function.source), symbols.parameters
                )
            elif keyword.arg == "daemon":
                daemon = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        count = max(0, min(count, MAX_THREADS_PER_ENTRY))
        for number in range(count):
            shown = label if count == 1 else f"{label}{number + 1}"
            result.append(ThreadEntry(shown, function.name, 0, daemon))
    return result


def _roots(space: Namespace, threads: list[ThreadEntry], everything: bool) -> list[FunctionSource]:
    names = {item.function for item in threads}
    roots = []
    for name, function in space.functions.items():
        is_role = "role" in function.decorators
        if not (name in names or (is_role and (everything or not threads))):
            continue
        if function.node.args.args or (
            function.node.returns is not None
            and not (
                isinstance(function.node.returns, ast.Constant)
                and function.node.returns.value is None
            )
        ):
            space.error(
                function.source,
                function.node,
                f"{name} is the entry of a thread",
                "it has no parameters and returns nothing",
            )
        roots.append(function)
    return roots


def _compile_atomics(
    symbols: Symbols, labels: Labels, statistics: bool, everything: bool
) -> dict[str, AtomicFunction]:
    needed = [
        f.name
        for f in symbols.space.functions.values()
        if f.is_atomic and (everything or set(f.decorators) - {"atomic"})
    ]
    for step in labels.steps.values():
        needed += [part.function for part in step_expressions(step) if isinstance(part, AtomicCall)]
    if statistics:  # the simulator calls atomic functions by name to set a workload up
        needed += [
            f.name
            for f in symbols.space.functions.values()
            if f.is_atomic and f.name.startswith("setup_")
        ]
    result: dict[str, AtomicFunction] = {}
    while needed:
        name = needed.pop()
        if name in result:
            continue
        result[name] = _compile_atomic(symbols, symbols.space.functions[name], statistics)
        needed += [
            part.function
            for part in expressions_in(result[name].body)
            if isinstance(part, AtomicCall)
        ]
    return result


def _compile_atomic(symbols: Symbols, function: FunctionSource, statistics: bool) -> AtomicFunction:
    builder = ExpressionBuilder(symbols, function, atomic=True)
    block = BlockCompiler(builder, drop_statistics=not statistics)
    parameters = block.declare_parameters()
    body = block.block(function.node.body)
    returns = symbols.type_of(function.node.returns, function.source)
    if not isinstance(returns, NoneType) and not block.ends:
        builder.error(
            function.node.body[-1],
            f"{function.name} ends without a return",
            "return a value on every path",
        )
    return AtomicFunction(
        function.name,
        parameters,
        returns,
        dict(builder.locals),
        body,
        function.source.path,
        function.node.lineno,
        ast.get_docstring(function.node) or "",
    )


def _properties(space: Namespace) -> list[Property]:
    result = []
    for name, function in space.functions.items():
        for kind in ("always", "eventually", "sometimes"):
            decorator = function.decorators.get(kind)
            if not isinstance(decorator, ast.Call) or not decorator.args:
                continue
            text = decorator.args[0].value if isinstance(decorator.args[0], ast.Constant) else name
            result.append(
                Property(
                    kind,
                    str(text),
                    name,
                    ast.get_docstring(function.node) or "",
                    function.source.path,
                    function.node.lineno,
                )
            )
    return result
