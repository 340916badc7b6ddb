# SPDX-License-Identifier: GPL-2.0-only
"""What a comparison found, in sentences; only what the confidence intervals carry is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NOTABLE = 1.25  # a ratio below this is not worth a sentence of its own
MOST_SENTENCES = 8

Policies = Mapping[str, Mapping[str, Any]]
Finding = tuple[float, str, str]  # how many times, actor, sentence


def time_text(us: float) -> str:
    """A time for a sentence: 850 ns, 12.3 us, 1.4 ms, 2.1 s."""
    for limit, divisor, unit in ((1, 1e-3, "ns"), (1e3, 1, "us"), (1e6, 1e3, "ms")):
        if us < limit:
            return f"{us / divisor:.3g} {unit}"
    return f"{us / 1e6:.3g} s"


def sentences(result: Mapping[str, Any]) -> list[str]:
    """The verdict of a comparison: the largest differences from the first policy, in words."""
    policies: Policies = result["policies"]
    names = list(policies)
    if len(names) < 2:
        return list(_single(names, policies))
    base = names[0]
    findings = sorted(_findings(base, policies), key=lambda item: -item[0])
    found = [text for _, _, text in _chosen(findings)]
    if not found:
        found = [f"No actor differs from {base} by {NOTABLE:g} times or more, or the difference is "
                 "within the confidence intervals."]
    return found + _same(base, policies)


def _single(names: Sequence[str], policies: Policies) -> Iterator[str]:
    for name in names:
        for actor, row in policies[name]["actors"].items():
            if row["n"]:
                yield (f"{actor} under {name}: {row['rate_hz']:.4g} per second, mean "
                       f"{time_text(row['mean_us'])}, p99 {time_text(row['p99_us'])}.")


def _chosen(findings: Sequence[Finding]) -> list[Finding]:
    """Of findings by size: the largest of each actor before a second one of any; by size again."""
    seen: set[str] = set()
    first: list[Finding] = []
    others: list[Finding] = []
    for finding in findings:
        (others if finding[1] in seen else first).append(finding)
        seen.add(finding[1])
    return sorted((first + others)[:MOST_SENTENCES], key=lambda item: -item[0])


def _alike(base: str, policies: Policies) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Policies other than the base; those with the same times as one name: `hold and hold-fix`."""
    groups: list[tuple[list[str], Mapping[str, Any]]] = []
    for policy, entry in policies.items():
        if policy == base:
            continue
        for names, known in groups:
            if known["actors"] == entry["actors"]:
                names.append(policy)
                break
        else:
            groups.append(([policy], entry))
    for names, entry in groups:
        yield " and ".join(names), entry


def _findings(base: str, policies: Policies) -> Iterator[Finding]:
    for policy, entry in _alike(base, policies):
        for actor, row in entry["actors"].items():
            before = policies[base]["actors"].get(actor)
            if not before or not before["n"] or not row["n"]:
                continue
            for metric in ("p99_us", "mean_us"):
                ratio = row[metric] / before[metric] if before[metric] else 0.0
                size = max(ratio, 1 / ratio) if ratio else 0.0
                if size >= NOTABLE and not _overlap(row, before, metric):
                    text = _sentence(actor, metric, base, before, policy, row, ratio, entry)
                    yield size, actor, text
                    break


def _overlap(row: Mapping[str, Any], before: Mapping[str, Any], metric: str) -> bool:
    """Do the confidence intervals overlap?  Without intervals nothing is known: no."""
    ours, theirs = row.get("ci95", {}).get(metric), before.get("ci95", {}).get(metric)
    if ours is None or theirs is None:
        return False
    return bool(ours[0] <= theirs[1] and theirs[0] <= ours[1])


def _sentence(
    actor: str, metric: str, base: str, before: Mapping[str, Any], policy: str,
    row: Mapping[str, Any], ratio: float, entry: Mapping[str, Any],
) -> str:  # fmt: skip
    name = metric.removesuffix("_us")
    how = f"{ratio:.3g} times longer" if ratio > 1 else f"{1 / ratio:.3g} times shorter"
    text = (f"{actor} {name}: {base} {time_text(before[metric])}, {policy} "
            f"{time_text(row[metric])}: {how}")
    share = io_share(entry, actor) if ratio > 1 else None
    if share is not None and share >= 0.01:
        text += f"; {share:.0%} of its time is waiting for I/O of other threads' faults"
    return text + "."


def io_share(entry: Mapping[str, Any], actor: str) -> float | None:
    """Share of an actor's time that it waited, for a lock, for somebody else's I/O."""
    blocked = entry.get("blocked_by_actor", {}).get(actor)
    row = entry["actors"].get(actor)
    if blocked is None or not row or not row["n"]:
        return None
    total = row["mean_us"] * row["n"]
    return min(1.0, float(blocked.get("io", 0.0)) / total) if total else None


def _same(base: str, policies: Policies) -> list[str]:
    """The policies in which no actor differs beyond its confidence interval."""
    same = [
        policy
        for policy, entry in policies.items()
        if policy != base and not any(
            not _overlap(row, policies[base]["actors"].get(actor, {}), "mean_us")
            for actor, row in entry["actors"].items() if row["n"]
        )
    ]
    if not same:
        return []
    return [f"No difference from {base} within the confidence intervals: {', '.join(same)}."]
