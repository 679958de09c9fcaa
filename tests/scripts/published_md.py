#!/usr/bin/env python3
"""Averages over Markov chains are those of published molecular dynamics.

    tests/scripts/published_md.py BGW TABLES

TABLES holds radial distribution functions of the repository bgmat (Apache-2.0), as its files say. Minutes on two cores.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """bgw 1
potential lj { style = lennard_jones; cutoff = 2.7 lj; shift = true }
lattice fcc { kind = fcc; atoms = 256; density = 1.28 lj }
system crystal { potential = lj; lattice = fcc }
ensemble warm { kind = nvt; temperature = 2 lj }
base gaussian { kind = scha; system = crystal; ensemble = warm }
reference chains { system = crystal; ensemble = warm; path = base_to_target(gaussian, states = 6); sampler = hmc(chains = 16, steps = 64); seed = 1 }

potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }
lattice ice { kind = diamond_cubic; atoms = 216; density = 0.033567184 /angstrom^3 }
system water { potential = mw; lattice = ice; mass = 18.015 g/mol }
ensemble cold { kind = nvt; temperature = 200 K }
base phonons { kind = scha; system = water; ensemble = cold }
reference ref { system = water; ensemble = cold; path = base_to_target(phonons, states = 3); sampler = hmc(chains = 16, steps = 64); seed = 2 }

figure lj_fcc_256 { series g { y = rdf(chains.samples, bins = 300) } }
figure mw_cubic_216 { series g { y = rdf(ref.samples, bins = 300) } }
## Its 1000 configurations have -900.026 in all, 0.0071 an atom is the error of their mean in blocks of 20.
expect energy { value = mean_energy(chains.samples); reference = -3.51573 lj; tolerance = 0.045 lj }
expect order { value = q6(ref.samples); reference = 0.250; tolerance = 0.007; source = "method of the neighbours in two shells, 64 molecules" }
"""


def table(path):
    rows = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    return [float(r) for r, _ in rows], [float(g) for _, g in rows]


def main():
    bgw, tables = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "md.bgw").write_text(PROGRAM)

        def call(*words):
            done = subprocess.run([bgw, *words], cwd=folder, capture_output=True, text=True)
            if done.returncode != 0:
                print(done.stdout, done.stderr)
                sys.exit(f"FAILED: bgw {' '.join(words)} ends with {done.returncode}")
            return done.stdout

        print(call("run", "md.bgw", "-q"))
        for name, most in (("lj_fcc_256", 0.012), ("mw_cubic_216", 0.03)):
            drawn = json.loads(call("show", "md.bgw", name, "--json"))["figure"]["series"][0]
            r, g = table(tables / f"rdf_{name}.txt")
            apart = max(abs(a - b) for a, b in zip(drawn["x"], r))
            rms = (sum((a - b) ** 2 for a, b in zip(drawn["y"], g)) / len(g)) ** 0.5
            print(f"{name}: {len(g)} bins, root mean square difference {rms:.4f}, at most {most}; peak {max(g):.3f} and {max(drawn['y']):.3f}")
            if len(drawn["y"]) != len(g) or apart > 2e-4 * r[-1] or rms > most:
                failures += 1
                print(f"FAILED: {name} is not the published function")
    sys.exit(1 if failures else 0)


main()
