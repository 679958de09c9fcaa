#!/bin/sh
# The published free energies of ice and Lennard-Jones, whole: the workflow must end with exit code 0 (each of its values lies
# within 3 sigma of the paper's), and every standard error must be as small as it promises.
#
#   tests/scripts/table1.sh BGW PROGRAM
set -u
LC_ALL=C
export LC_ALL
usage='usage: table1.sh BGW PROGRAM'
bgw=$(readlink -f "${1:?$usage}")
program=$(readlink -f "${2:?$usage}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

"$bgw" run "$program" --cache "$scratch/cache" > "$scratch/run.txt" 2>&1
code=$?
cat "$scratch/run.txt"
[ $code -eq 0 ] || fail "the run ended with exit code $code"

# promised NAME LIMIT: kT per atom
promised() {
  sigma=$("$bgw" show "$program" "$1" --json --cache "$scratch/cache" | sed 's/"results":{.*}}//' |
    grep -o '"sigma":[-+0-9.e]*' | head -n 1 | cut -d: -f2)
  echo "$1: sigma $sigma"
  awk "BEGIN { exit !(\"$sigma\" != \"\" && $sigma > 0 && $sigma <= $2) }" || fail "$1 has sigma $sigma, at most $2 is promised"
}

for route in chains annealed; do
  for phase in diamond_cubic ice_ih; do
    for n in 64 216 512; do promised "ice_$route[$phase,$n]" 3e-4; done
  done
  for n in 256 500; do promised "lj_$route[$n]" 6e-4; done
done
exit $((failures > 0))
