#!/bin/sh
# How fast is the engine? Measures the release bgw on generated programs (benchmarks/generate.sh) with a task program that
# makes its results up at once (tests/runtime/fake_physics_main.cpp), and ninja beside it on graphs of the same shape, and
# prints a table. Exit code 1 when a limit is broken.
#
#   benchmarks/engine.sh [TIMES]     the best of TIMES runs counts (5); those that start a thousand processes are done
#                                    at most twice
#
# TMPDIR says where the caches lie: their file system decides what a finished task costs. Not a test: the numbers belong
# to the machine named below them, and to a time when nothing else runs on it.
set -u
LC_ALL=C
export LC_ALL
times=${1:-5}
few=$times
[ "$few" -le 2 ] || few=2
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
. cmake/build.sh
build_release bgw measure fake_physics || exit $?
bgw=$(readlink -f "$release_program")
measure=$(readlink -f "$release_tree/benchmarks/measure")
BGW_TASK=$(readlink -f "$release_tree/tests/runtime/fake_physics")
export BGW_TASK
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
broken=0

heading() { printf '\n%-58s %8s %10s %-4s %10s %8s  %s\n' "$1" limit measured '' 'CPU ms' MiB verdict; }

# row WHAT UNIT LIMIT MEASURED PROCESSOR_MS MEMORY_MIB [least]: LIMIT - for a number that is only told, `least` when more
# is better
row() {
  verdict=-
  [ "$3" = - ] || verdict=$(awk -v limit="$3" -v measured="$4" -v least="${7:-}" \
    'BEGIN { print (least ? measured >= limit : measured <= limit) ? "holds" : "BROKEN" }')
  [ "$verdict" != BROKEN ] || broken=1
  printf '%-58s %8s %10s %-4s %10s %8s  %s\n' "$1" "$3" "$4" "$2" "$5" "$6" "$verdict"
}

# The shortest wall time in ms, the least processor time in ms and the largest memory in MiB of what `$2` is run so often;
# before each, `$1` makes ready what the run uses up.
measured() {
  prepare=$1; runs=$2; shift 2
  for _ in $(seq "$runs"); do
    $prepare || exit 1
    "$measure" 1 "$@" || { echo "FAILED: $*" >&2; exit 1; }
  done | awk 'NR == 1 || $1 < wall { wall = $1 } NR == 1 || $2 < processor { processor = $2 } $3 > memory { memory = $3 }
    END { if (!NR) exit 1; print wall, processor, memory }'
}

# at_most WHAT LIMIT_MS LIMIT_MIB PREPARE TIMES COMMAND...
at_most() {
  what=$1; limit_ms=$2; limit_mib=$3; shift 3
  numbers=$(measured "$@") || exit 1
  # shellcheck disable=SC2086
  set -- $numbers
  row "$what" ms "$limit_ms" "$1" "$2" "$3"
  [ "$limit_mib" = - ] || row "$what, memory" MiB "$limit_mib" "$3" - -
}

# per_second WHAT COUNT LEAST PREPARE TIMES COMMAND...: COUNT by the whole wall time of the command, its start included
per_second() {
  what=$1; count=$2; least=$3; shift 3
  numbers=$(measured "$@") || exit 1
  # shellcheck disable=SC2086
  set -- $numbers
  row "$what" /s "$least" "$(awk -v count="$count" -v ms="$1" 'BEGIN { printf "%.0f", 1e3 * count / ms }')" "$2" "$3" least
}

nothing() { :; }

# ---- bgw -------------------------------------------------------------------------------------------------------------

benchmarks/generate.sh tables 1 10000 > "$scratch/tables.bgw"
benchmarks/generate.sh tables 5000 5000 > "$scratch/objects.bgw"
benchmarks/generate.sh tables 1000 0 > "$scratch/children.bgw"
cd "$scratch" || exit 1
prepared() { "$bgw" run "$@" > said.txt 2>&1 || { tail -n 5 said.txt; echo "FAILED: bgw run $*"; exit 1; }; }
only_the_base() { rm -rf tables.cache && cp -r base.cache tables.cache; }
no_cache() { rm -rf children.cache; }

