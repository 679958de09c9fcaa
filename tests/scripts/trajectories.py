#!/usr/bin/env python3
"""Trajectories that `bgw export` writes are what other programs read.

    tests/scripts/trajectories.py BGW

Draws a few configurations of ice, exports them as H5MD and as extended XYZ, and reads both with MDAnalysis, ASE and data
blocks; what is no configuration of the crystal is refused. Skipped
(77) without the modules MDAnalysis, h5py and ase, Debian's python3-mdanalysis, python3-h5py and python3-ase.
"""
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import debian_python

try:
    warnings.simplefilter("ignore")
    import ase.io
    import h5py
    import MDAnalysis
    import numpy as np
except ImportError as missing:
    debian_python.without(missing, "python3-mdanalysis python3-h5py python3-ase")

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

    def arrays(self, name, program="ice.bgw"):
        """The arrays of a result, as they lie in the cache."""
        key = json.loads(self.call("show", program, name, "--json"))["key"]
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


IMPORTS = PROGRAM + """
data h5md { file = "draws.h5md"; format = hdf5; system = water; ensemble = cold }
data xyz { file = "draws.extxyz"; format = extxyz; system = water; ensemble = cold; unit = "angstrom" }
data shuffled { file = "shuffled.xyz"; format = extxyz; system = water }
data dump { file = "chains.lammpstrj"; format = lammpsdump; system = water; ensemble = cold }
data plain { file = "plain.h5"; format = hdf5; system = water; ensemble = cold }
data chains { file = "chains.h5md"; format = hdf5; system = water; ensemble = cold }
estimate direct { method = bar; samples = draws; data = ref.samples }
estimate by_file { method = bar; samples = draws; data = chains }
table averages {
  column model { value = q6(draws, weighted = true) }
  column file  { value = q6(h5md, weighted = true) }
  column energy { value = mean_energy(xyz) }
  column pressure { value = mean_pressure(draws) }
  column capacity { value = heat_capacity(ref.samples) }
}
expect spread { value = msd(draws); reference = 0.08 angstrom^2; tolerance = 4 pm * 1 nm }
figure curves {
  series energy { y = energy_histogram(ref.samples) }
  series order { y = q6_histogram(draws) }
  series work { y = work_histogram(by_file, side = reverse) }
}
figure shells { series file { y = rdf(h5md, weighted = true) } }
"""


def centred(displacements):
    return displacements - displacements.mean(axis=1, keepdims=True)


def from_sites(result):
    """Displacements from the ideal sites, up to where the crystal stands."""
    return centred(result["displacements"] + result["sites"])


def write_dump(name, positions, cell, rng):
    """As LAMMPS writes it: scaled, with an origin, atoms in any order."""
    low = np.array([1.5, -2.0, 0.25])
    edges = np.diag(cell)
    with open(name, "w") as file:
        for step, frame in enumerate(positions):
            file.write(f"ITEM: TIMESTEP\n{step * 100}\nITEM: NUMBER OF ATOMS\n{len(frame)}\nITEM: BOX BOUNDS pp pp pp\n")
            for bound, edge in zip(low, edges):
                file.write(f"{bound:.16e} {bound + edge:.16e}\n")
            file.write("ITEM: ATOMS id type xs ys zs\n")
            scaled = (frame / edges) % 1.0
            for atom in rng.permutation(len(frame)):
                file.write(f"{atom + 1} 1 " + " ".join(repr(float(x)) for x in scaled[atom]) + "\n")


def write_files(desk, draws, chains):
    rng = np.random.default_rng(5)
    positions = draws["sites"] + draws["displacements"]
    order = rng.permutation(64)
    shift = np.array([3.1, -7.7, 1.3])
    frames = [ase.Atoms("X64", positions=frame[order] + shift, cell=draws["cell"], pbc=True) for frame in positions]
    for frame in frames:
        frame.wrap()
    ase.io.write(desk.folder / "shuffled.xyz", frames, format="extxyz")
    write_dump(desk.folder / "chains.lammpstrj", chains["sites"] + chains["displacements"], chains["cell"], rng)
    with h5py.File(desk.folder / "plain.h5", "w") as file:
        file["positions"] = 0.1 * positions
        file["positions"].attrs["unit"] = "nm"
        file["cell"] = 0.1 * draws["cell"]
    return order


