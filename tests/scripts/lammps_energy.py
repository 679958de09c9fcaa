"""Energies, forces and pressure tensors of bgw against LAMMPS: agreement to 1e-9, relative.

    python3 tests/scripts/lammps_energy.py BGW [LMP]

Two independent programs read the same numbers (17 digits). For each potential: 20 structures, among them the perfect
crystal, displaced ones, squeezed and stretched ones, and triclinic cells. LAMMPS wants its cells in lower triangular form;
bgw takes any, so each structure is turned by a random rotation on its way to bgw, and what comes back is turned back. Exit
code 0 when all agree, 1 when one does not, 77 where there is no LAMMPS.
"""
import json
import math
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

STRUCTURES = 20
TOLERANCE = 1e-9

DIAMOND = [(0, 0, 0), (0, .5, .5), (.5, 0, .5), (.5, .5, 0), (.25, .25, .25), (.25, .75, .75), (.75, .25, .75), (.75, .75, .25)]
FCC = DIAMOND[:4]
PROGRAM = """bgw 1
potential mw {{ style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }}
potential si {{ style = stillinger_weber; epsilon = 50.003 kcal/mol; sigma = 2.0951 angstrom; lambda = 21; cos0 = -0.3333333333333333 }}
potential loose {{ style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 17.5; gamma = 1.1; p = 5; q = 1 }}
potential cut {{ style = lennard_jones; cutoff = 2.7 lj }}
potential shifted {{ style = lennard_jones; cutoff = 2.7 lj; shift = true }}
potential tailed {{ style = lennard_jones; cutoff = 2.5 lj; tail = true }}
potential scaled {{ style = lennard_jones; cutoff = 9 angstrom; epsilon = 0.238 kcal/mol; sigma = 3.4 angstrom }}
{systems}"""

# name: cubic edge, basis, displacement, LAMMPS units, its pair commands
SW = "pair_style sw\npair_coeff * * {} X"
CASES = {
    "mw": (6.2, DIAMOND, 0.3, "real", SW.format("mw.sw")),
    "si": (5.43, DIAMOND, 0.3, "real", SW.format("si.sw")),
    "loose": (6.0, DIAMOND, 0.3, "real", SW.format("loose.sw")),
    "cut": (1.4620, FCC, 0.05, "lj", "pair_style lj/cut 2.7\npair_coeff * * 1 1"),
    "shifted": (1.4620, FCC, 0.05, "lj", "pair_style lj/cut 2.7\npair_modify shift yes\npair_coeff * * 1 1"),
    "tailed": (1.5, FCC, 0.05, "lj", "pair_style lj/cut 2.5\npair_modify tail yes\npair_coeff * * 1 1"),
    "scaled": (5.2, FCC, 0.2, "real", "pair_style lj/cut 9\npair_coeff * * 0.238 3.4"),
}
SW_FILES = {
    "mw.sw": "6.189 2.3925 1.8 23.15 1.2 -0.33331324756823727 7.049556277 0.6022245584 4.0 0.0 0.0",
    "si.sw": "50.003 2.0951 1.8 21 1.2 -0.3333333333333333 7.049556277 0.6022245584 4.0 0.0 0.0",
    "loose.sw": "6.189 2.3925 1.8 17.5 1.1 -0.33331324756823727 7.049556277 0.6022245584 5.0 1.0 0.0",
}
# Virials come in atm angstrom^3 of LAMMPS' own constant, which pe and pressure share.
NKTV2P = {"real": 68568.415, "lj": 1.0}


def product(m, x):
    return [sum(m[i][k] * x[k] for k in range(3)) for i in range(3)]


def transposed(m):
    return [list(column) for column in zip(*m)]


def matrix_product(a, b):
    return [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]


def rotation(rng):
    """A random rotation, from a unit quaternion."""
    q = [rng.gauss(0, 1) for _ in range(4)]
    n = math.sqrt(sum(c * c for c in q))
    w, x, y, z = (c / n for c in q)
    return [[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]]


def structure(case, index):
    """Cell rows (lower triangular) and positions: 0 is the perfect crystal, from 8 on cells are triclinic."""
    edge, basis, width, _, _ = CASES[case]
    rng = random.Random(f"{case} {index}")
    cells = 2 if len(basis) == 8 else 3
    cell = [[cells * edge if i == j else 0.0 for j in range(3)] for i in range(3)]
    if index > 1:
        for i in range(3):
            cell[i][i] *= 1 + rng.uniform(-0.04, 0.06)
    if index >= 8:
        for i, j in ((1, 0), (2, 0), (2, 1)):
            cell[i][j] = rng.uniform(-0.3, 0.3) * cells * edge
    positions = []
    for corner in ((i, j, k) for i in range(cells) for j in range(cells) for k in range(cells)):
        for site in basis:
            fractional = [(corner[d] + site[d]) / cells for d in range(3)]
            moved = width * min(index, 1) * (0.3 + 0.7 * (index % 3 == 2))
            positions.append([sum(fractional[k] * cell[k][d] for k in range(3)) + moved * rng.uniform(-1, 1) for d in range(3)])
    return cell, positions


