#!/bin/sh
# Two runs on one cache: every task runs once, both end with the same results, and when one is killed the other takes over
# within five seconds and goes on from the checkpoint.
#
#   tests/scripts/two_controllers.sh BGW FAKE_PHYSICS [BGW_TASK]
#
# Made-up tasks (FAKE_PHYSICS) make it quick; with BGW_TASK the same is tried with real ones of the quickstart, too.
# The five seconds are what the engine promises; they hold on a machine that has something to do, not on one that is
# overloaded. Exit 0 when all of it holds.
set -u
. "$(dirname "$(readlink -f "$0")")/common.sh"
LC_ALL=C
export LC_ALL
usage='usage: two_controllers.sh BGW FAKE_PHYSICS [BGW_TASK]'
bgw=$(readlink -f "${1:?$usage}")
fake=$(readlink -f "${2:?$usage}")
real=${3:+$(readlink -f "$3")}
quickstart=$(dirname "$(readlink -f "$0")")/../../workflows/quickstart.bgw
scratch=$(mktemp -d)
kept=
trap '[ -n "$kept" ] || rm -rf "$scratch"' EXIT

fail() {
  kept=yes
  echo "FAILED: $*"
  echo "kept for inspection: $scratch"
  tail -n 5 "$scratch"/*.err 2> /dev/null
  exit 1
}

# All attempts in cache $1 have ended, and none was done twice.
check_history() {
  "$fake" attempts "$1" > "$scratch/attempts" || fail "the history of $1 cannot be read"
  grep -q '^running' "$scratch/attempts" && fail "an attempt still counts as running: $(grep '^running' "$scratch/attempts")"
  twice=$(grep '^done' "$scratch/attempts" | sort | uniq -d)
  [ -z "$twice" ] || fail "done twice: $twice"
  [ "$(grep -c '^done' "$scratch/attempts")" = "$(find "$1/objects" -name result.h5 | wc -l)" ] || fail "not every object has its attempt"
}

# Waits until file $1 holds $2, up to $3 tenths of a second.
wait_for() {
  tenths=0
  until grep -q "$2" "$1" 2> /dev/null; do
    tenths=$((tenths + 1))
    [ "$tenths" -le "$3" ] || fail "no $2 in $1"
    sleep 0.1
  done
}

now_in_milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# run CACHE PROGRAM NAME [options]: a controller in the background; its words in NAME.json and NAME.err, its number in $last.
start_run() {
  cache=$1 program=$2 name=$3
  shift 3
  "$bgw" run "$program" --cache "$cache" --json "$@" > "$scratch/$name.json" 2> "$scratch/$name.err" &
  last=$!
}

cp "$quickstart" "$scratch/one.bgw"
# Another program: other Markov chains, all else the same.
sed 's/derive(seed, 100 + n)/derive(seed, 200 + n)/' "$quickstart" > "$scratch/other.bgw"
BGW_TASK=$fake
BGW_FAKE_STEPS=10
export BGW_TASK BGW_FAKE_STEPS

"$bgw" run "$scratch/one.bgw" --cache "$scratch/calm" > /dev/null 2> "$scratch/calm.err"
expected=$?
case $expected in 0 | 5) ;; *) fail "a run alone ended with $expected" ;; esac
hashes_of "$scratch/calm" > "$scratch/calm.hashes"
"$bgw" run "$scratch/other.bgw" --cache "$scratch/calm" > /dev/null 2> "$scratch/calm.err"
hashes_of "$scratch/calm" > "$scratch/both.hashes"

for other in one other; do
  cache=$scratch/cache.$other
  start_run "$cache" "$scratch/one.bgw" first.$other
  first=$last
  start_run "$cache" "$scratch/$other.bgw" second.$other
  wait "$first"
  code=$?
  [ $code = $expected ] || fail "the first of two runs (one, $other) ended with $code"
  wait "$last"
  code=$?
  [ $code = $expected ] || fail "the second of two runs (one, $other) ended with $code"
  hashes_of "$cache" > "$scratch/hashes"
  reference=$scratch/calm.hashes
  [ $other = one ] || reference=$scratch/both.hashes
  cmp -s "$reference" "$scratch/hashes" || fail "two runs at once (one, $other) end with other results than one alone"
  check_history "$cache"
  echo "two runs at once (one, $other): each of $(wc -l < "$scratch/hashes") tasks ran once, results equal"
done

# take_over LABEL KIND-OF-TASK OPTIONS...: the second run is attached to a task of the first, which is killed.
# Sets $took (milliseconds) and leaves the second running as $second. A made-up task ends when the file $hold is gone.
take_over() {
  label=$1 task=$2
  shift 2
  cache=$scratch/cache.$label
  echo "$task" > "$hold"
  start_run "$cache" "$scratch/one.bgw" "first.$label" "$@"
  first=$last
  wait_for "$scratch/first.$label.json" "\"event\":\"task_progress\".*\"task\":\"$task\"" 600
  start_run "$cache" "$scratch/one.bgw" "second.$label" "$@"
  second=$last
  wait_for "$scratch/second.$label.json" "\"event\":\"attached\".*\"task\":\"$task\"" 300
  grep -q "\"event\":\"attached\".*\"pid\":$first" "$scratch/second.$label.json" || fail "the attached run names another pid than $first"
  killed=$(now_in_milliseconds)
  kill -9 "$first"
  wait "$first" 2> /dev/null
  until grep -q "\"event\":\"task_started\".*\"task\":\"$task\"" "$scratch/second.$label.json"; do
    sleep 0.02
    [ $(($(now_in_milliseconds) - killed)) -le 30000 ] || fail "$label: nobody took over"
  done
  took=$(($(now_in_milliseconds) - killed))
  [ "$took" -le 5000 ] || fail "$label: the second run took over after $took ms, promised are 5000"
}

finish_take_over() {
  rm -f "$hold"
  wait "$second"
  code=$?
  [ $code = "$expected" ] || fail "$label: the run that took over ended with $code"
  check_history "$scratch/cache.$label"
  hashes_of "$scratch/cache.$label" > "$scratch/hashes"
}

hold=$scratch/hold
export BGW_FAKE_HOLD="$hold"
take_over killed bg
grep -q "\"event\":\"task_started\".*\"checkpoint_age_s\".*\"task\":\"bg\"" "$scratch/second.killed.json" || \
  grep "\"event\":\"task_started\"" "$scratch/second.killed.json" | grep "\"task\":\"bg\"" | grep -q checkpoint_age_s || fail "the second run did not go on from the checkpoint"
echo "the first run killed: the second took over after $took ms, from the checkpoint"

"$bgw" run "$scratch/one.bgw" --cache "$scratch/cache.killed" --wait 0 > /dev/null 2> "$scratch/refused.err"
code=$?
[ $code = 7 ] || fail "--wait 0 beside a run ended with $code"
grep -q "held by pid $second on .* for " "$scratch/refused.err" || fail "--wait 0 does not say who holds what for how long"
finish_take_over
cmp -s "$scratch/calm.hashes" "$scratch/hashes" || fail "the results after the take-over differ"
echo "--wait 0: refused with 7, naming pid, host and age; results after the take-over equal"

# A step of ten minutes: the task that the killed run leaves cannot stop at the end of its step in time.
expected_before=$expected
expected=0
cache=$scratch/cache.long
BGW_FAKE_STEP_MS=600000
export BGW_FAKE_STEP_MS
start_run "$cache" "$scratch/one.bgw" first.long 'phonons[64]'
first=$last
unset BGW_FAKE_STEP_MS
wait_for "$scratch/first.long.json" '"event":"task_progress"' 600
start_run "$cache" "$scratch/one.bgw" second.long 'phonons[64]'
second=$last
wait_for "$scratch/second.long.json" '"event":"attached"' 300
killed=$(now_in_milliseconds)
kill -9 "$first"
wait "$first" 2> /dev/null
wait_for "$scratch/second.long.json" '"event":"task_started"' 300
took=$(($(now_in_milliseconds) - killed))
[ "$took" -le 5000 ] || fail "in a long step the second run took over after $took ms, promised are 5000"
label=long
finish_take_over
echo "the first run killed in a long step: the second took over after $took ms"
expected=$expected_before
unset BGW_FAKE_STEPS BGW_FAKE_HOLD

if [ -n "$real" ]; then
  export BGW_TASK="$real"
  "$bgw" run "$scratch/one.bgw" --cache "$scratch/calm.real" -p steps=40 > /dev/null 2> "$scratch/calm.err"
  expected=$?
  hashes_of "$scratch/calm.real" > "$scratch/real.hashes"
  sed -i 's/every = 10 s/every = 1 s/' "$scratch/one.bgw"
  take_over real bg -p steps=40
  finish_take_over
  cmp -s "$scratch/real.hashes" "$scratch/hashes" || fail "the real results after the take-over differ"
  echo "real tasks: the second run took over after $took ms, results equal byte for byte"
fi
