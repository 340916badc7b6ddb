# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock replay`: what other policies would do to a recorded application."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from faultlock.commands.compare import command_line, default_policies
from faultlock.errors import EXIT_OK, EXIT_UNKNOWN, EXIT_VIOLATED, FaultlockError, atomic_write
from faultlock.report import console
from faultlock.report.arguments import output_file, seed_number

if TYPE_CHECKING:
    from faultlock.sim.replay import Replayed
    from faultlock.trace.replay_plan import ReplayPlan
    from faultlock.workload.schema import Device

HELP = "a recorded application under other policies"

# Latency of one request and bandwidth, typical of the kind of device; queue depth.
DEVICES = {
    "ufs": (150_000, 1_500_000_000, 32),
    "nvme": (80_000, 3_000_000_000, 128),
    "sata": (120_000, 500_000_000, 32),
    "hdd": (8_000_000, 150_000_000, 1),
    "10ms": (10_000_000, 0, 128),
}
# How far a replay under the recorded policy may be from the recording.
TOLERANCES = {
    "filemap_faults": 0.02,
    "major_faults": 0.02,
    "pages_read": 0.05,
    "blocked_s": 0.20,
    "elapsed_s": 0.15,
}
# The cost table counts instructions at 1 ns each; the recorded machine does about three a ns.
COST_FACTOR = 0.3
RECORDED_POLICY = "drop-retry"
MAX_REPLICATIONS = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.description = (
        "Rebuilds every recorded thread (which page, when, how long it computed in between, which "
        "system calls) and runs it in the simulator under each policy."
    )
    parser.add_argument("trace", metavar="TRACE", help="a shipped recording or a .flt file")
    parser.add_argument(
        "--policies", metavar="A,B,...", help="shipped names or policy files (default: all shipped)"
    )
    parser.add_argument(
        "--device",
        choices=("recorded", *DEVICES),
        default="recorded",
        help="recorded (default): a read takes as long as it took in the recording",
    )
    parser.add_argument(
        "--self-check",
        action="store_true",
        help="replay under the recorded kernel's policy and compare with the recording; exit 1 "
        "when a figure is outside its tolerance",
    )
    parser.add_argument(
        "--threads", type=int, default=5, metavar="N", help="threads shown; 0: all (default 5)"
    )
    parser.add_argument(
        "--chains", type=int, default=1, metavar="N",
        help="how many of the worst wait chains to draw (default 1, at most 10)",
    )  # fmt: skip
    parser.add_argument("--html", type=output_file, metavar="FILE", help="a page with plots")
    parser.add_argument(
        "--replications", type=int, default=1, metavar="N",
        help="further runs whose recorded times differ by chance: means with 95 %% intervals",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed_number, default=1, metavar="N")
    parser.add_argument("--json", action="store_true", help="machine-readable")


def run(arguments: argparse.Namespace) -> int:
    """Replay under each policy, print the comparison."""
    if arguments.threads < 0 or not 0 <= arguments.chains <= 10:
        raise FaultlockError("--threads: at least 0; --chains: 0 to 10")
    if not 1 <= arguments.replications <= MAX_REPLICATIONS:
        raise FaultlockError(f"--replications: 1 to {MAX_REPLICATIONS}")
    if arguments.self_check and arguments.replications > 1:
        raise FaultlockError("--self-check is one run of the recorded times; no --replications")
    if arguments.self_check and arguments.html:
        raise FaultlockError("--html: a page of --self-check does not exist; leave one out")
    from faultlock.trace.library import open_trace
    from faultlock.trace.replay import plan_replay

    policies = [RECORDED_POLICY] if arguments.self_check else _policies(arguments.policies)
    plan = plan_replay(open_trace(arguments.trace), arguments.trace)
    for gap in plan.gaps:
        console.warn(gap)
    device = _device(arguments.device, plan)
    replays = _replay_all(plan, policies, device, arguments.seed, arguments.replications)
    if arguments.self_check:
        return _self_check(arguments, plan, replays[RECORDED_POLICY][0])
    result = _document(arguments, plan, device, replays)
    if arguments.html:
        from faultlock.report.replay_page import replay_page

        with atomic_write(arguments.html) as stream:
            stream.write(replay_page(result, command_line()))
    if arguments.json:
        from faultlock.sim.result import without_callers

        console.out_json(without_callers(result))
    else:
        _print(arguments, result)
    return EXIT_OK if all(r.finished for runs in replays.values() for r in runs) else EXIT_UNKNOWN


def _policies(names: str | None) -> list[str]:
    from faultlock.lang.model import policy_path

    if names is None:
        return default_policies()
    policies = [name.strip() for name in names.split(",") if name.strip()]
    if not policies:
        raise FaultlockError("--policies: give at least one name")
    for policy in policies:
        for part in policy.split("+"):
            policy_path(part)
    return policies


def _device(name: str, plan: ReplayPlan) -> Device:
    from faultlock.workload.distribution import constant
    from faultlock.workload.schema import Device

    if name == "recorded":
        latency_ns, bandwidth = plan.device.latency_ns, plan.device.bandwidth_bytes_per_s
        depth = 64
    else:
        latency_ns, bandwidth, depth = DEVICES[name]
    return Device(
        kind=name,
        latency=constant(latency_ns),
        queue_depth=depth,
        bandwidth_bytes_per_s=bandwidth,
    )


