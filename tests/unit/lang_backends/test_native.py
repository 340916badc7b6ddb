# SPDX-License-Identifier: GPL-2.0-only
"""The native code: its calls, its free maps, its place on disk."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from faultlock.lang import native
from faultlock.lang import program as ir
from faultlock.lang.constants import BINARY, MAXIMUM, MINIMUM, UNARY
from faultlock.lang.evaluate import Machine
from faultlock.lang.layout import Layout
from faultlock.lang.llvm_module import DROPPED, RECORD_LIMIT
from faultlock.lang.native import ModelFailure, compile_native
from faultlock.lang.python_program import PythonProgram
from tests.unit.lang_backends.programs import BOOL, INT, Builder, C, between, field, pool, spinning

MODES = ["check", "simulate"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Each test compiles for itself."""
    monkeypatch.setenv("FAULTLOCK_CACHE", str(tmp_path))
    yield tmp_path


def one_step(*body: ir.Stmt, **more: object) -> ir.Program:
    """Two threads at a step with this body."""
    b = Builder(N_THREADS=2)
    b.threads(C(2), field("woken", BOOL, wakes=True), field("number", between(0, 3)))
    b.struct("Box", C(2), field("u", between(0, 300)), field("items", between(0, 9), C(3)))
    b.function("main", {"i": INT, "small": between(0, 3)})
    b.step("main", *body, ir.Jump(1), **more)
    b.thread("main")
    b.thread("main")
    return b.program


I = ir.Local("main", "i")  # noqa: E741 - the local is called i
WOKEN = ir.LoadField("Thread", "woken", ir.Current(), None, 0)


def outcome(program: ir.Program, mode: str, choice: int = native.NO_CHOICE) -> list[int]:
    """Code and out[1..3] of one step of thread 1."""
    compiled = compile_native(program, mode)
    state, out = compiled.new_state(), compiled.new_out()
    return [compiled.step(state, 1, out, choice), *(int(word) for word in out[1:4])]


@pytest.mark.parametrize("mode", MODES)
def test_a_blocked_step_says_what_it_waits_for_and_changes_nothing(mode: str) -> None:
    program = one_step(kind=ir.WAIT, guard=WOKEN, reason=("Box", C(2)))
    compiled = compile_native(program, mode)
    state, out = compiled.new_state(), compiled.new_out()
    before = bytes(state)
    assert compiled.step(state, 1, out) == native.BLOCKED
    assert list(out[1:4]) == [1, program.structs["Box"].number, 2]
    assert bytes(state) == before
    compiled.layout.set(state, "Thread", 1, "woken", 1)
    assert compiled.step(state, 1, out) == native.RAN


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("killable", "code"), [(True, native.RAN), (False, native.BLOCKED)])
def test_a_fatal_signal_ends_a_killable_wait_only(mode: str, killable: bool, code: int) -> None:
    compiled = compile_native(one_step(kind=ir.WAIT, guard=WOKEN, killable=killable), mode)
    state = compiled.new_state()
    compiled.layout.set(state, "Thread", 1, "fatal_signal_pending", 1)
    assert compiled.step(state, 1, compiled.new_out()) == code


@pytest.mark.parametrize("mode", MODES)
def test_a_choice_is_asked_for_taken_and_refused(mode: str) -> None:
    odd = ir.Binary("==", ir.Binary("%", I, C(2)), C(1))
    program = one_step(kind=ir.CHOOSE, low=C(1), high=C(4), target=I, choice=1, guard=odd)
    assert outcome(program, mode) == [native.CHOICE, 1, 4, 1]
    compiled = compile_native(program, mode)
    codes = {}
    for choice in range(5):
        state = compiled.new_state()
        codes[choice] = compiled.step(state, 1, compiled.new_out(), choice)
        expected = choice if codes[choice] == native.RAN else 0
        assert compiled.layout.get_local(state, 1, "main", "i") == expected
    assert codes == {0: 0, 1: 1, 2: 0, 3: 1, 4: 0}
    empty = one_step(kind=ir.CHOOSE, low=C(1), high=C(1), target=I)
    assert outcome(empty, mode)[0] == native.BLOCKED