def lammps_input(case):
    _, _, _, units, pair = CASES[case]
    lines = [f"units {units}", "atom_style atomic", "atom_modify map array sort 0 0", "boundary p p p"]
    for index in range(STRUCTURES):
        lines += [f"read_data {case}{index}.data", "mass 1 1", pair, "variable energy equal pe", "compute virial all pressure NULL virial"]
        lines += [f"variable p{c} equal c_virial[{c}]" for c in range(1, 7)] + ["variable volume equal vol"]
        lines += [f"dump forces all custom 1 {case}{index}.forces id fx fy fz", "dump_modify forces sort id format float %.17g",
                  "thermo_style custom step pe c_virial[1]", "thermo_modify norm no", "run 0"]
        numbers = " ".join(["$(v_energy:%.17g)", "$(v_volume:%.17g)"] + [f"$(v_p{c}:%.17g)" for c in range(1, 7)])
        lines += [f'print "{numbers}" file {case}{index}.numbers', "clear", f"units {units}", "atom_style atomic",
                  "atom_modify map array sort 0 0", "boundary p p p"]
        lines += [f"variable {name} delete" for name in ("energy", "volume", *(f"p{c}" for c in range(1, 7)))]
    return "\n".join(lines) + "\n"


def write_structure(case, index, folder):
    """For LAMMPS as it is, for bgw turned; returns the rotation."""
    cell, positions = structure(case, index)
    tilt = f"{cell[1][0]!r} {cell[2][0]!r} {cell[2][1]!r} xy xz yz\n" if index >= 8 else ""
    with open(folder / f"{case}{index}.data", "w") as out:
        out.write(f"structure\n\n{len(positions)} atoms\n1 atom types\n")
        for d, axis in enumerate("xyz"):
            out.write(f"0 {cell[d][d]!r} {axis}lo {axis}hi\n")
        out.write(tilt + "\nAtoms\n\n")
        for number, x in enumerate(positions, 1):
            out.write(f"{number} 1 {x[0]!r} {x[1]!r} {x[2]!r}\n")
    turn = rotation(random.Random(f"turn {case} {index}"))
    with open(folder / f"{case}{index}.extxyz", "w") as out:
        rows = " ".join(repr(c) for row in cell for c in product(turn, row))
        out.write(f'{len(positions)}\nLattice="{rows}" Properties=species:S:1:pos:R:3 pbc="T T T"\n')
        for x in positions:
            out.write("X " + " ".join(repr(c) for c in product(turn, x)) + "\n")
    return turn


def read_lammps(case, index, folder):
    energy, volume, *pressure = map(float, (folder / f"{case}{index}.numbers").read_text().split())
    lines = (folder / f"{case}{index}.forces").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("ITEM: ATOMS")) + 1
    forces = [[float(f) for f in line.split()[1:]] for line in lines[start:]]
    xx, yy, zz, xy, xz, yz = (p / NKTV2P[CASES[case][3]] for p in pressure)
    return energy, volume, forces, [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]


def differences(found, turn, expected):
    """Relative differences of energy, forces and virial pressure; scales are the largest numbers of the kind."""
    energy, volume, forces, pressure = expected
    per_atom = abs(energy) / len(forces)
    back = transposed(turn)
    off = max(abs(a - b) for f, g in zip(found["forces"], forces) for a, b in zip(product(back, f), g))
    largest = max(per_atom, max(abs(c) for f in forces for c in f))  # a perfect crystal has no forces
    stress = matrix_product(matrix_product(back, found["stress"]), turn)
    shift = max(abs(-stress[i][j] - pressure[i][j]) for i in range(3) for j in range(3))
    scale = max(abs(energy) / volume, max(abs(p) for row in pressure for p in row))
    return abs(found["energy"] - energy) / abs(energy), off / largest, shift / scale


def compare(case, bgw, lmp, folder):
    turns = [write_structure(case, index, folder) for index in range(STRUCTURES)]
    (folder / f"in.{case}").write_text(lammps_input(case))
    run = subprocess.run([lmp, "-in", f"in.{case}", "-log", f"{case}.log"], cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"LAMMPS failed on {case}:\n{run.stdout[-2000:]}")
    files = [f"--structure={case}{index}.extxyz" for index in range(STRUCTURES)]
    run = subprocess.run([bgw, "energy", "all.bgw", case + "_crystal", *files, "--forces", "--stress", "--json"],
                         cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"bgw failed on {case}: {run.stderr}")
    found = json.loads(run.stdout)["structures"]
    worst = [max(column) for column in zip(*(differences(found[i], turns[i], read_lammps(case, i, folder)) for i in range(STRUCTURES)))]
    agrees = all(w <= TOLERANCE for w in worst)
    print(f"{case:8} {STRUCTURES} structures: energies differ by {worst[0]:.1e}, forces by {worst[1]:.1e}, "
          f"pressures by {worst[2]:.1e} (relative){'' if agrees else '  ... which is no agreement'}")
    return agrees


def main():
    bgw, lmp = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else "lmp"
    if shutil.which(lmp) is None:
        print(f"skipped: no {lmp} here (Debian: apt-get install lammps)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        systems = ""
        for case, (edge, basis, _, units, _) in CASES.items():
            density = f"{len(basis) / edge ** 3!r} {'lj' if units == 'lj' else '/angstrom^3'}"
            kind = "diamond_cubic" if len(basis) == 8 else "fcc"
            atoms = 512 if len(basis) == 8 else 864
            systems += f"lattice {case}_lattice {{ kind = {kind}; atoms = {atoms}; density = {density} }}\n"
            systems += f"system {case}_crystal {{ potential = {case}; lattice = {case}_lattice }}\n"
        (folder / "all.bgw").write_text(PROGRAM.format(systems=systems))
        for name, numbers in SW_FILES.items():
            (folder / name).write_text(f"X X X {numbers}\n")
        agreed = [compare(case, bgw, lmp, folder) for case in CASES]
    print(f"bgw and LAMMPS agree to {TOLERANCE:g} for {sum(agreed)} of {len(agreed)} potentials")
    sys.exit(0 if all(agreed) else 1)


if __name__ == "__main__":
    main()