def _one(task: tuple[ReplayPlan, str, Device, int, int]) -> Replayed:
    from faultlock.sim.replay import simulate_replay

    plan, policy, device, seed, replication = task
    return simulate_replay(
        plan, policy, device, cost_factor=COST_FACTOR, seed=seed, varied=replication > 0
    )


def _replay_all(
    plan: ReplayPlan, policies: list[str], device: Device, seed: int, replications: int = 1
) -> dict[str, list[Replayed]]:
    """Each run in a process, as many at a time as there are CPUs; the first is as recorded."""
    from faultlock.sim.many import seeds
    from faultlock.sim.processes import Workers, cores

    numbers = [seed, *seeds(seed, replications)[1:]]
    tasks = [
        (plan, policy, device, number, replication)
        for policy in policies
        for replication, number in enumerate(numbers)
    ]
    if len(tasks) == 1:
        replayed = [_one(tasks[0])]
    else:
        with (
            console.progress("replaying") as report,
            Workers(min(len(tasks), cores()), _one) as processes,
        ):
            replayed = processes.in_order(
                tasks, lambda done, number: report(done / len(tasks), tasks[number][1])
            )
    return {
        policy: [each for task, each in zip(tasks, replayed, strict=True) if task[1] == policy]
        for policy in policies
    }


def _self_check(arguments: argparse.Namespace, plan: ReplayPlan, replayed: Replayed) -> int:
    """The replay under the recorded kernel's own policy against the recording."""
    rows, good = [], replayed.finished
    for name, tolerance in TOLERANCES.items():
        recorded, again = plan.recorded[name], replayed.figures[name]
        off = (again - recorded) / recorded if recorded else float(again != recorded)
        good = good and (abs(off) <= tolerance or name in plan.unknown)
        verdict = "ok" if abs(off) <= tolerance else "off"
        if name in plan.unknown:
            verdict = "not recorded"
        numbers = [f"{value:g}" for value in (round(recorded, 6), round(again, 6))]
        rows.append([name, *numbers, f"{off * 100:+.1f}", f"{tolerance * 100:.0f}", verdict])
    if arguments.json:
        console.out_json(
            {
                name: {"recorded": plan.recorded[name], "replayed": replayed.figures[name]}
                for name in TOLERANCES
            }
        )
    else:
        console.out_table(["figure", "recorded", "replayed", "off_%", "allowed_%", ""], rows)
        if not replayed.finished:
            console.warn("the replay was given up: it took far longer than the recording")
    return EXIT_OK if good else EXIT_VIOLATED


def _document(
    arguments: argparse.Namespace,
    plan: ReplayPlan,
    device: Device,
    replays: dict[str, list[Replayed]],
) -> dict[str, Any]:
    """The JSON form; what is printed and the page are made of it."""
    first = {policy: runs[0] for policy, runs in replays.items()}
    return {
        "trace": arguments.trace,
        "device": arguments.device,
        "device_figures": {
            "latency_us": device.latency.low_ns / 1e3,
            "bandwidth_bytes_per_s": device.bandwidth_bytes_per_s,
        },
        "seed": arguments.seed,
        "gaps": plan.gaps,
        "recorded": plan.recorded,
        "recorded_threads": [thread.document() for thread in plan.recorded_threads],
        "policies": {
            policy: {
                "finished": replayed.finished,
                **replayed.figures,
                "errors": replayed.errors,
                "threads": [thread.document() for thread in replayed.threads],
                **replayed.result.document(),
            }
            for policy, replayed in first.items()
        },
        **_intervals(replays, arguments.replications),
    }


def _intervals(replays: dict[str, list[Replayed]], replications: int) -> dict[str, Any]:
    """Policy -> figure -> mean and 95 % interval; nothing for a single replication."""
    from faultlock.sim.many import interval

    if replications == 1:
        return {}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for policy, runs in replays.items():
        found[policy] = {}
        for name in TOLERANCES:
            mean, half = interval(run.figures[name] for run in runs)
            found[policy][name] = {"mean": mean, "low": mean - half, "high": mean + half}
    return {"replications": replications, "intervals": found}


def _print(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    from faultlock.report.replay_page import interval_rows, sentences, thread_rows, total_rows
    from faultlock.report.tables import chain_lines

    for sentence in sentences(result):
        console.out(sentence)
    console.out()
    console.out_table(*total_rows(result))
    if "intervals" in result:
        console.out(f"\nmeans of {result['replications']} replications, 95 % intervals")
        console.out_table(*interval_rows(result))
    shown = "all threads" if not arguments.threads else f"the {arguments.threads} most blocked"
    console.out(f"\nper thread ({shown}; --threads N); without policies like the first (2 %)")
    console.out_table(*thread_rows(result, arguments.threads))
    lines = chain_lines(result["policies"], arguments.chains)
    if lines:
        console.out()
    for line in lines:
        console.out(line)
    figures = result["device_figures"]
    console.out(
        f"\ndevice {arguments.device}: {figures['latency_us']:g} us, "
        f"{figures['bandwidth_bytes_per_s'] / 1e6:.0f} MB/s; seed {arguments.seed}"
    )
