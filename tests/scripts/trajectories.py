#!/usr/bin/env python3
"""Trajectories that `bgw export` writes are what other programs read.

    tests/scripts/trajectories.py BGW

Draws a few configurations of ice, exports them as H5MD and as extended XYZ, and reads both with MDAnalysis and ASE. Skipped
(77) without the modules MDAnalysis, h5py and ase, Debian's python3-mdanalysis, python3-h5py and python3-ase.
"""
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

try:
    warnings.simplefilter("ignore")
    import ase.io
    import h5py
    import MDAnalysis
    import numpy as np
except ImportError as missing:
    debian = "/usr/bin/python3"
    if os.path.exists(debian) and os.path.realpath(sys.executable) != os.path.realpath(debian) and "BGW_TRIED" not in os.environ:
        os.execve(debian, [debian, *sys.argv], {**os.environ, "BGW_TRIED": "1"})
    print(f"skipped: {missing}; apt-get install python3-mdanalysis python3-h5py python3-ase")
    sys.exit(77)

PROGRAM = """bgw 1
potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }
lattice ice { kind = ice_ih; atoms = 64; density = 0.033567184 /angstrom^3 }
system water { potential = mw; lattice = ice; mass = 18.015 g/mol }
ensemble cold { kind = nvt; temperature = 200 K }
base phonons { kind = phonon; system = water; ensemble = cold }
flow ours { type = mode_split; splits = 4; look_ahead = 4 }
train bg {
  system = water; ensemble = cold; base = phonons; flow = ours; seed = 1
  stage main { loss = reverse_kl(gradient = path); steps = 2; batch = 4; learning_rate = 0.01 }
}
sample draws { model = bg; count = 50; seed = 2 }
reference ref { system = water; ensemble = cold; path = base_to_target(phonons, states = 2); sampler = hmc(chains = 4, steps = 4); seed = 3 }
"""
failures = []


def check(what, holds):
    print(("ok: " if holds else "FAILED: ") + what)
    if not holds:
        failures.append(what)


def close(a, b, tolerance):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return a.shape == b.shape and float(np.max(np.abs(a - b), initial=0.0)) <= tolerance


class Desk:
    def __init__(self, bgw, folder):
        self.bgw, self.folder = bgw, folder
        (folder / "ice.bgw").write_text(PROGRAM)

    def call(self, *words, code=0):
        done = subprocess.run([self.bgw, *words], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != code:
            check(f"bgw {' '.join(words)} ends with {code}, not {done.returncode}: {done.stderr[-400:]}", False)
        return done.stdout

    def arrays(self, name):
        """The arrays of a result, as they lie in the cache."""
        key = json.loads(self.call("show", "ice.bgw", name, "--json"))["key"]
        with h5py.File(self.folder / ".bgw" / "objects" / key[:2] / key / "result.h5") as file:
            return {name: data[()] for name, data in file.items() if name != "about" and isinstance(data, h5py.Dataset)}


def read_h5md(desk, result):
    positions = result["sites"] + result["displacements"]
    weights = np.exp(result["log_weight"] - result["log_weight"].max())
    with h5py.File(desk.folder / "draws.h5md") as file:
        everything = file["particles/all"]
        check("H5MD is of version 1.1", list(file["h5md"].attrs["version"]) == [1, 1])
        check("H5MD names author and creator", "name" in file["h5md/author"].attrs and file["h5md/creator"].attrs["name"] in (b"bgw", "bgw"))
        check("H5MD holds the very positions", close(everything["position/value"], positions, 1e-12))
        check("H5MD holds the cell in rows", close(everything["box/edges/value"][7], result["cell"], 1e-12))
        check("H5MD says that the box is periodic", [str(word, "utf-8") if isinstance(word, bytes) else word for word in everything["box"].attrs["boundary"]] == ["periodic"] * 3)
        check("H5MD shares its steps", everything["position/step"] == everything["box/edges/step"] == file["observables/weight/step"])
        check("H5MD has one species for all atoms", everything["species"].shape == (64,) and len(set(everything["species"][()])) == 1)
        check("H5MD has the energies", close(file["observables/potential_energy/value"], result["energy"], 1e-12))
        check("H5MD has normalised weights", close(file["observables/weight/value"], weights / weights.sum(), 1e-14))


def read_mdanalysis(desk, result):
    positions = result["sites"] + result["displacements"]
    universe = MDAnalysis.Universe.empty(64, trajectory=True)
    universe.load_new(str(desk.folder / "draws.h5md"), format="H5MD")
    read = np.array([frame.positions.copy() for frame in universe.trajectory])
    check("MDAnalysis reads all frames of H5MD", len(universe.trajectory) == 50)
    check("MDAnalysis reads the positions, in single precision", close(read, positions, 2e-5))
    frame = universe.trajectory[3]
    check("MDAnalysis reads the cell", close(frame.dimensions, [*np.diag(result["cell"]), 90, 90, 90], 1e-4))
    check("MDAnalysis reads energies and weights", close(frame.data["potential_energy"], result["energy"][3], 1e-9) and frame.data["weight"] > 0)


def read_ase(desk, result):
    positions = result["sites"] + result["displacements"]
    frames = ase.io.read(desk.folder / "draws.extxyz", index=":")
    check("ASE reads all frames of extended XYZ", len(frames) == 50)
    check("ASE reads the very positions", close([frame.positions for frame in frames], positions, 1e-12))
    check("ASE reads the cell, periodic", close(frames[2].cell.array, result["cell"], 1e-12) and frames[2].pbc.all())
    check("ASE reads the energies", close([frame.get_potential_energy() for frame in frames], result["energy"], 1e-12))
    check("ASE reads log weights", close([frame.info["log_weight"] for frame in frames], result["log_weight"], 1e-12))


def exports(desk):
    desk.call("export", "ice.bgw", "draws", code=4)
    desk.call("run", "ice.bgw", "draws", "ref", "-q")
    desk.call("export", "ice.bgw", "draws")
    desk.call("export", "ice.bgw", "draws", "--format", "extxyz")
    result = desk.arrays("draws")
    read_h5md(desk, result)
    read_mdanalysis(desk, result)
    read_ase(desk, result)
    desk.call("export", "ice.bgw", "draws", code=7)
    desk.call("export", "ice.bgw", "draws", "--force", "--every", "20")
    with h5py.File(desk.folder / "draws.h5md") as file:
        check("every twentieth configuration is written", list(file["particles/all/position/step"]) == [0, 20, 40])
        check("their weights sum to one", abs(file["observables/weight/value"][()].sum() - 1) < 1e-12)
    desk.call("export", "ice.bgw", "ref.samples", "-o", "chains.h5md")
    chains = desk.arrays("ref")
    with h5py.File(desk.folder / "chains.h5md") as file:
        check("chains are told apart", list(file["observables/chain/value"]) == list(chains["chain"]))
    desk.call("export", "ice.bgw", "ref", "--weighted", code=3)
    desk.call("export", "ice.bgw", "bg", code=3)
    desk.call("export", "ice.bgw", "draws", "-o", "ice.bgw", "--force", code=2)
    stream = desk.call("export", "ice.bgw", "draws", "--format", "extxyz", "--every", "25", "-o", "/dev/stdout")
    check("a pipe takes extended XYZ", stream.count("Lattice=") == 2)
    check("nothing half-written is left", not list(desk.folder.glob("*.tmp")))


def main():
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(os.path.abspath(sys.argv[1]), Path(folder))
        exports(desk)
    sys.exit(1 if failures else 0)


main()
