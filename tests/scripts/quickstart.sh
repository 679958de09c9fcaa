#!/bin/sh
# The shipped quickstart, whole: it must end with exit code 0 (its `expect` blocks hold), with the errors and effective
# sample sizes that its text promises; the second run must find everything in the cache; and changing the number of
# training steps must plan the training and what depends on it, nothing else.
#
#   tests/scripts/quickstart.sh BGW PROGRAM
set -u
LC_ALL=C
export LC_ALL
usage='usage: quickstart.sh BGW PROGRAM'
bgw=$(readlink -f "${1:?$usage}")
program=$(readlink -f "${2:?$usage}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# number NAME FIELD: a number of `bgw show NAME --json`; fields of the top level come before those in "results".
number() {
  "$bgw" show "$program" "$1" --json --cache "$scratch/cache" |
    sed 's/"results":{.*}}//' | grep -o "\"$2\":[-+0-9.e]*" | head -n 1 | cut -d: -f2
}

# holds EXPRESSION: in awk's arithmetic
holds() {
  awk "BEGIN { exit !($1) }"
}

"$bgw" run "$program" --cache "$scratch/cache" > "$scratch/first.txt" 2>&1
code=$?
[ $code -eq 0 ] || { cat "$scratch/first.txt"; fail "the first run ended with exit code $code"; }

for case in 64:-25.16311:0.80 216:-25.08235:0.60; do
  n=${case%%:*}; rest=${case#*:}; published=${rest%:*}; least_ess=${rest#*:}
  for route in F:2e-4 ref:1e-3; do
    name="${route%:*}[$n]"
    value=$(number "$name" value); sigma=$(number "$name" sigma)
    echo "$name: $value, sigma $sigma, published $published"
    holds "$sigma > 0 && $sigma <= ${route#*:}" || fail "$name has sigma $sigma, at most ${route#*:} is promised"
    holds "($value - $published)^2 <= (4 * $sigma)^2" || fail "$name = $value is further than 4 sigma from $published"
  done
  ess=$(number "draws[$n]" ess)
  echo "draws[$n]: ess $ess"
  holds "$ess >= $least_ess" || fail "draws[$n] has an effective fraction of $ess, at least $least_ess is promised"
done

"$bgw" run "$program" --cache "$scratch/cache" > "$scratch/second.txt" 2>&1 || fail "the second run ended with exit code $?"
grep -q 'nothing to do' "$scratch/second.txt" || { cat "$scratch/second.txt"; fail "the second run did something"; }

"$bgw" plan "$program" --cache "$scratch/cache" -p steps=61 > "$scratch/plan.txt" 2>&1
cat "$scratch/plan.txt"
grep -q 'stage main.steps 60 -> 61' "$scratch/plan.txt" || fail "the plan does not say why the training runs"
runs=$(awk '$1 == "run" { print $3 }' "$scratch/plan.txt" | sort | tr '\n' ' ')
[ "$runs" = 'estimate.F[*] figure.rdf rdf.rdf(draws[64]) sample.draws[*] table.free_energy train.bg ' ] ||
  fail "steps change the training and what depends on it, the plan runs: $runs"

[ $failures -eq 0 ] || exit 1
echo "the quickstart does what it promises"
