# SPDX-License-Identifier: GPL-2.0-only
"""Places of scalars in the bytes of a state."""

from __future__ import annotations

import pytest

from faultlock.errors import FaultlockError, LimitReached
from faultlock.lang import program as ir
from faultlock.lang.layout import Layout
from faultlock.lang.memory import sparse_buffer
from tests.unit.lang_backends.programs import BOOL, INT, Builder, C, between, field, pool, spinning


def shapes() -> ir.Program:
    """Fields of every width and sign, and step functions that call each other."""
    b = Builder(N_THREADS=2, LENGTH=3)
    b.threads(ir.Param("N_THREADS"))
    b.struct(
        "Small", C(254), field("flag", BOOL), field("byte", between(0, 255)),
        field("signed_byte", between(-128, 127)), field("word", between(0, 256)),
        field("signed_word", between(-1, 128)), field("long", between(0, 65536)),
        field("all", INT), field("self", ir.RefType("Small")), field("large", ir.RefType("Large")),
    )  # fmt: skip
    b.struct("Large", C(255), field("items", between(0, 700), ir.Param("LENGTH")))
    b.function("top", {"a": between(0, 9)}, calls=("left", "right"))
    b.step("top", ir.Finish())
    b.function("left", {"x": INT, "y": BOOL}, calls=("shared",))
    b.step("left", ir.Finish())
    b.function("right", {"x": BOOL})
    b.step("right", ir.Finish())
    b.function("shared", {"s": BOOL})
    b.step("shared", ir.Finish())
    b.thread("top")
    b.thread("right")
    return b.program


def test_check_mode_gives_every_scalar_the_fewest_bytes() -> None:
    layout = Layout(shapes())
    names = ["flag", "byte", "signed_byte", "word", "signed_word", "long", "all", "self", "large"]
    widths = {name: layout.offset("Small", name, 1)[1] for name in names}
    assert widths == {
        "flag": 1, "byte": 1, "signed_byte": 1, "word": 2, "signed_word": 2, "long": 4, "all": 8,
        "self": 1, "large": 2,  # 255 instances and the reserved value 256
    }  # fmt: skip


def test_simulate_mode_gives_every_scalar_four_bytes_and_an_unbounded_int_eight() -> None:
    layout = Layout(shapes(), mode="simulate")
    assert layout.offset("Small", "flag", 1)[1] == 4
    assert layout.offset("Small", "large", 1)[1] == 4
    assert layout.offset("Small", "all", 1)[1] == 8


@pytest.mark.parametrize("mode", ["check", "simulate"])
def test_no_two_variables_share_bytes_except_locals_of_a_thread(mode: str) -> None:
    layout = Layout(shapes(), mode=mode)
    owners: dict[int, str] = {}
    for variable in layout.variables():
        what = str(variable.key[:2]) if variable.key[0] == "local" else str(variable.key)
        for byte in range(variable.place.offset, variable.place.offset + variable.place.width):
            assert byte < layout.size
            assert owners.setdefault(byte, what) == what


def test_frames_of_a_function_and_its_callees_are_apart_and_of_two_callees_shared() -> None:
    layout = Layout(shapes())
    assert layout.frame_ends["top"] <= layout.frame_offsets["left"]
    assert layout.frame_offsets["left"] == layout.frame_offsets["right"]
    assert layout.frame_ends["left"] <= layout.frame_offsets["shared"]


def test_a_frame_is_as_long_as_its_thread_needs() -> None:
    layout = Layout(shapes())
    first, second = layout.frame_bases
    assert second - first == layout.frame_ends["shared"]
    assert layout.region("struct", "Thread") - second == layout.frame_ends["right"]


@pytest.mark.parametrize("mode", ["check", "simulate"])
def test_values_come_back(mode: str) -> None:
    layout = Layout(shapes(), mode=mode)
    state = layout.new_state()
    layout.set(state, "Small", 254, "signed_word", -1)
    layout.set(state, "Large", 255, "items", 700, 2)
    layout.set_local(state, 1, "left", "x", -(2**63))
    assert layout.get(state, "Small", 254, "signed_word") == -1
    assert layout.get(state, "Large", 255, "items", 2) == 700
    assert layout.get_local(state, 1, "left", "x") == -(2**63)
    assert [layout.pc(state, thread) for thread in (1, 2)] == [1, 3]
    assert sum(layout.get(state, "Large", 255, "items", n) for n in (0, 1)) == 0


def test_places_outside_a_pool_are_refused() -> None:
    layout = Layout(shapes())
    state = layout.new_state()
    with pytest.raises(IndexError, match=r"Small 255: instances are 1 \.\. 254"):
        layout.get(state, "Small", 255, "flag")
    with pytest.raises(IndexError, match=r"Large\.items\[3\]: the length is 3"):
        layout.get(state, "Large", 1, "items", 3)
    with pytest.raises(OverflowError):
        layout.set(state, "Small", 1, "byte", 256)


def test_ranges_that_cannot_be_stored_are_refused() -> None:
    program = shapes()
    wide = field("wide", ir.IntType(C(0), ir.Param("LENGTH")))
    program.structs["Large"].fields["wide"] = wide
    with pytest.raises(FaultlockError, match=r"Large.wide: the range 0 \.\. 4294967296 does not"):
        Layout(program, {"LENGTH": 2**32}, mode="simulate")
    with pytest.raises(FaultlockError, match=r"Large.wide: the range 0 \.\. -1 is empty"):
        Layout(program, {"LENGTH": -1})


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(FaultlockError, match="Item: the count is -1; set parameters"):
        Layout(pool(-1))
    with pytest.raises(FaultlockError, match="Item: the count is 1073741825, more than 1073741824"):
        Layout(pool(64**5 + 1), mode="simulate")
    program = spinning()
    program.steps *= 10_000
    with pytest.raises(FaultlockError, match="test: 50000 steps are more than 32767"):
        Layout(program)
    with pytest.raises(LimitReached, match="no address space for a state of 9007199254740992 b"):
        sparse_buffer(1 << 53)


def test_the_head_of_a_simulated_state_does_not_depend_on_the_workload() -> None:
    small, large = (Layout(pool(n), mode="simulate") for n in (1, 100_000_000))
    assert small.table == large.table
    assert small.pc_base == large.pc_base


def test_a_hundred_million_instances_cost_no_memory_until_they_are_used() -> None:
    layout = Layout(pool(100_000_000), mode="simulate")
    assert layout.size > 400_000_000
    state = layout.new_state()
    layout.set(state, "Item", 100_000_000, "value", 9)
    assert layout.get(state, "Item", 100_000_000, "value") == 9
    assert layout.describe(state, most=2)["Item"] == {"more": 99_999_998}


def test_a_state_is_described_by_names() -> None:
    layout = Layout(spinning())
    state = layout.new_state()
    layout.set(state, "Lock", 1, "count", 3)
    description = layout.describe(state)
    assert description["Lock"] == {1: {"held": 0, "count": 3}}
    assert description["threads"][2] == {"at": "worker:1", "worker.got": 0, "worker.next": 0}