def imports(desk):
    draws, chains = desk.arrays("draws"), desk.arrays("ref")
    write_files(desk, draws, chains)
    (desk.folder / "file.bgw").write_text(IMPORTS)
    run = desk.call("run", "file.bgw", "-q")
    check("averages are printed", "averages" in run or "model" in run)
    h5md, xyz, shuffled, dump, plain = (desk.arrays(name, "file.bgw") for name in ("h5md", "xyz", "shuffled", "dump", "plain"))
    check("H5MD comes back to 1e-12", close(from_sites(h5md), from_sites(draws), 1e-12))
    check("extended XYZ comes back to 1e-12", close(from_sites(xyz), from_sites(draws), 1e-12))
    check("its energies are those of the potential", close(xyz["energy"], draws["energy"], 1e-9) and close(h5md["energy"], draws["energy"], 1e-9))
    check("its weights come along", close(h5md["log_weight"], draws["log_weight"], 1e-12))
    check("atoms find their sites in any order, wrapped, wherever the crystal stands", close(np.sort(shuffled["energy"]), np.sort(draws["energy"]), 1e-5))
    check("a dump of LAMMPS has the same energies", close(dump["energy"], desk.arrays("chains", "file.bgw")["energy"], 1e-8))
    check("data sets of nm are read in angstrom", close(from_sites(plain), from_sites(draws), 1e-9))
    check("chains are told apart", list(desk.arrays("chains", "file.bgw")["chain"]) == list(chains["chain"]) and not dump["chain"].any())
    direct, by_file = (json.loads(desk.call("show", "file.bgw", name, "--json")) for name in ("direct", "by_file"))
    check("BAR of draws and a file is BAR of draws and chains", abs(direct["value"] - by_file["value"]) < 1e-10)
    table = json.loads(desk.call("show", "file.bgw", "averages", "--json"))["table"]["rows"][0]["cells"]
    check("averages over draws and over their file are the same", abs(table[0]["value"] - table[1]["value"]) < 1e-10)
    check("the heat capacity is near that of a harmonic crystal", abs(table[4]["value"] - 3) < 5 * table[4]["sigma"])


def refuse(desk, name, text, why, **more):
    attributes = "; ".join(f'{key} = "{value}"' for key, value in more.items())
    (desk.folder / "bad.xyz").write_text(text)
    (desk.folder / "bad.bgw").write_text(PROGRAM.replace("mass = 18.015 g/mol", 'mass = 18.015 g/mol; species = "O"') +
                                         f'data bad {{ file = "bad.xyz"; format = extxyz; system = water; {attributes} }}\n')
    done = subprocess.run([desk.bgw, "run", "bad.bgw", "bad", "-q"], cwd=desk.folder, capture_output=True, text=True)
    told = " ".join((done.stderr + done.stdout).split())
    check(f"{name} is refused: {why}", done.returncode == 4 and why in told)
    if why not in told:
        print(told[-600:])


def refusals(desk):
    draws = desk.arrays("draws")
    positions = draws["sites"] + draws["displacements"][0]
    lattice = " ".join(repr(float(x)) for x in draws["cell"].flatten())

    def text(x, species="O", cell=lattice):
        return f'{len(x)}\nLattice="{cell}" Properties=species:S:1:pos:R:3\n' + "".join(f"{species} {a} {b} {c}\n" for a, b, c in x)

    refuse(desk, "a file of other atoms", text(positions, "Si"), "'Si', the system has 'O'")
    refuse(desk, "a file of two species", text(positions).replace("O ", "H ", 1), "several species")
    refuse(desk, "a file with an atom less", text(positions[:-1]), "has 63 atoms, the crystal of the system 64")
    refuse(desk, "a position that is no number", text(positions).replace(repr(float(positions[5][0])), "nan", 1), "each coordinate is a number")
    refuse(desk, "another cell", text(positions, cell=" ".join(repr(1.05 * float(x)) for x in draws["cell"].flatten())), "another cell")
    molten = positions.copy()
    molten[7][0] += 1.6
    refuse(desk, "a crystal that has left its structure", text(molten), "limit 1.3")
    refuse(desk, "a file in another unit", text(positions), "another cell", unit="nm")
    refuse(desk, "an empty file", "", "holds no configuration")
    told = text(positions).replace("pos:R:3", "pos:R:3 chain=1", 1)
    refuse(desk, "a chain for some configurations only", told + text(positions), "some configurations have a chain, others none")
    refuse(desk, "a chain from the second configuration on", text(positions) + told, "some configurations have a chain, others none")
    (desk.folder / "bad.xyz").write_text("")
    whole = (desk.folder / "draws.h5md").read_bytes()
    (desk.folder / "cut.h5md").write_bytes(whole[:len(whole) // 2])
    (desk.folder / "cut.bgw").write_text(PROGRAM + 'data cut { file = "cut.h5md"; format = hdf5; system = water }\n')
    done = subprocess.run([desk.bgw, "run", "cut.bgw", "cut", "-q"], cwd=desk.folder, capture_output=True, text=True)
    check("a file that is cut short is refused as bad input", done.returncode == 4 and "bad_input" in done.stderr + done.stdout and "cut short" in done.stderr + done.stdout)
    (desk.folder / "gone.bgw").write_text(IMPORTS.replace("draws.h5md", "gone.h5md"))
    desk.call("check", "gone.bgw", code=3)


def keys(desk):
    def key():
        return next(task["key"] for task in json.loads(desk.call("plan", "file.bgw", "xyz", "--json"))["tasks"] if task["name"] == "xyz")

    before = key()
    path = desk.folder / "draws.extxyz"
    text = path.read_text()
    path.write_text(text + "\n")
    check("a changed file is another key", key() != before)
    path.write_text(text)
    check("the same content is the same key", key() == before)


def main():
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(os.path.abspath(sys.argv[1]), Path(folder))
        exports(desk)
        desk.call("export", "ice.bgw", "draws", "--force")
        imports(desk)
        keys(desk)
        refusals(desk)
    sys.exit(1 if failures else 0)


main()
