#!/bin/sh
# How fast are energies and forces? Calls of the release kernels a second on one core (benchmarks/forces.cpp) beside the
# steps a second of LAMMPS on one process, one step being one force call, for Stillinger-Weber and Lennard-Jones crystals,
# and a table of both. Exit code 1 when a limit is broken, 77 where there is no LAMMPS.
#
#   benchmarks/forces.sh [TIMES] [LMP]     the best of TIMES runs counts (5)
#
# LAMMPS runs as its users run it: molecular dynamics of constant energy at the temperature of the displacements, its
# neighbour lists rebuilt when atoms have moved half the skin; its own loop time is taken, times the share of the processor
# that it reports. bgw is given batches of 64 configurations, as its samplers give them. Not a test: the numbers belong to
# the machine named below them, and to a time when nothing else runs on it.
set -u
LC_ALL=C
export LC_ALL
times=${1:-5}
lmp=${2:-lmp}
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
if ! command -v "$lmp" > /dev/null; then
  echo "skipped: no $lmp here (Debian: apt-get install lammps)"
  exit 77
fi
. cmake/build.sh
build_release forces || exit $?
forces=$(readlink -f "$release_tree/benchmarks/forces")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
OMP_NUM_THREADS=1
export OMP_NUM_THREADS
echo 'X X X 6.189 2.3925 1.8 23.15 1.2 -0.33331324756823727 7.049556277 0.6022245584 4.0 0.0 0.0' > ice.sw
echo 'X X X 2.1683 2.0951 1.8 21.0 1.2 -0.33331324756823727 7.049556277 0.6022245584 4.0 0.0 0.0' > silicon.sw

# deck UNITS LATTICE EDGE CELLS MASS PAIR TEMPERATURE TIMESTEP STEPS: velocities begin at twice the temperature
deck() {
  cat << END
units $1
atom_style atomic
boundary p p p
lattice $2 $3
region box block 0 $4 0 $4 0 $4
create_box 1 box
create_atoms 1 box
mass 1 $5
$6
velocity all create $7 4711 mom yes rot no
fix 1 all nve
timestep $8
thermo 0
run 200
run $9
END
}
newline='
'
ice() { deck real diamond 6.2 "$1" 18.015 "pair_style sw${newline}pair_coeff * * ice.sw X" 400 2 "$2"; }
silicon() { deck metal diamond 5.4443 "$1" 28.085 "pair_style sw${newline}pair_coeff * * silicon.sw X" 2000 0.001 "$2"; }
lj() { deck lj fcc 1.28 "$1" 1 "pair_style lj/cut 2.7${newline}pair_modify shift yes${newline}pair_coeff * * 1 1" 4 0.002 "$2"; }

# Processor seconds of a step, from 'Loop time of 0.5 on 1 procs for 2000 steps' and '99.5% CPU use'.
lammps_rate() {
  for _ in $(seq "$times"); do
    "$lmp" -in in.deck -log lammps.log > lammps.out 2>&1 || { tail -n 5 lammps.out >&2; exit 1; }
    awk '/^Loop time of/ { loop = $4; steps = $9 } /% CPU use/ { split($1, share, "%") } END { print steps / (loop * share[1] / 100) }' lammps.log
  done | awk '$1 > best { best = $1 } END { if (!NR) exit 1; printf "%.1f", best }'
}

broken=0
printf '%-24s %6s %12s %12s %8s %6s  %s\n' 'energy and forces' atoms 'LAMMPS /s' 'bgw /s' ratio least verdict
# row WHAT SYSTEM ATOMS CELLS STEPS LEAST
row() {
  "$2" "$4" "$5" > in.deck
  theirs=$(lammps_rate) || exit 1
  ours=$("$forces" "$2" "$3" $((times * 3))) || exit 1
  awk -v what="$1" -v atoms="$3" -v theirs="$theirs" -v ours="$ours" -v least="$6" 'BEGIN {
    ratio = ours / theirs
    verdict = (ratio >= least) ? "holds" : "BROKEN"
    printf "%-24s %6d %12.0f %12.0f %8.1f %6d  %s\n", what, atoms, theirs, ours, ratio, least, verdict
    exit (verdict == "BROKEN") }' || broken=1
}
row 'mW ice, 200 K' ice 216 3 2000 4
row 'mW ice, 200 K' ice 1728 6 300 4
row 'SW silicon, 1000 K' silicon 216 3 2000 4
row 'SW silicon, 1000 K' silicon 1728 6 300 4
row 'LJ fcc, T* = 2' lj 256 4 2000 2
row 'LJ fcc, T* = 2' lj 2048 8 250 2
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
printf '\n%s; %s; %s; LAMMPS %s; %s\n' "${processor:-unknown processor}" "$(uname -sr)" "$(g++ --version | head -n 1)" \
  "$("$lmp" -h | sed -n 's/^Large-scale.*Simulator - //p')" "load $(cut -d' ' -f1 /proc/loadavg)"
exit $broken