def test_cost_and_sleep_are_told_to_the_simulator_only() -> None:
    cost = one_step(kind=ir.CPU, cost=1, amount=C(7))
    assert outcome(cost, "simulate")[:3] == [native.CPU, 1, 7]
    assert outcome(cost, "check")[0] == native.RAN
    sleep = one_step(kind=ir.SLEEP, amount=C(9))
    assert outcome(sleep, "simulate")[:2] == [native.SLEEP, 9]
    assert outcome(sleep, "check")[0] == native.RAN


def test_records_of_events_and_of_wakes() -> None:
    def wake(thread: ir.Expr) -> ir.Stmt:
        return ir.SetField("Thread", "woken", thread, None, C(1), 1, 0, True)

    program = one_step(ir.Emit(2, (C(5), ir.Current())), wake(C(2)), wake(C(1)), wake(ir.Current()))
    compiled = compile_native(program, "simulate")
    state, out = compiled.new_state(), compiled.new_out()
    assert compiled.step(state, 1, out) == native.RAN
    assert out[0] == 2  # a thread that writes its own field wakes nobody
    assert out[8:16].tolist() == [2, 5, 1, 0, -1, 2, 0, 0]
    checked = compile_native(program, "check")
    out[:] = 0
    assert checked.step(checked.new_state(), 1, out) == native.RAN
    assert out[0] == 0


def test_more_records_of_a_step_than_fit_are_dropped_and_counted() -> None:
    more = ir.SetLocal(I, ir.Binary("+", I, C(1)))
    loop = ir.While(ir.Binary("<", I, C(RECORD_LIMIT + 500)), (more, ir.Emit(1, (I,))), 3)
    compiled = compile_native(one_step(loop), "simulate")
    state, out = compiled.new_state(), compiled.new_out()
    assert compiled.step(state, 1, out) == native.RAN
    assert out[0] == RECORD_LIMIT
    assert out[8 + 4 * (RECORD_LIMIT - 1) :].tolist() == [1, RECORD_LIMIT, 0, 0]
    assert out[DROPPED] == 500


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (ir.SetLocal(I, ir.LoadField("Box", "u", C(0), None, 4)), [5, 4]),
        (ir.SetLocal(I, ir.LoadField("Box", "u", C(3), None, 4)), [5, 4]),
        (ir.SetLocal(I, ir.LoadField("Box", "items", C(1), C(3), 4)), [5, 4]),
        (ir.SetLocal(I, ir.LoadField("Box", "items", C(1), C(-1), 4)), [5, 4]),
        (ir.SetField("Box", "items", C(2), C(3), C(1), 4, 6), [5, 4]),
        (ir.SetField("Box", "u", C(2), None, C(301), 4, 6), [5, 6]),
        (ir.SetField("Box", "u", C(2), None, C(-1), 4, 6), [5, 6]),
        (ir.SetLocal(ir.Local("main", "small"), C(4), 8), [5, 8]),
        (ir.While(C(1), (), 9), [5, 9]),
        (ir.Assert(ir.Binary("==", I, C(1)), 3), [4, 3]),
    ],
)
def test_errors_are_reported_by_number(mode: str, statement: ir.Stmt, expected: list[int]) -> None:
    program = one_step(statement)
    assert outcome(program, mode)[:2] == expected
    machine, text = Machine(program, mode=mode), PythonProgram(program, mode=mode)
    assert list(machine.step(1)[:2]) == expected
    out = [0] * native.OUT_WORDS
    assert [text.step(text.new_state(), 1, None, out), out[1]] == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [-(2**63), -1, 0, 1, 2, 3, 4, 300, 301, 2**32, 2**63 - 1])
