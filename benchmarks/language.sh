#!/bin/sh
# How fast is the language? Measures the release programs on generated programs (benchmarks/generate.sh) against the
# limits below and prints a table. Exit code 1 when a limit is broken.
#
#   benchmarks/language.sh [TIMES]     the best of TIMES runs counts (10)
#
# Not a test: the numbers belong to the machine named below them, and to a time when nothing else runs on it.
set -u
LC_ALL=C
export LC_ALL
times=${1:-10}
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
. cmake/build.sh
build_release bgw measure parse_file || exit $?
bgw=$release_program
tools=$release_tree/benchmarks
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
broken=0

# row WHAT UNIT LIMIT MEASURED [PROCESSOR_TIME]: the limit is one of wall time; processor time tells a busy machine
row() {
  verdict=$(awk -v limit="$3" -v measured="$4" 'BEGIN { print measured <= limit ? "holds" : "BROKEN" }')
  [ "$verdict" = holds ] || broken=1
  printf '%-58s %8s %10s %-4s %10s  %s\n' "$1" "$3" "$4" "$2" "${5:--}" "$verdict"
}

# best WHAT LIMIT_MS LIMIT_MIB TIMES COMMAND...
best() {
  what=$1; limit_ms=$2; limit_mib=$3; runs=$4; shift 4
  measured=$("$tools/measure" "$runs" "$@") || { echo "FAILED: $*"; exit 1; }
  # shellcheck disable=SC2086
  set -- $measured
  row "$what" ms "$limit_ms" "$1" "$2"
  [ "$limit_mib" = - ] || row "$what, memory" MiB "$limit_mib" "$3"
}

benchmarks/generate.sh study 2000 > "$scratch/study.bgw"
benchmarks/generate.sh study 8000 > "$scratch/long.bgw"
benchmarks/generate.sh grid 160 248 > "$scratch/grid.bgw"
for program in study grid; do
  "$bgw" check "$scratch/$program.bgw" > "$scratch/$program.txt" || exit 1
done
tasks() { sed -n 's/^ok: \([0-9]*\) tasks.*/\1/p' "$scratch/$1.txt"; }

printf '%-58s %8s %10s %-4s %10s  %s\n' 'what' 'limit' 'measured' '' 'processor' 'verdict'
best "bgw --version" 50 - "$times" "$bgw" --version
best "check of $(wc -l < "$scratch/study.bgw") lines, $(tasks study) tasks" 50 - "$times" "$bgw" check "$scratch/study.bgw"
parse=$(for _ in $(seq "$times"); do "$tools/parse_file" "$scratch/long.bgw" || exit 1; done | sort -n | head -n 1)
row "parse of $(wc -l < "$scratch/long.bgw") lines" ms 150 "${parse:-9999}"
best "check of $(tasks grid) tasks" 2000 1024 3 "$bgw" check "$scratch/grid.bgw"

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
memory=$(awk '/^MemTotal:/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
printf '\n%s, %s cores, %s; %s; %s; %s\n' "${processor:-unknown processor}" "$(nproc)" "$memory" "$(uname -sr)" \
  "$(g++ --version | head -n 1)" "load $(cut -d' ' -f1 /proc/loadavg)"
exit $broken
