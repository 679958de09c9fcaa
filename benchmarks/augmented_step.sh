#!/bin/sh
# How fast is a training step of the augmented flow? The fused kernels of float32 networks beside the plain path of ATen
# operations, by benchmarks/augmented_step.cpp: mW ice, N = 216, E = 32, 16 neighbours, 8 couplings, a
# batch of 128, two threads. The two take turns. Exit code 1 when a limit is broken.
#
#   benchmarks/augmented_step.sh [TIMES] [BATCH]     the best of TIMES steps of each counts (3); BATCH samples (128)
#
# Both run with one thread of BLAS and passive waiting, as bgw starts its tasks.
#
# The limits: at least four times the speed of the plain path, at most 2 GB, and the same loss and length of the gradient
# to what float32 networks are good for. The aim, 1.0 s, is printed beside. Not a test: the numbers belong to the machine
# named below them, and to a time when nothing else runs on it; where something does, the seconds of the processors tell
# more than those of the clock.
set -u
LC_ALL=C
export LC_ALL
times=${1:-3}
batch=${2:-128}
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
. cmake/build.sh
build_release augmented_step || exit $?
step=$release_tree/benchmarks/augmented_step
OPENBLAS_NUM_THREADS=1
OMP_WAIT_POLICY=passive
export OPENBLAS_NUM_THREADS OMP_WAIT_POLICY
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for _ in $(seq "$times"); do
  for networks in fused plain; do "$step" 216 32 4 "$batch" 2 1 "$networks" >> "$scratch/$networks" || exit 1; done
done

# Of the columns of all runs: the least seconds, the most memory, the last loss and gradient.
summary() {
  awk 'NR == 1 || $1 < clock { clock = $1 } NR == 1 || $2 < processors { processors = $2 } $3 > memory { memory = $3 }
    END { print clock, processors, memory, $4, $5 }' "$1"
}
# shellcheck disable=SC2046  # five words are meant
set -- $(summary "$scratch/fused") $(summary "$scratch/plain")
awk -v batch="$batch" -v a="$*" 'BEGIN {
  split(a, n, " ")
  row = "%-12s %10s %14s %10s %16s %16s\n"
  printf row, "networks", "seconds", "of processors", "MB", "loss", "|gradient|"
  printf row, "fused", n[1], n[2], n[3], n[4], n[5]
  printf row, "plain", n[6], n[7], n[8], n[9], n[10]
  ratio = n[6] / n[1]
  apart = (n[4] - n[9]) / n[9]; steep = (n[5] - n[10]) / n[10]
  same = (apart * apart < 1e-12 && steep * steep < 1e-8)
  fast = (ratio >= 4); small = (n[3] <= 2000)
  printf "\nratio %.1f, at least 4: %s; of processors %.1f\n", ratio, fast ? "holds" : "BROKEN", n[7] / n[2]
  printf "memory %d MB, at most 2000: %s\n", n[3], small ? "holds" : "BROKEN"
  printf "same loss and gradient: %s\n", same ? "holds" : "BROKEN"
  printf "seconds for %d samples: %.2f (aim: 1.0 for 128)\n", batch, n[1]
  exit !(fast && small && same) }'
broken=$?
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
printf '\n%s; %s; %s; load %s\n' "${processor:-unknown processor}" "$(uname -sr)" "$(g++ --version | head -n 1)" \
  "$(cut -d' ' -f1 /proc/loadavg)"
exit $broken