echo "bgw: $(nproc) cores make the caches ready, some minutes" >&2
prepared tables.bgw phonons --cache base.cache
prepared objects.bgw --cache objects.cache

heading 'bgw'
at_most 'check of 10 000 tables (the language alone)' - - nothing "$times" "$bgw" check tables.bgw
at_most 'check of a family of 5 000 and 5 000 tables' - - nothing "$times" "$bgw" check objects.bgw
per_second '10 000 tasks inside bgw' 10000 2000 only_the_base "$few" "$bgw" run tables.bgw --cache tables.cache --quiet
at_most 'run, nothing to do: 10 000 rows' 500 300 nothing "$times" "$bgw" run tables.bgw --cache tables.cache
at_most 'plan, nothing to do: 10 000 rows' 500 300 nothing "$times" "$bgw" plan tables.bgw --cache tables.cache
at_most 'run, nothing to do: 5 000 objects, 5 000 rows' 500 300 nothing "$times" "$bgw" run objects.bgw --cache objects.cache
at_most 'plan, nothing to do: 5 000 objects, 5 000 rows' 500 300 nothing "$times" "$bgw" plan objects.bgw --cache objects.cache
per_second '1 000 tasks as processes' 1000 20 no_cache "$few" "$bgw" run children.bgw --cache children.cache --quiet

# ---- ninja -----------------------------------------------------------------------------------------------------------

# 10 000 edges that touch a file each
trivial_edges() {
  rm -rf trivial && mkdir -p trivial/out && : > trivial/source || return 1
  awk 'BEGIN {
    print "rule touch\n  command = touch $out"
    for (k = 1; k <= 10000; ++k) print "build out/" k ": touch source"
  }' > trivial/build.ninja
}

# What bgw has just made is made again in another cache: the same process on the same task file, an edge a task.
edges_of_tasks() {
  rm -rf again && mkdir -p again/work || return 1
  printf 'rule task\n  command = %s exec $in\n' "$BGW_TASK" > again/build.ninja
  for object in children.cache/objects/*/*; do
    key=${object##*/}
    mkdir "again/work/$key" && cp "$object/task.json" "again/work/$key/" || return 1
    echo "build ${object#*/}/manifest.json: task work/$key/task.json"
  done >> again/build.ninja
}

if command -v ninja > /dev/null 2>&1; then
  jobs=$(nproc)
  heading "ninja $(ninja --version): compares times, no hash, no fsync, no record"
  per_second '10 000 edges, touch' 10000 - trivial_edges "$few" ninja -C trivial -j "$jobs"
  at_most 'nothing to do: 10 000 edges' - - nothing "$times" ninja -C trivial
  edges_of_tasks || exit 1
  tasks=$(grep -c '^build' again/build.ninja)
  per_second "$tasks edges, the task program of above" "$tasks" - edges_of_tasks "$few" ninja -C again -j "$jobs"
else
  echo 'ninja is not installed: nothing to compare with'
fi

cat << 'END'

A task inside bgw is a row: ninja has no such thing and starts a process for each edge. Where nothing is to do, `bgw run` has
compiled the program, hashed what every task is made of, looked at every object, read anew those that were written to since
their checksums were last compared, and printed results; ninja has compared times of files. A task as a process costs bgw a
claim, two rows of history, an object of four files that are made durable before it appears, and its index in the database;
ninja gets the object from the same task program, which makes it durable, and adds nothing.
END
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
memory=$(awk '/^MemTotal:/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
printf '\n%s, %s cores, %s; %s; caches on %s; %s; %s\n' "${processor:-unknown processor}" "$(nproc)" "$memory" "$(uname -sr)" \
  "$(stat -f -c %T "$scratch")" "$(g++ --version | head -n 1)" "load $(cut -d' ' -f1 /proc/loadavg)"
exit $broken
