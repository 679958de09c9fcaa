#!/bin/sh
# How fast are mode-split flows? Draws, and training samples with path gradients, a second on one thread, by forces in
# float64 and in float32 (benchmarks/mode_split.cpp): mW ice of 64, 216 and 512 molecules, Lennard-Jones of 256 atoms by
# all forces and by softened ones of twelve neighbours; 16 splits, one in four looking ahead. The two take turns. Exit code
# 1 when float32 draws less than 1.2 times as many, or when its mean log weight is another one.
#
#   benchmarks/mode_split.sh [TIMES] [BATCH]     the best of TIMES batches of each counts (3); BATCH samples (64)
#
# Not a test: the numbers belong to the machine named below them. Processor time is taken, so that what else runs there
# tells less.
set -u
LC_ALL=C
export LC_ALL
times=${1:-3}
batch=${2:-64}
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
. cmake/build.sh
build_release mode_split || exit $?
flow=$release_tree/benchmarks/mode_split
OPENBLAS_NUM_THREADS=1
OMP_WAIT_POLICY=passive
export OPENBLAS_NUM_THREADS OMP_WAIT_POLICY
broken=0
row='%-12s %14s %14s %8s %14s %14s %8s\n'
# shellcheck disable=SC2059  # the format is the row
printf "$row" crystal "draws, 64" "draws, 32" ratio "training, 64" "training, 32" ratio
for crystal in 'ice 64' 'ice 216' 'ice 512' 'lj 256' 'guided 256'; do
  # shellcheck disable=SC2086  # a name and a number
  double=$("$flow" $crystal float64 "$batch" "$times") || exit 1
  # shellcheck disable=SC2086
  single=$("$flow" $crystal float32 "$batch" "$times") || exit 1
  awk -v row="$row" -v name="$crystal" -v a="$double $single" 'BEGIN {
    split(a, n, " ")
    printf row, name, n[1], n[4], sprintf("%.2f", n[4] / n[1]), n[2], n[5], sprintf("%.2f", n[5] / n[2])
    apart = n[6] - n[3]
    exit !(n[4] >= 1.2 * n[1] && apart * apart < 1e-6) }' || broken=1
done
[ "$broken" = 0 ] && verdict=holds || verdict=BROKEN
printf '\nat least 1.2 times the draws, by the same weights: %s\n' "$verdict"
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
printf '%s; %s; %s; load %s\n' "${processor:-unknown processor}" "$(uname -sr)" "$(g++ --version | head -n 1)" \
  "$(cut -d' ' -f1 /proc/loadavg)"
exit $broken