def test_checks_of_values_that_are_known_at_run_time_only(mode: str, value: int) -> None:
    def codes(statement: ir.Stmt) -> int:
        return outcome(one_step(ir.SetLocal(I, C(value)), statement), mode)[0]

    def code(holds: bool) -> int:
        return native.RAN if holds else native.ERROR

    box, bad = ir.LoadField("Box", "u", I, None, 4), ir.LoadField("Box", "items", C(1), I, 4)
    assert codes(ir.Evaluate(box)) == code(1 <= value <= 2)
    assert codes(ir.Evaluate(bad)) == code(0 <= value < 3)
    assert codes(ir.SetField("Box", "items", C(2), I, C(1), 4, 6)) == code(0 <= value < 3)
    assert codes(ir.SetField("Box", "u", I, None, C(1), 4, 6)) == code(1 <= value <= 2)
    assert codes(ir.SetField("Box", "u", C(1), None, I, 4, 6)) == code(0 <= value <= 300)
    assert codes(ir.SetLocal(ir.Local("main", "small"), I, 6)) == code(0 <= value <= 3)
    assert codes(ir.Assert(ir.Binary("<", I, C(3)), 2)) == (
        native.RAN if value < 3 else native.FAILED
    )


EDGES = [0, 1, 2, 3, 7, 62, 63, 64, 65, 2**31, 2**62, MAXIMUM]
EDGES += [-edge for edge in EDGES[1:]] + [MINIMUM]


@pytest.mark.parametrize("mode", MODES)
def test_operators_agree_at_the_edges(mode: str) -> None:
    program = pool(1)
    names = {operator: f"binary{number}" for number, operator in enumerate(BINARY)}
    names |= {operator: f"unary{number}" for number, operator in enumerate(UNARY)} | {"-": "minus"}
    b = Builder()
    for operator in BINARY:
        name = f"binary_{names[operator]}"
        sides = (ir.Local(name, "a"), ir.Local(name, "b"))
        b.atomic(name, ["a", "b"], [ir.Return(ir.Binary(operator, *sides))])
    for operator in UNARY:
        name = f"unary_{names[operator]}"
        b.atomic(name, ["a"], [ir.Return(ir.Unary(operator, ir.Local(name, "a")))])
    program.atomics = b.program.atomics
    compiled, text = compile_native(program, mode), PythonProgram(program, mode=mode)
    state, slots = compiled.new_state(), text.new_state()
    for left in EDGES:
        for operator, unary in UNARY.items():
            name = f"unary_{names[operator]}"
            if unary(left) - MINIMUM < 64:  # would read as a failed call
                continue
            assert compiled.call(name, state, 1, left) == unary(left), (operator, left)
            assert text.call(name, slots, 1, left) == unary(left), (operator, left)
        for right in EDGES:
            for operator, binary in BINARY.items():
                name, expected = f"binary_{names[operator]}", binary(left, right)
                if expected - MINIMUM < 64:  # would read as a failed call
                    continue
                assert compiled.call(name, state, 1, left, right) == expected, (
                    operator,
                    left,
                    right,
                )
                assert text.call(name, slots, 1, left, right) == expected, (operator, left, right)


@pytest.mark.parametrize("mode", MODES)
def test_run_stops_at_fuel_records_and_the_end(mode: str) -> None:
    compiled = compile_native(spinning(), mode)
    state, out = compiled.new_state(), compiled.new_out()
    assert (compiled.run(state, 1, out, 0), out[4]) == (native.RAN, 0)
    assert (compiled.run(state, 1, out, 12), out[4]) == (native.RAN, 12)
    finishing = compile_native(pool(1), mode)
    state = finishing.new_state()
    assert (finishing.run(state, 1, out, 5), out[4]) == (native.FINISHED, 1)
    telling = compile_native(one_step(ir.Emit(1, ())), mode)
    expected = 1 if mode == "simulate" else 6
    assert (telling.run(telling.new_state(), 1, out, 6), out[4]) == (native.RAN, expected)
    costly = compile_native(one_step(kind=ir.CPU, amount=C(1)), "simulate")
    out[:] = 0
    assert (costly.run(costly.new_state(), 1, out, 6), out[4]) == (native.CPU, 1)


