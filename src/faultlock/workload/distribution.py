# SPDX-License-Identifier: GPL-2.0-only
"""Distributions of times in a workload file: think times, device latencies, computing.

A value is written as text (`"10ms"`, `"uniform(0, 2ms)"`, `"exponential(1ms)"`,
`"lognormal(1ms, 0.5)"` with median and sigma) or, for a measured histogram, as a table:

    latency = { upper_bounds = ["128us", "256us", "512us"], counts = [12, 80, 8] }
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import NormalDist

from faultlock.errors import FaultlockError
from faultlock.units import format_time_ns, parse_time_ns

FORMS = (
    '"10ms", "uniform(0, 2ms)", "exponential(1ms)", "lognormal(1ms, 0.5)", { upper_bounds, counts }'
)
MAX_HISTOGRAM_BINS = 4096
_CALL = re.compile(r"\s*([a-z]+)\s*\(([^()]*)\)\s*")


@dataclass(frozen=True)
class Distribution:
    """A distribution of non-negative times.

    kind          low_ns, high_ns mean
    constant      low_ns == high_ns, the value
    uniform       low_ns <= value < high_ns
    exponential   high_ns is the mean, low_ns is 0
    lognormal     high_ns is the median, sigma the standard deviation of the logarithm
    histogram     upper_bounds_ns (ascending) and counts; within a bin values are uniform,
                  the first bin starts at low_ns
    """

    kind: str = "constant"
    low_ns: int = 0
    high_ns: int = 0
    sigma: float = 0.0
    upper_bounds_ns: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def is_zero(self) -> bool:
        """True when every value is 0 (no sleep at all is done then)."""
        return self.kind == "constant" and self.high_ns == 0

    def mean_ns(self) -> float:
        """The expected value in nanoseconds."""
        if self.kind in ("constant", "uniform"):
            return (self.low_ns + self.high_ns) / 2
        if self.kind == "exponential":
            return float(self.high_ns)
        if self.kind == "lognormal":
            return self.high_ns * math.exp(self.sigma**2 / 2)
        bounds = (self.low_ns, *self.upper_bounds_ns)
        weighted = sum(
            count * (low + high) / 2
            for count, (low, high) in zip(self.counts, pairwise(bounds), strict=True)
        )
        return weighted / sum(self.counts)

    def quantile_ns(self, fraction: float) -> float:
        """The value below which `fraction` (0 <= fraction < 1) of all values lie.

        With a uniformly random fraction this samples the distribution.
        """
        if self.kind in ("constant", "uniform"):
            return self.low_ns + fraction * (self.high_ns - self.low_ns)
        if self.kind == "exponential":
            return -self.high_ns * math.log1p(-fraction)
        if self.kind == "lognormal":
            limited = min(max(fraction, 1e-12), 1 - 1e-12)
            return self.high_ns * math.exp(self.sigma * NormalDist().inv_cdf(limited))
        cumulated = list(accumulate(self.counts))
        wanted = fraction * cumulated[-1]
        bin_index = min(bisect_left(cumulated, wanted), len(cumulated) - 1)
        while self.counts[bin_index] == 0:
            bin_index += 1
        below = cumulated[bin_index] - self.counts[bin_index]
        low = self.upper_bounds_ns[bin_index - 1] if bin_index else self.low_ns
        share = min(max((wanted - below) / self.counts[bin_index], 0.0), 1.0)
        return low + share * (self.upper_bounds_ns[bin_index] - low)

    def __str__(self) -> str:
        if self.kind == "constant":
            return format_time_ns(self.high_ns)
        if self.kind == "uniform":
            return f"uniform({format_time_ns(self.low_ns)}, {format_time_ns(self.high_ns)})"
        if self.kind == "exponential":
            return f"exponential({format_time_ns(self.high_ns)})"
        if self.kind == "lognormal":
            return f"lognormal({format_time_ns(self.high_ns)}, {self.sigma:g})"
        return f"histogram of {sum(self.counts)} values, mean {format_time_ns(self.mean_ns())}"


def constant(value_ns: int) -> Distribution:
    """Always `value_ns`."""
    return Distribution("constant", value_ns, value_ns)


def _time(text: object) -> int:
    if not isinstance(text, str):
        raise FaultlockError(
            f'{text!r} is not a time (write a text with a unit, for example "10ms")'
        )
    value = parse_time_ns(text)
    if value < 0:
        raise FaultlockError(f"{text!r} is negative (a time is 0 or more)")
    return value


def _histogram(table: Mapping[str, object]) -> Distribution:
    unknown = sorted(set(table) - {"upper_bounds", "counts", "low"})
    if unknown:
        raise FaultlockError(
            f"unknown key {unknown[0]!r} in a histogram (keys: upper_bounds, counts, low)"
        )
    bounds, counts = table.get("upper_bounds"), table.get("counts")
    if not isinstance(bounds, list) or not isinstance(counts, list) or not bounds:
        raise FaultlockError("a histogram needs two lists, upper_bounds and counts")
    if len(bounds) != len(counts):
        raise FaultlockError(
            f"{len(bounds)} upper_bounds but {len(counts)} counts (give one count per bound)"
        )
    if len(bounds) > MAX_HISTOGRAM_BINS:
        raise FaultlockError(f"{len(bounds)} bins (at most {MAX_HISTOGRAM_BINS})")
    bounds_ns = tuple(_time(bound) for bound in bounds)
    low_ns = _time(table.get("low", "0"))
    if any(high <= low for low, high in pairwise((low_ns, *bounds_ns))) and bounds_ns != (low_ns,):
        raise FaultlockError("upper_bounds must ascend, and start above low")
    if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in counts) or not sum(
        counts
    ):
        raise FaultlockError("counts must be whole numbers, 0 or more, not all 0")
    return Distribution("histogram", low_ns, bounds_ns[-1], 0.0, bounds_ns, tuple(counts))


def parse_distribution(value: object) -> Distribution:
    """A distribution from its text or table form. Raises FaultlockError with the allowed forms."""
    if isinstance(value, Mapping):
        return _histogram(value)
    if not isinstance(value, str):
        raise FaultlockError(f"{value!r} is not a distribution of times (forms: {FORMS})")
    call = _CALL.fullmatch(value) if len(value) < 200 else None
    if call is None:
        return constant(_time(value))
    name, arguments = call[1], [part.strip() for part in call[2].split(",")]
    if name == "uniform" and len(arguments) == 2:
        low_ns, high_ns = _time(arguments[0]), _time(arguments[1])
        if low_ns > high_ns:
            raise FaultlockError(f"{value!r}: the lower bound lies above the upper bound")
        return Distribution("uniform", low_ns, high_ns)
    if name == "exponential" and len(arguments) == 1:
        return Distribution("exponential", 0, _time(arguments[0]))
    if name == "lognormal" and len(arguments) == 2:
        try:
            sigma = float(arguments[1])
        except ValueError:
            sigma = -1.0
        if not 0 <= sigma <= 10:
            raise FaultlockError(f"{value!r}: sigma must be a number from 0 to 10")
        return Distribution("lognormal", 0, _time(arguments[0]), sigma)
    raise FaultlockError(f"{value!r} is not a distribution of times (forms: {FORMS})")
