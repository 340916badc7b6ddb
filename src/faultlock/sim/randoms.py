# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator,return-value"
"""Random numbers inside the compiled engine: one counter-based stream per thread and device.

splitmix64 (Steele, Lea, Flood 2014): the state is a counter, so a stream depends on nothing but
its seed, and the same seed gives the same run on every machine.
"""

from __future__ import annotations

import math

import numpy as np

from faultlock.sim.arrays import CONSTANT, EXPONENTIAL, LOGNORMAL, UNIFORM, Engine
from faultlock.sim.compiled import compiled


@compiled
def next_random(engine: Engine, stream: int) -> np.uint64:
    """The next 64 random bits of a stream (a thread's number; 0 is the device)."""
    counter = engine.random[stream] + np.uint64(0x9E3779B97F4A7C15)
    engine.random[stream] = counter
    value = counter
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def fraction(engine: Engine, stream: int) -> float:
    """Uniform in 0 <= x < 1."""
    return np.float64(next_random(engine, stream) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def below(engine: Engine, stream: int, count: int) -> int:
    """Uniform whole number in 0 <= x < count (count >= 1)."""
    return np.int64(fraction(engine, stream) * count)


@compiled
def _normal(engine: Engine, stream: int) -> float:
    radius = math.sqrt(-2.0 * math.log(1.0 - fraction(engine, stream)))
    return radius * math.cos(2.0 * math.pi * fraction(engine, stream))


@compiled
def _histogram(engine: Engine, stream: int, row: int) -> float:
    first = np.int64(engine.distributions[row, 4])
    count = np.int64(engine.distributions[row, 5])
    wanted = fraction(engine, stream)
    low, high = first, first + count - 1
    while low < high:
        middle = (low + high) // 2
        if engine.bins[middle, 1] <= wanted:
            low = middle + 1
        else:
            high = middle
    below_ns = engine.distributions[row, 1] if low == first else engine.bins[low - 1, 0]
    return below_ns + fraction(engine, stream) * (engine.bins[low, 0] - below_ns)


@compiled
def sample(engine: Engine, stream: int, row: int) -> int:
    """A value in ns of distribution `row`; constants use no random number."""
    kind = np.int64(engine.distributions[row, 0])
    low, high = engine.distributions[row, 1], engine.distributions[row, 2]
    if kind == CONSTANT:
        return np.int64(high)
    if kind == UNIFORM:
        return np.int64(low + fraction(engine, stream) * (high - low))
    if kind == EXPONENTIAL:
        return np.int64(-high * math.log(1.0 - fraction(engine, stream)))
    if kind == LOGNORMAL:
        return np.int64(high * math.exp(engine.distributions[row, 3] * _normal(engine, stream)))
    return np.int64(_histogram(engine, stream, row))


@compiled
def zipf(engine: Engine, stream: int, low: int, high: int, exponent: float) -> int:
    """A rank in low <= x < high, density proportional to (rank + 1) ** -exponent (continuous
    inverse of the bounded Pareto distribution)."""
    count = high - low
    share = fraction(engine, stream)
    if abs(exponent - 1.0) < 1e-9:
        rank = math.exp(share * math.log(count + 1.0)) - 1.0
    else:
        power = 1.0 - exponent
        rank = (share * ((count + 1.0) ** power - 1.0) + 1.0) ** (1.0 / power) - 1.0
    return low + min(np.int64(rank), count - 1)