@pytest.mark.parametrize("mode", MODES)
def test_a_failed_call_raises_with_its_place(mode: str) -> None:
    compiled = compile_native(pool(2), mode)
    state = compiled.new_state()
    with pytest.raises(ModelFailure, match=r"t.py:4: null dereference: text 4"):
        compiled.call("get", state, 1, 0)
    with pytest.raises(KeyError, match="absent is not an atomic function"):
        compiled.address("absent")
    with pytest.raises(TypeError, match="get takes 1 arguments"):
        compiled.call("get", state, 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 130, 4097])
def test_alloc_gives_the_lowest_free_instance(mode: str, count: int) -> None:
    compiled = compile_native(pool(count), mode)
    state = compiled.new_state()
    free = set(range(1, count + 1))
    used: list[int] = []
    choices = random.Random(count)
    if count > 200:  # fill most of it in one call
        assert compiled.call("take_many", state, 1, count - 1) == count - 1
        used = list(range(1, count))
        free = {count}
    for _ in range(400):
        if used and choices.random() < 0.45:
            item = used.pop(choices.randrange(len(used)))
            compiled.call("give", state, 1, item)
            free.add(item)
        else:
            expected = min(free, default=0)
            assert compiled.call("take", state, 1) == expected
            if expected:
                free.discard(expected)
                used.append(expected)
    for item in range(1, count + 1):
        assert compiled.layout.is_allocated(state, "Item", item) == (item not in free)


def test_alloc_in_a_pool_of_a_hundred_million_with_full_words_below() -> None:
    program = pool(100_000_000)
    compiled = compile_native(program, "simulate")
    state = compiled.new_state()
    full = 64**3 + 5
    for _ in range(3):  # a loop has at most 100,000 rounds
        compiled.call("take_many", state, 1, full // 3)
    assert compiled.call("take", state, 1) == full // 3 * 3 + 1
    compiled.call("give", state, 1, 100_000)
    compiled.call("give", state, 1, 70)
    assert [compiled.call("take", state, 1) for _ in range(3)] == [70, 100_000, full // 3 * 3 + 2]


def test_one_simulator_code_serves_all_parameter_values(own_cache: Path) -> None:
    program = pool(3)
    compile_native(program, "simulate")
    for count in (1, 70, 5000):
        compiled = compile_native(
            program, "simulate", Layout(program, {"N_ITEMS": count}, "simulate")
        )
        state = compiled.new_state()
        assert compiled.call("take_many", state, 1, count) == count
        assert compiled.call("take", state, 1) == 0
    assert len(list(own_cache.glob("*.o"))) == 1


def test_checked_code_depends_on_the_parameter_values_even_with_a_digest() -> None:
    program = pool(3)
    program.digest = "the same"
    for count in (2, 5):
        compiled = compile_native(program, "check", Layout(program, {"N_ITEMS": count}))
        state = compiled.new_state()
        assert compiled.call("take_many", state, 1, count) == count


def count_compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The efforts that were compiled for, from now on."""
    calls: list[str] = []
    compile_text: Callable[[str, str], bytes] = native.compile_text

    def counting(text: str, effort: str) -> bytes:
        calls.append(effort)
        return compile_text(text, effort)

    monkeypatch.setattr(native, "compile_text", counting)
    return calls


def test_code_is_compiled_once_and_the_best_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_compilations(monkeypatch)
    for effort in ("quick", "quick", "best", "best", "quick"):
        compile_native(spinning(), effort=effort)
    assert calls == ["quick", "best"]
    changed = spinning()
    changed.steps[0] = replace(changed.steps[0], body=[ir.Jump(2)])
    compile_native(changed)
    assert calls == ["quick", "best", "quick"]


def test_a_damaged_cache_entry_is_compiled_again(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count_compilations(monkeypatch)
    compile_native(spinning())
    (entry,) = own_cache.glob("*.o")
    entry.write_bytes(entry.read_bytes()[:-100])
    compiled = compile_native(spinning())
    assert compiled.step(compiled.new_state(), 1, compiled.new_out()) == native.RAN
    assert calls == ["quick", "quick"]


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FAULTLOCK_CACHE", str(tmp_path / "file" / "folder"))
    compiled = compile_native(spinning())
    assert compiled.step(compiled.new_state(), 1, compiled.new_out()) == native.RAN
