#!/bin/sh
# Mean density at constant pressure, of bgw's dynamics against LAMMPS's: silicon at 300 K without pressure and Lennard-Jones
# fcc at T* = 1, P* = 10. Agreement within 4 standard errors, and 3e-4 or 1e-3 of the density at most.
#
#   tests/scripts/npt_density.sh BGW [LMP]
#
# LAMMPS moves the box by a Hoover barostat and the atoms by Langevin forces, bgw the box by Metropolis-Hastings moves. For silicon there is
# a published lattice constant, too, 5.43739(4) angstrom. Exit 0 when all agree, 1 when one does not, 77 where there is no LAMMPS.
set -eu
LC_ALL=C
export LC_ALL
bgw=$(readlink -f "${1:?usage: npt_density.sh BGW [LMP]}")
lmp=${2:-lmp}
if ! command -v "$lmp" > /dev/null; then
  echo "skipped: no $lmp here (Debian: apt-get install lammps)"
  exit 77
fi
. "$(dirname "$(readlink -f "$0")")/mean_of_blocks.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# Both begin at a density that is two percent off.
cat > silicon.bgw << 'END'
bgw 1
potential sw { style = stillinger_weber; epsilon = 50.003 kcal/mol; sigma = 2.0951 angstrom; lambda = 21 }
lattice diamond { kind = diamond_cubic; atoms = 216; density = 0.0508 /angstrom^3 }
system silicon { potential = sw; lattice = diamond; mass = 28.085 g/mol }
ensemble free { kind = npt; temperature = 300 K; pressure = 0 GPa; box = isotropic }
md run {
  system = silicon; ensemble = free; integrator = langevin(friction = 5 /ps); timestep = 3 fs
  equilibrate = 3 ps; produce = 24 ps; every = 0.06 ps; replicas = 8; seed = 1
}
END
echo "Si Si Si 50.003 2.0951 1.8 21.0 1.2 -0.33331324756823727 7.049556277 0.6022245584 4.0 0.0 0.0" > si.sw
cat > silicon.lammps << 'END'
units real
lattice diamond 5.43
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 28.085
pair_style sw
pair_coeff * * si.sw Si
velocity all create 300 4711 mom yes
timestep 2
fix move all nph iso 0 0 500
fix heat all langevin 300 300 200 1234 zero yes
run 5000
variable density equal atoms/vol
fix keep all ave/time 50 1 50 v_density file densities.txt
run 80000
END

cat > argon.bgw << 'END'
bgw 1
potential lj { style = lennard_jones; cutoff = 2.7 lj; shift = true }
lattice fcc { kind = fcc; atoms = 256; density = 1.05 lj }
system xtal { potential = lj; lattice = fcc }
ensemble pressed { kind = npt; temperature = 1 lj; pressure = 10 lj; box = isotropic }
md run {
  system = xtal; ensemble = pressed; integrator = langevin(friction = 1 lj); timestep = 0.004 lj
  equilibrate = 4 lj; produce = 40 lj; every = 0.1 lj; replicas = 8; seed = 1
}
END
cat > argon.lammps << 'END'
units lj
lattice fcc 1.07
region box block 0 4 0 4 0 4
create_box 1 box
create_atoms 1 box
mass 1 1
pair_style lj/cut 2.7
pair_modify shift yes
pair_coeff * * 1 1
neigh_modify delay 0 every 1 check yes
velocity all create 1 4711 mom yes
timestep 0.003
fix move all nph iso 10 10 0.5
fix heat all langevin 1 1 1 1234 zero yes
run 5000
variable density equal atoms/vol
fix keep all ave/time 50 1 50 v_density file densities.txt
run 100000
END

failures=0
compare() {  # name, largest relative difference
  "$bgw" run "$1.bgw" run > bgw.log 2>&1 || { cat bgw.log; echo "bgw failed"; exit 1; }
  "$lmp" -in "$1.lammps" -log none > lammps.out 2>&1 || { tail -n 20 lammps.out; echo "LAMMPS failed"; exit 1; }
  "$bgw" show "$1.bgw" run.density --json | tr -d ' \n' > bgw.json
  ours=$(sed -n 's/.*"sigma":\([-+.0-9eE]*\).*"value":\([-+.0-9eE]*\).*/\2 \1/p' bgw.json)
  [ -n "$ours" ] || ours=$(sed -n 's/.*"value":\([-+.0-9eE]*\).*"sigma":\([-+.0-9eE]*\).*/\1 \2/p' bgw.json)
  echo "$ours $(mean_of_blocks densities.txt)" | awk -v name="$1" -v most="$2" '
    function abs(x) { return x < 0 ? -x : x }
    {
      error = sqrt($2 * $2 + $4 * $4)
      printf "%s: density %.7g +- %.1g, LAMMPS %.7g +- %.1g, apart by %.1f standard errors\n", name, $1, $2, $3, $4, abs($1 - $3) / error
      if (name == "silicon") printf "  lattice constant %.5f +- %.5f angstrom, published 5.43739(4)\n", exp(log(8 / $1) / 3), exp(log(8 / $1) / 3) * $2 / $1 / 3
      exit (NF != 4 || !(abs($1 - $3) <= 4 * error) || !(abs($1 - $3) <= most * $3))
    }' || failures=$((failures + 1))
}
compare silicon 3e-4
compare argon 1e-3
exit "$((failures > 0))"
