#!/usr/bin/env python3
"""MBAR and BAR against pymbar on the same numbers.

    against_pymbar.py ESTIMATE_FILE      ESTIMATE_FILE is the program of tests/runtime/estimate_file_main.cpp

Ladders of harmonic oscillators with unequal numbers of samples, two states, and states that do not overlap, which bgw
refuses. Free energies agree to 1e-8 kT, as do the elements of the overlap matrix. Exit 77 where pymbar is missing.
"""

import contextlib
import io
import subprocess
import sys
import tempfile

import debian_python

try:
    import numpy as np
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import pymbar
except ImportError as missing:
    debian_python.without(missing, "python3-pymbar")

TOLERANCE = 1e-8
program = sys.argv[1]


def ours(text):
    """Exit status, numbers and messages of the program on a file with that text."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([program, file.name], capture_output=True, text=True)
    return done.returncode, np.array([float(line) for line in done.stdout.split()]), done.stderr


def rows(matrix):
    return "\n".join(" ".join(repr(float(x)) for x in row) for row in np.atleast_2d(matrix))


def ladder(rng, centres, widths, counts):
    """Reduced energies [K, n] of samples of harmonic oscillators, in the order of the states."""
    x = np.concatenate([rng.normal(c, w, n) for c, w, n in zip(centres, widths, counts)])
    return np.array([(x - c) ** 2 / (2 * w**2) for c, w in zip(centres, widths)])


def check(what, difference):
    print(f"{what}: {difference:.2g}")
    if not difference < TOLERANCE:
        sys.exit(f"{what}: differs by {difference:.3g}, at most {TOLERANCE:.0g} is right")


def compare_mbar(name, energies, counts):
    status, numbers, message = ours(f"mbar {len(counts)} {' '.join(map(str, counts))}\n{rows(energies)}\n")
    if status != 0:
        sys.exit(f"{name}: {message}")
    states = len(counts)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = pymbar.MBAR(energies, np.array(counts), relative_tolerance=1e-13, verbose=False)
        overlap = theirs.computeOverlap(return_dict=True)["matrix"]
    free_energies = theirs.f_k - theirs.f_k[0]
    check(f"{name}: free energies", np.abs(numbers[:states] - free_energies).max())
    check(f"{name}: overlap matrix", np.abs(numbers[states:].reshape(states, states) - overlap).max())


def compare_bar(name, forward, reverse):
    status, numbers, message = ours(f"bar {len(forward)} {len(reverse)}\n{rows(forward)}\n{rows(reverse)}\n")
    if status != 0:
        sys.exit(f"{name}: {message}")
    theirs = pymbar.BAR(forward, reverse, relative_tolerance=1e-14, compute_uncertainty=False, return_dict=True)
    check(f"{name}: difference", abs(numbers[0] - theirs["Delta_f"]))


def refuse_a_gap(rng):
    energies = ladder(rng, [0.0, 1.0, 60.0], [1.0, 1.0, 1.0], [100, 100, 100])
    status, _, message = ours(f"mbar 3 100 100 100\n{rows(energies)}\n")
    if status != 1 or "states 1 and 2 do not overlap" not in message:
        sys.exit(f"states without overlap were not refused: exit {status}, {message}")


generator = np.random.default_rng(7)
compare_mbar("two states", ladder(generator, [0.0, 0.8], [1.0, 0.7], [300, 500]), [300, 500])
compare_mbar("a ladder of five", ladder(generator, [0.0, 0.7, 1.5, 2.4, 3.0], [1.0, 0.9, 0.8, 0.6, 0.7], [200, 350, 120, 400, 250]),
             [200, 350, 120, 400, 250])
# Energies far from zero, as those of crystals are: thousands of kT that all states share.
shifted = ladder(generator, [0.0, 0.5, 1.0], [1.0, 1.0, 0.8], [400, 400, 400]) - 5000.0
compare_mbar("energies of thousands of kT", shifted, [400, 400, 400])
both = ladder(generator, [0.0, 0.9], [1.0, 0.75], [400, 250])
compare_bar("two sides", (both[1] - both[0])[:400], (both[0] - both[1])[400:])
refuse_a_gap(generator)
