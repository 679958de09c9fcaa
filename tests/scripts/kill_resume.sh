#!/bin/sh
# Results survive being killed: runs of a program are ended by kill -9 at random moments and taken up again, until the
# wanted number of kills has hit; then every result.h5 must have the bytes that an uninterrupted run makes.
#
#   tests/scripts/kill_resume.sh BGW PROGRAM [-n KILLS] [-s SEED] [-c FOLDER] [run options: -p moves=40 …]
#
# In turn these are killed: the controller (its tasks then save their state and end), a task (the run is then asked to
# stop, like a user would), and all of them at once, like a machine that loses power. After each kill every object that
# can be seen must be whole and one of the uninterrupted run, and the next run goes on in the same cache; nothing is
# ever unlocked or removed by hand. A run that ends before its kill is compared and begins anew in an empty cache, so
# that every kill hits a living process.
#
# Lost work is what a task had told in progress.jsonl when it was killed, later than the state from which the next
# attempt went on. It may be as long as the checkpoint interval of the program (`every = … s`) and one step, where the
# longest time between two lines of the file stands for the step.
#
# The logs and the caches lie in FOLDER (a fresh temporary one), which is kept when something fails. Exit 0 when all is
# as it should be, 1 when not.
set -u
. "$(dirname "$(readlink -f "$0")")/common.sh"
LC_ALL=C
export LC_ALL
usage='usage: kill_resume.sh BGW PROGRAM [-n KILLS] [-s SEED] [-c FOLDER] [run options]'
bgw=$(readlink -f "${1:?$usage}")
program=$(readlink -f "${2:?$usage}")
shift 2
kills_wanted=10
seed=1
scratch=
while [ $# -gt 0 ]; do
  case $1 in
    -n) kills_wanted=$2; shift 2 ;;
    -s) seed=$2; shift 2 ;;
    -c) scratch=$2; shift 2 ;;
    *) break ;;
  esac
done
if [ -z "$scratch" ]; then scratch=$(mktemp -d); else mkdir -p "$scratch"; fi
log=$scratch/log.txt
: > "$log"
: > "$scratch/lost"

fail() {
  echo "FAILED: $*"
  echo "kept for inspection: $scratch (the last lines of log.txt follow)"
  tail -n 20 "$log"
  exit 1
}

# Living children of process $1, one a line: fields 1, 3 and 4 of stat are pid, state and parent; field 2, the
# name, stands in brackets and may hold blanks.
children_of() {
  cat /proc/[0-9]*/stat 2> /dev/null | sed 's/(.*)/name/' | awk -v parent="$1" '$4 == parent && $3 != "Z" { print $1 }'
}

# Name of the task that process $1 runs, nothing when it is gone. Lines of the task's own level begin with two blanks.
task_of() {
  file=$( (tr "\0" "\n" < "/proc/$1/cmdline") 2> /dev/null | sed -n 3p)
  [ -n "$file" ] && sed -n 's/^  "name": *"\(.*\)",\{0,1\}$/\1/p' "$file" 2> /dev/null
}

# Every object that can be seen is one of the uninterrupted run, and whole.
check_what_is_visible() {
  hashes_of "$cache" > "$scratch/hashes"
  wrong=$(grep -vxF -f "$scratch/reference.hashes" "$scratch/hashes")
  [ -z "$wrong" ] || fail "after $kills kills there are results that the uninterrupted run does not have: $wrong"
  "$bgw" cache verify "$program" --cache "$cache" --json > "$scratch/verify.json" 2>> "$log"
  grep -q '"damaged": *\[\]' "$scratch/verify.json" || fail "after $kills kills: $(cat "$scratch/verify.json")"
}

# All objects of the uninterrupted run are there, with its bytes.
compare_with_reference() {
  hashes_of "$cache" > "$scratch/hashes"
  cmp -s "$scratch/reference.hashes" "$scratch/hashes" && return
  diff "$scratch/reference.hashes" "$scratch/hashes"
  fail "the results after $kills kills differ from those of the uninterrupted run (lines above: < uninterrupted, > resumed)"
}

