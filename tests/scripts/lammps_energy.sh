#!/bin/sh
# Energy and forces of bgw against LAMMPS on displaced crystals of mW water: agreement to 1e-9, relative.
#
#   tests/scripts/lammps_energy.sh BGW [LMP]
#
# Two independent programs read the same numbers (17 digits): a perfect crystal, and displacements up to 0.4
# angstrom in boxes of 64 and 216 molecules. Exit 0 when all agree, 1 when one does not, 77 where there is no LAMMPS.
set -eu
LC_ALL=C
export LC_ALL
bgw=$(readlink -f "${1:?usage: lammps_energy.sh BGW [LMP]}")
lmp=${2:-lmp}
if ! command -v "$lmp" > /dev/null; then
  echo "skipped: no $lmp here (Debian: apt-get install lammps)"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# The parameters of Molinero and Moore (2009); cos0 is the cosine of 109.47 degrees, as in their tables.
cat > mw.bgw << 'END'
bgw 1
potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }
lattice ice { kind = diamond_cubic; atoms = 64; density = 0.033567184 /angstrom^3 }
system water { potential = mw; lattice = ice }
END
echo "mW mW mW 6.189 2.3925 1.8 23.15 1.2 -0.33331324756823727 7.049556277 0.6022245584 4.0 0.0 0.0" > mw.sw

cat > in.lammps << 'END'
units real
atom_style atomic
boundary p p p
read_data crystal.data
pair_style sw
pair_coeff * * mw.sw mW
thermo_modify norm no
variable energy equal pe
dump forces all custom 1 forces.dump id fx fy fz
dump_modify forces sort id format float %.17g
run 0
print "$(v_energy:%.17g)" file energy.txt
END

# crystal REPEATS AMPLITUDE SEED: cubic diamond, each coordinate displaced by up to AMPLITUDE (minimal standard
# generator), as crystal.extxyz for bgw and crystal.data for LAMMPS.
crystal() {
  awk -v repeats="$1" -v amplitude="$2" -v state="$3" 'BEGIN {
    split("0 0 0  0 2 2  2 0 2  2 2 0  1 1 1  1 3 3  3 1 3  3 3 1", basis, " ")
    atoms = 8 * repeats ^ 3
    edge = exp(log(atoms / 0.033567184) / 3)
    cell = edge / repeats
    printf "%d\nLattice=\"%.17g 0 0 0 %.17g 0 0 0 %.17g\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n", atoms, edge, edge, edge > "crystal.extxyz"
    printf "displaced crystal\n\n%d atoms\n1 atom types\n0 %.17g xlo xhi\n0 %.17g ylo yhi\n0 %.17g zlo zhi\n\nMasses\n\n1 18.015\n\nAtoms\n\n", atoms, edge, edge, edge > "crystal.data"
    for (i = 0; i < repeats; i++) for (j = 0; j < repeats; j++) for (k = 0; k < repeats; k++)
      for (site = 0; site < 8; site++) {
        corner[0] = i; corner[1] = j; corner[2] = k
        for (axis = 0; axis < 3; axis++) {
          state = (16807 * state) % 2147483647
          x[axis] = sprintf("%.17g", cell * (corner[axis] + basis[3 * site + axis + 1] / 4) + amplitude * (2 * state / 2147483647 - 1))
        }
        print "mW", x[0], x[1], x[2] > "crystal.extxyz"
        print ++id, 1, x[0], x[1], x[2] > "crystal.data"
      }
  }'
}

# One number a line from the JSON of bgw: the energy, then the forces in the order of the file.
numbers_of_bgw() {
  tr -d ' \n\t' < bgw.json | awk '{
    if (!match($0, /"energy":[-+.0-9eE]+/)) { print "no energy in the output of bgw" > "/dev/stderr"; exit 1 }
    print substr($0, RSTART + 9, RLENGTH - 9)
    if (!match($0, /"forces":\[\[[^"]*\]\]/)) { print "no forces in the output of bgw" > "/dev/stderr"; exit 1 }
    text = substr($0, RSTART + 9, RLENGTH - 9)
    gsub(/[][]/, "", text)
    count = split(text, force, ",")
    for (i = 1; i <= count; i++) print force[i]
  }'
}

numbers_of_lammps() {
  cat energy.txt
  awk 'data { print $2; print $3; print $4 } /^ITEM: ATOMS/ { data = 1 }' forces.dump
}

failures=0
compare() {
  crystal "$1" "$2" "$3"
  "$lmp" -in in.lammps -log lammps.log > lammps.out 2>&1 || { tail -n 20 lammps.out; echo "LAMMPS failed"; exit 1; }
  "$bgw" energy mw.bgw water --structure crystal.extxyz --forces --json > bgw.json
  numbers_of_bgw > bgw.txt
  numbers_of_lammps > lammps.txt
  if paste bgw.txt lammps.txt | awk -v atoms="$((8 * $1 * $1 * $1))" -v amplitude="$2" '
      function abs(x) { return x < 0 ? -x : x }
      NF != 2 { wrong = 1 }
      NR == 1 { energy = abs($1 - $2) / abs($2); value = $2; next }
      { if (abs($1 - $2) > worst) worst = abs($1 - $2); if (abs($2) > largest) largest = abs($2) }
      END {
        if (NR != 1 + 3 * atoms) wrong = 1
        # A perfect crystal has no forces: there the scale is epsilon/sigma, 2.6 kcal/mol/angstrom.
        scale = largest > 2.6 ? largest : 2.6
        printf "N = %d, displaced by %.2f angstrom: energy %.10g kcal/mol, differs by %.1e; forces up to %.3g, differ by %.1e (relative)\n",
          atoms, amplitude, value, energy, largest, worst / scale
        exit (wrong || !(energy <= 1e-9) || !(worst / scale <= 1e-9))
      }'
  then :; else
    echo "  ... which is no agreement to 1e-9"
    failures=$((failures + 1))
  fi
}

compare 2 0 1
compare 2 0.2 2
compare 3 0.1 3
compare 3 0.4 4
[ "$failures" = 0 ] || { echo "$failures of 4 comparisons failed"; exit 1; }
echo "bgw and LAMMPS agree to 1e-9 in 4 of 4 comparisons"
