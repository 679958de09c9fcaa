#!/usr/bin/env python3
"""The shape of the tail of weights against scipy's maximum likelihood on the same numbers.

    against_scipy.py ESTIMATE_FILE       ESTIMATE_FILE is the program of tests/runtime/estimate_file_main.cpp

Weights with Pareto, lognormal, exponential and bounded tails. The fit of Zhang and Stephens and that of maximum likelihood are
two estimators of one number: after the weak prior is applied to both, their difference is a small part of the standard error
that both have. Exit 77 where scipy is missing.
"""

import math
import subprocess
import sys
import tempfile

import debian_python

try:
    import numpy as np
    from scipy.stats import genpareto
except ImportError as missing:
    debian_python.without(missing, "python3-scipy")

program = sys.argv[1]


def ours(log_weight):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(f"pareto {len(log_weight)}\n" + "\n".join(repr(float(x)) for x in log_weight) + "\n")
        file.flush()
        done = subprocess.run([program, file.name], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return float(done.stdout)


def theirs(log_weight):
    """The shape by maximum likelihood of what the largest weights exceed the one below them by, with the prior."""
    weight = np.sort(np.exp(log_weight - log_weight.max()))
    length = math.ceil(min(0.2 * len(weight), 3 * math.sqrt(len(weight))))
    tail = weight[-length:] - weight[-length - 1]
    shape = genpareto.fit(tail / tail.mean(), floc=0)[0]
    return (length * shape + 10 * 0.5) / (length + 10), length


generator = np.random.default_rng(11)
count = 40_000
cases = {
    "Pareto 0.4": -0.4 * np.log(generator.random(count)),
    "Pareto 0.9": -0.9 * np.log(generator.random(count)),
    "lognormal 0.5": generator.normal(0, 0.5, count),
    "lognormal 3, far from zero": generator.normal(-1600, 3.0, count),
    "exponential": np.log(generator.exponential(1.0, count)),
    "bounded": np.log(0.1 + (1 - generator.random(count) ** 0.3) / 0.3),
}
for name, log_weight in cases.items():
    mine, (other, length) = ours(log_weight), theirs(log_weight)
    error = (1 + abs(other)) / math.sqrt(length)
    print(f"{name}: {mine:.4f}, scipy {other:.4f}, standard error {error:.4f}")
    if not abs(mine - other) < 0.5 * error:
        sys.exit(f"{name}: {mine:.4f} here, {other:.4f} by scipy; more than half a standard error, {error:.4f}, apart")
