#!/usr/bin/env python3
"""Crystals that another program writes are the crystals that bgw computes.

    tests/scripts/structures.py BGW EXAMPLES

ASE writes crystals in crooked, left-handed and primitive cells, as POSCAR of VASP 5 and 4 and as extended XYZ; `bgw energy`
must give one energy for each of them, and lattices of kind file the free energy of those built in. Then the example with
the clathrate runs with fewer samples: its two bases lead to one free energy. Skipped (77) without ase, Debian's
python3-ase.
"""
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import debian_python

try:
    warnings.simplefilter("ignore")
    import ase.build
    import ase.io
    import ase.spacegroup
    import numpy as np
except ImportError as missing:
    debian_python.without(missing, "python3-ase")

HEAD = """bgw 1
potential si { style = stillinger_weber; epsilon = 50.003 kcal/mol; sigma = 2.0951 angstrom; lambda = 21 }
ensemble warm { kind = nvt; temperature = 300 K }
lattice diamond { kind = diamond_cubic; atoms = 64; density = 0.05 /angstrom^3 }
system crystal { potential = si; lattice = diamond; species = "Si"; mass = 28.085 g/mol }
base built_in { kind = phonon; system = crystal; ensemble = warm }
"""
failures = []


def check(what, holds):
    print(("ok: " if holds else "FAILED: ") + what)
    if not holds:
        failures.append(what)