# What the attempts at unfinished tasks lost, one line each: KEY TIME LOST ALLOWED FROM-STEP TO-STEP; those told before
# are told again. A line of progress with a smaller step than the one before it is an attempt that began anew.
collect_lost_work() {
  for file in "$cache"/work/*/progress.jsonl; do
    [ -f "$file" ] || continue
    key=$(basename "$(dirname "$file")")
    awk -v key="$key" -v every="$every" '
      function number(name,   text) {
        text = $0
        if (!sub(".*\"" name "\": *", "", text)) return -1
        return text + 0
      }
      function tell(to, lost) {
        if (lost < 0) lost = 0
        printf "%s %.6f %.3f %.3f %d %d\n", key, time, lost, every + longest, step, to
      }
      { time = number("time") * 1e-6 }
      /"resumed"/ {
        to = number("step"); age = number("age_s")
        saved = age < 0 ? time : time - age
        if (lines > 0) tell(to, step > to ? last - (saved > began ? saved : began) : 0)
        began = last = time; step = to; longest = 0.2; lines++
        next
      }
      /"phase"/ {
        now = number("step")
        if (lines > 0 && now < step) { tell(0, last - began); began = time; longest = 0.2 }
        else if (lines > 0) { if (time - last > longest) longest = time - last }
        else { began = time; longest = 0.2 }
        last = time; step = now; lines++
      }' "$file" >> "$scratch/lost"
  done
  sort -u "$scratch/lost" -o "$scratch/lost"
  bad=$(awk '$3 > $4' "$scratch/lost")
  [ -z "$bad" ] || fail "more than an interval and a step was lost (key, time, lost, allowed, step told, step resumed): $bad"
}

every=$(sed -n 's/.*every *= *\([0-9.]*\) *s\>.*/\1/p' "$program" | sort -g | tail -n 1)
every=${every:-300}
cache=$scratch/uninterrupted
rm -rf "$cache"
began=$(date +%s%N)
"$bgw" run "$program" --cache "$cache" "$@" >> "$log" 2>&1
finished=$?   # 5: a check of the program does not hold, which is so however often it is killed
case $finished in 0 | 5) ;; *) fail "the uninterrupted run ended with exit code $finished" ;; esac
duration=$((($(date +%s%N) - began) / 1000000))
hashes_of "$cache" > "$scratch/reference.hashes"
objects=$(wc -l < "$scratch/reference.hashes")
[ "$objects" -gt 0 ] || fail "the program makes no object: nothing to compare"
echo "uninterrupted: $objects objects in $duration ms"

cache=$scratch/killed
rm -rf "$cache"
kills=0
rounds=0
runs=0
while [ "$kills" -lt "$kills_wanted" ]; do
  runs=$((runs + 1))
  [ "$runs" -le $((20 * kills_wanted)) ] || fail "$runs runs, only $kills kills hit: the runs are too short to be killed"
  "$bgw" run "$program" --cache "$cache" "$@" >> "$log" 2>&1 &
  controller=$!
  # Within a fifth of an uninterrupted run: tasks have begun by then, and many kills take less time than many runs.
  next_random
  sleep "$(awk -v r="$random" -v ms="$duration" 'BEGIN { printf "%.3f", 0.02 + r * ms / 5000 }')"
  children=$(children_of "$controller")
  running=
  for child in $children; do running="$running $(task_of "$child")"; done
  next_random
  # shellcheck disable=SC2086
  task=$(printf '%s\n' $children | awk -v r="$random" '{ line[NR] = $0 } END { print line[1 + int(r * NR)] }')
  case $((kills % 3)):$task in
    0:* | 1:) what=controller; victims=$controller ;;
    1:*) what=task; victims=$task ;;
    *) what='all of them'; victims="$controller $children" ;;
  esac
  # shellcheck disable=SC2086
  kill -9 $victims 2> /dev/null
  hit=$?
  if [ "$what" = task ]; then
    sleep 0.3
    kill -TERM "$controller" 2> /dev/null
  fi
  wait "$controller" 2> /dev/null
  outcome=$?
  # After a killed task the run stops as asked (143), ends with the failure (4), or had made everything else.
  case $what:$hit:$outcome in
    controller:0:137 | 'all of them':*:137 | task:0:143 | task:0:4 | task:0:"$finished")
      kills=$((kills + 1))
      echo "kill $kills: $what, while these ran:${running:- none}" | tee -a "$log"
      check_what_is_visible
      collect_lost_work ;;
    *:"$finished") ;;  # it was through before the kill
    *) fail "run $runs ended with exit code $outcome after $kills kills" ;;
  esac
  if [ "$outcome" = "$finished" ]; then
    compare_with_reference
    rounds=$((rounds + 1))
    rm -rf "$cache"
  fi
done
"$bgw" run "$program" --cache "$cache" "$@" >> "$log" 2>&1
outcome=$?
[ $outcome = $finished ] || fail "the last resumed run ended with exit code $outcome, the uninterrupted one with $finished"
check_what_is_visible
compare_with_reference
resumed=$(grep -c '^resumed .* at step .* (checkpoint .* old)' "$log")
[ "$resumed" -gt 0 ] || fail "no task went on from a saved state"
echo "killed $kills times in $((rounds + 1)) rounds: tasks went on from a saved state $resumed times; all $objects objects equal, byte for byte"
awk -v every="$every" 'BEGIN { most = -1 } $3 > most { most = $3; limit = $4 } END {
  printf "lost work: at most %.2f s of %.2f s allowed there (interval %s s and one step), in %d attempts measured\n", most, limit, every, NR }' "$scratch/lost"
rm -rf "$scratch"
