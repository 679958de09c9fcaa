#!/bin/sh
# Fuzzes one target for a while, from all programs of the repository and the inputs kept in tests/fuzz/corpus, in a
# build of its own (preset fuzz: clang, libFuzzer, the sanitizers; half a minute the first time).
#
#   tests/fuzz/run.sh TARGET SECONDS [option of libFuzzer ...]      TARGET: compile, format
#
# Exit code 0: nothing found. 77: clang or its fuzzing library is not installed (cmake/setup.sh --with-fuzzing).
# What was found lies in build/fuzz/findings; CONTRIBUTING.md says what to do with it.
set -u
LC_ALL=C
export LC_ALL
usage='usage: run.sh TARGET SECONDS'
target=${1:?$usage}
seconds=${2:?$usage}
shift 2
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
tree=build/fuzz
findings=$tree/findings
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' > "$scratch/probe.cpp"
if ! clang++ -fsanitize=fuzzer,address "$scratch/probe.cpp" -o "$scratch/probe" > "$scratch/probe.log" 2>&1; then
  echo "skipped: clang with libFuzzer is not installed; as root: cmake/setup.sh --with-fuzzing"
  exit 77
fi

mkdir -p "$findings"
(
  flock 9   # the tests of two targets may start at once
  { cmake --preset fuzz && cmake --build "$tree"; } > "$scratch/build.log" 2>&1
) 9> "$tree/lock" || { tail -n 40 "$scratch/build.log"; echo "FAILED: the fuzz targets do not build"; exit 1; }

# Programs of the repository are the seeds; files of one name in two folders must not hide each other.
mkdir "$scratch/corpus"
count=0
for program in $(find tests/golden tests/fuzz/corpus workflows examples -type f \( -name '*.bgw' -o -path '*/corpus/*' \) 2> /dev/null | sort); do
  count=$((count + 1))
  cp "$program" "$scratch/corpus/$count-$(basename "$program")"
done
[ $count -gt 0 ] || { echo "FAILED: no seeds"; exit 1; }

# The time limit of one input is generous: the sanitizers cost a factor of ten, and the machine may be busy. Entropic
# scheduling would take two thirds of the time, as one program covers thousands of features.
ASAN_OPTIONS=malloc_context_size=5${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export ASAN_OPTIONS
"$tree/tests/fuzz/fuzz_$target" -seed=1 -entropic=0 -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 -max_len=8192 \
  -dict="$tree/tests/fuzz/bgw.dict" -print_final_stats=1 -artifact_prefix="$findings/" "$@" "$scratch/corpus" > "$scratch/run.log" 2>&1 < /dev/null
code=$?
if [ $code -ne 0 ]; then
  grep -v '^#[0-9]' "$scratch/run.log" | tail -n 60
  echo "FAILED: $target ended with exit code $code; the input lies in $findings"
  exit 1
fi
grep -E '^(stat::number_of_executed_units|stat::peak_rss_mb|stat::slowest_unit_time_sec)' "$scratch/run.log"
echo "$count seeds, $seconds s: nothing found"