class Bgw:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def __call__(self, *arguments, code=0):
        done = subprocess.run([self.program, *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != code:
            check(f"bgw {' '.join(arguments)} ends with {code}, not {done.returncode}: {done.stderr}", False)
        return done

    def json(self, *arguments):
        return json.loads(self(*arguments, "--json").stdout)

    def keys(self, program):
        return {task["name"]: task["key"] for task in self.json("plan", program)["tasks"]}


def crystals():
    """Of silicon, none at rest: the forces are compared, too."""
    lonsdaleite = ase.spacegroup.crystal("Si", [(1 / 3, 2 / 3, 0.0628)], spacegroup=194, cellpar=[3.84, 3.84, 6.27, 90, 90, 120])
    bc8 = ase.spacegroup.crystal("Si", [(0.1003, 0.1003, 0.1003)], spacegroup=206, cellpar=[6.64, 6.64, 6.64, 90, 90, 90], primitive_cell=True)
    diamond = ase.build.bulk("Si", "diamond", a=5.43)
    for name, atoms in {"lonsdaleite": lonsdaleite, "bc8": bc8, "diamond": diamond}.items():
        atoms.rattle(0.03, seed=4)
        yield name, atoms


def left_handed(atoms):
    other = atoms[:]
    other.set_cell(np.array(atoms.cell)[[1, 0, 2]])
    return other


def write_all(folder, name, atoms):
    ways = {f"{name}.extxyz": dict(format="extxyz"), f"{name}.vasp": dict(format="vasp", direct=True, vasp5=True),
            f"POSCAR_{name}": dict(format="vasp", direct=False, vasp5=True), f"CONTCAR_{name}": dict(format="vasp", direct=True, vasp5=False)}
    for file, way in ways.items():
        ase.io.write(folder / file, atoms, **way)
    ase.io.write(folder / f"left_{name}.extxyz", left_handed(atoms), format="extxyz")
    return [*ways, f"left_{name}.extxyz"]


def compare_formats(bgw, folder):
    (folder / "energy.bgw").write_text(HEAD)
    for name, atoms in crystals():
        files = write_all(folder, name, atoms)
        answers = [bgw.json("energy", "energy.bgw", "crystal", "--structure", file, "--forces") for file in files]
        energies = [answer["energy"] for answer in answers]
        forces = [np.array(answer["forces"]) for answer in answers]
        spread = max(energies) - min(energies)
        check(f"{name}: {len(atoms)} atoms, {energies[0] / len(atoms):.6f} kcal/mol each, the files differ by {spread:.1e}", spread < 1e-9 * abs(energies[0]))
        check(f"{name}: forces of the files agree", max(np.abs(f - forces[0]).max() for f in forces) < 1e-4)  # files have eight decimals


def refuse_others(bgw, folder):
    germanium = ase.build.bulk("Ge", "diamond", a=5.66)
    ase.io.write(folder / "POSCAR_ge", germanium, format="vasp", direct=True, vasp5=True)
    ase.io.write(folder / "POSCAR_unnamed", germanium, format="vasp", direct=True, vasp5=False)
    told = bgw("energy", "energy.bgw", "crystal", "--structure", "POSCAR_ge", code=3).stderr
    check(f"other atoms are refused: {told.strip()}", "POSCAR_ge has atoms of Ge, `system.crystal` is made of Si" in told)
    bgw("energy", "energy.bgw", "crystal", "--structure", "POSCAR_unnamed")


def compare_lattices(bgw, folder):
    """Cubic diamond in a box of its own, and in the primitive cell with a box of another shape."""
    ase.io.write(folder / "cubic.vasp", ase.build.bulk("Si", "diamond", a=(8 / 0.05) ** (1 / 3), cubic=True), format="vasp", direct=True)
    program = HEAD + """
lattice cells { kind = file; path = "cubic.vasp"; repeats = [2, 2, 2] }
system same { potential = si; lattice = cells; species = "Si"; mass = 28.085 g/mol }
base of_file { kind = phonon; system = same; ensemble = warm }
"""
    (folder / "lattice.bgw").write_text(program)
    bgw("run", "lattice.bgw", "-q")
    values = {name: bgw.json("show", "lattice.bgw", name)["results"]["harmonic"]["value"] for name in ("built_in", "of_file")}
    check(f"diamond built in and of a file: harmonic free energies {values}", abs(values["built_in"] - values["of_file"]) < 1e-7)
    before = bgw.keys("lattice.bgw")
    (folder / "sub").mkdir()
    shutil.move(folder / "cubic.vasp", folder / "sub" / "moved.vasp")
    (folder / "lattice.bgw").write_text(program.replace("cubic.vasp", "sub/moved.vasp"))
    check("a moved file makes no other key", bgw.keys("lattice.bgw") == before)
    text = (folder / "sub" / "moved.vasp").read_text().replace("0.7500000", "0.7510000", 1)
    (folder / "sub" / "moved.vasp").write_text(text)
    after = bgw.keys("lattice.bgw")
    check("a changed file makes another key", after["of_file"] != before["of_file"] and after["built_in"] == before["built_in"])
    (folder / "lattice.bgw").write_text(program.replace("cubic.vasp", "sub/moved.vasp").replace('lattice = cells; species = "Si"', 'lattice = cells; species = "Ge"'))
    check("another species is told", "E0431" in bgw("check", "lattice.bgw", code=3).stderr)


def run_example(bgw, folder, examples):
    """With fewer moves and from another base: one free energy."""
    for name in ("silicon_clathrate.bgw", "silicon_clathrate.vasp"):
        shutil.copy(examples / name, folder)
    text = (folder / "silicon_clathrate.bgw").read_text().replace("chains = 16, steps = 64", "chains = 8, steps = 32")
    text += """
base bare { kind = phonon; system = clathrate; ensemble = warm }
reference again { system = clathrate; ensemble = warm; path = base_to_target(bare, states = 3); sampler = hmc(chains = 8, steps = 32); seed = 47 }
"""
    (folder / "silicon_clathrate.bgw").write_text(text)
    bgw("run", "silicon_clathrate.bgw", "-q", "F", "F_diamond", "again")
    shown = {name: bgw.json("show", "silicon_clathrate.bgw", name) for name in ("F", "F_diamond", "again")}
    value = {name: (one["value"], one["sigma"]) for name, one in shown.items()}
    print(value)
    sigma = (value["F"][1] ** 2 + value["again"][1] ** 2) ** 0.5
    check("the clathrate has one free energy from both bases", 0 < sigma < 0.01 and abs(value["F"][0] - value["again"][0]) < 4 * sigma)
    # At rest it lies 0.05 eV above diamond, two kT of 300 K.
    check("the clathrate lies above diamond", 1.0 < value["F"][0] - value["F_diamond"][0] < 3.0)


def main():
    bgw_program, examples = (str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bgw = Bgw(bgw_program, folder)
        compare_formats(bgw, folder)
        refuse_others(bgw, folder)
        compare_lattices(bgw, folder)
        run_example(bgw, folder, examples)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
