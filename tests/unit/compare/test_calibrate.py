# SPDX-License-Identifier: GPL-2.0-only
"""Costs fitted from measurements of one actor alone, and what a host's FUSE adds to a read."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from faultlock.compare.calibrate import (
    READ_ADDED,
    Alone,
    Fit,
    alone,
    default_base,
    fit,
    rewritten,
    server_costs,
)  # fmt: skip
from faultlock.errors import FaultlockError
from faultlock.measure import host_latency
from faultlock.measure.as_run import as_run_on_host
from faultlock.measure.host_server import SERVER, with_server
from faultlock.sim.cost import DATA, load_costs
from faultlock.sim.run import simulate
from faultlock.workload import Workload, load, override, overrides
from faultlock.workload.distribution import parse_distribution
from tests.tools import faultlock

ALONE_TEXT = """
duration = "200ms"
[machine]
costs = "native-6.18"
[device]
latency = "1ms"
[[files]]
name = "slow"
size = "4GiB"
[[mappings]]
name = "m"
file = "slow"
count = {vmas}
[[threads]]
op = "fork"
think = "1ms"
"""


def document(
    name: str, actor: str, vmas: int = 8, clock: str = "host", added_ns: int = 0
) -> dict[str, Any]:
    times = {"p10_us": 50, "p50_us": 80, "p90_us": 90, "p99_us": 99, "max_us": 5000}
    return {
        "schema": "faultlock-measurement/1", "kernel": "linux-6.18.1", "policy": "drop-retry",
        "clock": clock, "cpus": 1, "device": {"latency_ns": 1_000_000, "read_added_ns": added_ns},
        "scenarios": [{
            "name": name, "params": {"seconds": 0.2},
            "actors": {actor: {"n": 100, "rate_hz": 500, "mean_us": 200.0, **times}},
            "workload": tomllib.loads(ALONE_TEXT.format(vmas=vmas)),
        }],
    }  # fmt: skip


def test_what_each_measurement_fixes() -> None:
    found = alone({
        "a": document("fork_alone", "fork"), "b": document("fork_alone", "fork", vmas=64),
        "c": document("fault_1", "fault", added_ns=7),
    })  # fmt: skip
    assert [(item.cost, item.times) for item in found] == [
        ("fork", 1), ("fork_vma", 64), (READ_ADDED, 1),
    ]  # fmt: skip
    assert {item.measured_us for item in found} == {80.0}, "medians on a host"
    assert found[2].read_added_ns == 7
    guest = alone({"d": document("fault_1", "fault", clock="qemu-icount-1ns-per-instruction")})
    assert (guest[0].cost, guest[0].measured_us) == ("read_folio", 200.0), "means in virtual time"


def test_measurements_that_fix_nothing_or_the_same() -> None:
    with pytest.raises(FaultlockError, match="no scenario of one actor alone"):
        alone({"a": document("fork_8f8v", "fork")})
    with pytest.raises(FaultlockError, match="b: fork_alone fixes fork, and so does an earlier"):
        alone({"a": document("fork_alone", "fork"), "b": document("fork_alone", "fork")})


def test_the_table_to_start_from() -> None:
    host, guest = document("fork_alone", "fork"), document("fork_alone", "fork", clock="qemu-x")
    assert default_base({"a": host}) == "native-6.18"
    assert default_base({"b": guest}) == "qemu-icount"
    with pytest.raises(FaultlockError, match="a, b: measured on a host and in virtual time"):
        default_base({"a": host, "b": guest})


def case(cost: str, times: int, measured_us: float) -> Alone:
    return Alone(cost, "fork", cost, times, "p50_us", measured_us, load("fork_alone"))


def test_costs_that_share_scenarios_are_fitted_together() -> None:
    def model_us(item: Alone, costs: Mapping[str, float]) -> float:
        vmas = 64 if item.cost == "fork_vma" else 8
        return 10 + costs["fork"] / 1000 + vmas * costs["fork_vma"] / 1000

    truth = {"fork": 40_000.0, "fork_vma": 300.0}
    wanted = [case("fork", 1, 10 + 40 + 2.4), case("fork_vma", 64, 10 + 40 + 19.2)]
    fits = fit(wanted, {"fork": 1000.0, "fork_vma": 9000.0}, model_us)
    for item in fits:
        assert item.new_ns == pytest.approx(truth[item.cost], rel=0.02)
        assert item.reached_us == pytest.approx(item.measured_us, abs=0.3)
    unreachable = fit([case("fork", 1, 2.0)], {"fork": 5.0, "fork_vma": 0.0},
                      lambda item, costs: 10 + costs["fork"])  # fmt: skip
    assert unreachable[0].new_ns == 0.0 and unreachable[0].reached_us == 10
    with pytest.raises(FaultlockError, match="the cost table has no `fork`"):
        fit([case("fork", 1, 2.0)], {}, lambda item, costs: 1.0)


def test_rewriting_keeps_comments_and_finds_the_host_table() -> None:
    text = "[costs]\nfork = 5 # why\nuser_touch = { ns = 60, user = true }\n"
    fits = [Fit("", "fork", 5, 1234567.5, 0, 0), Fit("", "user_touch", 60, 61, 0, 0),
            Fit("", READ_ADDED, 0, 170000, 0, 0)]  # fmt: skip
    new = rewritten(text, fits)
    assert "fork = 1234567.5 # why" in new and "{ ns = 61, user = true }" in new
    assert tomllib.loads(new)["host"] == {READ_ADDED: 170000}
    again = rewritten(new, [Fit("", READ_ADDED, 0, 5, 0, 0)])
    assert tomllib.loads(again)["host"] == {READ_ADDED: 5}
    with pytest.raises(FaultlockError, match="no line `absent"):
        rewritten(text, [Fit("", "absent", 0, 1, 0, 0)])


@pytest.mark.parametrize(
    "text", ["10ms", "uniform(0, 2ms)", "exponential(1ms)", "lognormal(1ms, 0.7)"]
)
def test_a_latency_with_the_hosts_share_added(text: str) -> None:
    before = parse_distribution(text)
    added = host_latency.added_text(before, 100_000)
    after = override(load("fork_8f8v"), "device.latency", added).device.latency
    for share in (0.1, 0.5, 0.9):
        assert after.quantile_ns(share) == pytest.approx(
            before.quantile_ns(share) + 100_000, rel=0.02
        )


def test_a_run_on_a_host_carries_its_clock_costs_and_latency(tmp_path: Path) -> None:
    table = tmp_path / "host.toml"
    table.write_text((DATA / "native-6.18.toml").read_text() + f"\n[host]\n{READ_ADDED} = 70000\n")
    plain = as_run_on_host(load("fork_8f8v"), release="6.18.44", cpus=2)
    assert (plain.machine.costs, plain.machine.clock) == ("native-6.18", "per-cpu")
    assert plain.device.latency.mean_ns() == 10e6
    workload = override(load("fork_8f8v"), "machine.costs", str(table))
    own = override(workload, "files.device.latency", "2ms")
    run: Workload = as_run_on_host(own, release="6.18.44", cpus=2)
    assert run.machine.costs == str(table) and run.machine.cpus == 2
    assert run.device.latency.mean_ns() == 10.07e6
    assert run.files[0].latency is not None and run.files[0].latency.mean_ns() == 2.07e6
    table.write_text(table.read_text().replace("= 70000\n", '= "x"\n'))
    with pytest.raises(FaultlockError, match=r"host.read_added_ns: 'x' is not a number of ns"):
        host_latency.read_added_ns(str(table))


def test_the_command_fits_a_host(tmp_path: Path) -> None:
    files = []
    for name, vmas in (("a", 8), ("b", 64)):
        path = tmp_path / f"{name}.json"
        measured = document("fork_alone", "fork", vmas)
        measured["scenarios"][0]["actors"]["fork"]["p50_us"] = 80 if name == "a" else 110
        path.write_text(json.dumps(measured))
        files.append(path)
    target = tmp_path / "host.toml"
    done = faultlock("calibrate", *files, "-o", target, "--json")
    assert done.returncode == 0, done.stderr
    for item in json.loads(done.stdout):
        assert item["reached_us"] == pytest.approx(item["measured_us"], abs=1.0)
    costs = load_costs(str(target)).costs
    assert 15_000 < costs["fork"].ns < 45_000 and 200 < costs["fork_vma"].ns < 900
    twice = faultlock("calibrate", files[0], files[0])
    assert twice.returncode == 2 and "given twice" in twice.stderr


def test_on_a_host_a_process_of_its_own_answers_reads(tmp_path: Path) -> None:
    table = tmp_path / "host.toml"
    table.write_text((DATA / "native-6.18.toml").read_text() + f"\n[host]\n{READ_ADDED} = 70000\n")
    workload = override(load("fork_8f8v"), "machine.costs", str(table))
    run = as_run_on_host(workload, release="6.18.44", cpus=2)
    assert run.processes == ("main", SERVER) and run.files[0].server == SERVER
    (server,) = (group for group in run.threads if group.process == SERVER)
    assert server.count == workload.device.queue_depth
    assert [operation.op for operation in server.loop] == ["fuse_receive", "fuse_reply"]
    assert server.loop[1].time.mean_ns() == run.device.latency.mean_ns() == 10.07e6
    assert with_server(run) == run, "only once"
    several = override(load("fork_8f8v"), "files.device.count", "2")
    assert with_server(several) == several


def test_the_servers_cpu_time_per_read_is_divided_between_its_two_costs() -> None:
    measured = document("fault_1", "fault", 1)
    measured["scenarios"][0]["actors"]["fault"]["n"] = 100
    costs = {"fuse_dev_read": 1000.0, "fuse_dev_write": 3000.0}
    assert server_costs({"x": measured}, costs) == []
    measured["scenarios"][0]["server_cpu_ns"] = 4_000_000
    read, write = server_costs({"x": measured}, costs)
    assert (read.cost, read.new_ns) == ("fuse_dev_read", 10_000)
    assert (write.cost, write.new_ns) == ("fuse_dev_write", 30_000)
    assert server_costs({"x": measured}, {"fuse_dev_read": 1000.0}) == []


def test_a_server_that_needs_more_cpu_time_makes_a_full_cpu_slower(tmp_path: Path) -> None:
    text = (DATA / "native-6.18.toml").read_text()
    slow = tmp_path / "slow.toml"
    slow.write_text(rewritten(text, [Fit("", "fuse_dev_write", 0, 60_000, 0, 0)]))
    settings = ["duration=200ms", "threads.touch.count=24"]
    means = []
    for costs in ("native-6.18", str(slow)):
        workload = overrides(load("fork-storm"), [*settings, f"machine.costs={costs}"])
        run = as_run_on_host(workload, release="6.18.44", cpus=1)
        means.append(simulate(run, "drop-retry", 1).tables())
    assert means[1]["fault"]["rate_hz"] < 0.8 * means[0]["fault"]["rate_hz"]
    assert means[1]["fork"]["mean_us"] > 1.2 * means[0]["fork"]["mean_us"]
