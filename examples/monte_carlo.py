"""Prices an option by chance on all cores, and checks the price against the formula.

    python examples/monte_carlo.py [BATCHES]      (needs numpy)

Each task draws from a stream of random numbers of its own (`SeedSequence.spawn`), so the result is the same whichever
worker does which batch, and however many there are. One worker is killed on the way: the batch in its hands is begun
anew, with the same numbers.
"""

import math
import os
import signal
import sys
from statistics import NormalDist

import numpy as np

from understudy import Pool

PRICE, STRIKE, RATE, VOLATILITY, YEARS = 100.0, 105.0, 0.03, 0.25, 1.5
DRAWS = 200_000  # in a batch


def batch(seed: np.random.SeedSequence) -> tuple[float, float]:
    """Sum and sum of squares of what the option pays, discounted."""
    chance = np.random.default_rng(seed).standard_normal(DRAWS)
    drift = (RATE - VOLATILITY**2 / 2) * YEARS
    ends = PRICE * np.exp(drift + VOLATILITY * math.sqrt(YEARS) * chance)
    paid = math.exp(-RATE * YEARS) * np.maximum(ends - STRIKE, 0.0)
    return float(paid.sum()), float((paid**2).sum())


def formula() -> float:
    """Black and Scholes."""
    deviation = VOLATILITY * math.sqrt(YEARS)
    first = (math.log(PRICE / STRIKE) + (RATE + VOLATILITY**2 / 2) * YEARS) / deviation
    normal = NormalDist().cdf
    return PRICE * normal(first) - STRIKE * math.exp(-RATE * YEARS) * normal(first - deviation)


def estimate(sums: list[tuple[float, float]]) -> tuple[float, float]:
    """The price, and its standard error."""
    draws = len(sums) * DRAWS
    mean = math.fsum(total for total, _ in sums) / draws
    variance = math.fsum(squares for _, squares in sums) / draws - mean**2
    return mean, math.sqrt(variance / draws)


def main() -> int:
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    seeds = np.random.SeedSequence(2024).spawn(batches)
    with Pool(name="prices", retries=2) as pool:
        victim = pool.submit(os.getpid).result()
        results = pool.map(batch, seeds, chunksize=1)
        os.kill(victim, signal.SIGKILL)
        price, error = estimate(list(results))
        stats = pool.stats()
    exact = formula()
    print(f"{batches} batches of {DRAWS:,} draws: {price:.4f} +- {error:.4f}; by the formula {exact:.4f}")
    print(f"worker {victim} was killed: {stats.done - 1} batches are done all the same")
    alone, _ = estimate([batch(seed) for seed in seeds])
    print(f"the same as one process finds alone: {price == alone}")
    return 0 if price == alone and abs(price - exact) < 5 * error else 1


if __name__ == "__main__":
    sys.exit(main())
