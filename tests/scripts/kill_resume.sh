#!/bin/sh
# Results survive being killed: runs of a program are ended by kill -9 at random moments and taken up again, until
# the wanted number of kills has hit; then every result.h5 must have the bytes that an uninterrupted run makes.
#
#   tests/scripts/kill_resume.sh BGW PROGRAM [-n KILLS] [-s SEED] [-k "KIND …"] [-c FOLDER] [run options: -p steps=40 …]
#
# Kills alternate between the controller and one of its tasks (while none is running: the controller). With -k they come
# while a task of a kind is running, the kinds in turn ("base train reference sample"), at a random moment of its life;
# without, at a random moment of the run. A run that ends before its kill is compared and begins anew in an empty cache,
# so that every kill hits a living process.
# The programs, the logs and the caches lie in FOLDER (a fresh temporary one), which is kept when something fails.
# Exit 0 when all results are equal, 1 when not.
set -u
LC_ALL=C
export LC_ALL
usage='usage: kill_resume.sh BGW PROGRAM [-n KILLS] [-s SEED] [-k KINDS] [-c FOLDER] [run options]'
bgw=$(readlink -f "${1:?$usage}")
program=$(readlink -f "${2:?$usage}")
shift 2
kills_wanted=10
seed=1
scratch=
kinds=
while [ $# -gt 0 ]; do
  case $1 in
    -n) kills_wanted=$2; shift 2 ;;
    -s) seed=$2; shift 2 ;;
    -c) scratch=$2; shift 2 ;;
    -k) kinds=$2; shift 2 ;;
    *) break ;;
  esac
done
if [ -z "$scratch" ]; then scratch=$(mktemp -d); else mkdir -p "$scratch"; fi
log=$scratch/log.txt
: > "$log"

fail() {
  echo "FAILED: $*"
  echo "kept for inspection: $scratch (the last lines of log.txt follow)"
  tail -n 20 "$log"
  exit 1
}

# A number in [0, 1) of the minimal standard generator: the same moments for the same seed.
state=$(((seed * 1000003 + 12345) % 2147483646 + 1))
next_random() {
  state=$((16807 * state % 2147483647))
  random=$(awk -v s="$state" 'BEGIN { printf "%.6f", s / 2147483647 }')
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

# Processes of controller $1 that run a task of kind $2.
tasks_of_kind() {
  for child in $(children_of "$1"); do
    file=$( (tr "\0" "\n" < "/proc/$child/cmdline") 2> /dev/null | sed -n 3p)
    [ -n "$file" ] && grep -q "^  \"kind\": *\"$2\",\{0,1\}$" "$file" 2> /dev/null && echo "$child"
  done
}

# Seconds that the shortest task of kind $1 took in the uninterrupted run.
seconds_of_kind() {
  for file in "$scratch"/uninterrupted/objects/*/*/task.json; do
    grep -q "^  \"kind\": *\"$1\",\{0,1\}$" "$file" && grep -o '"seconds": *[0-9.e-]*' "${file%task.json}manifest.json" | sed 's/.*: *//'
  done | sort -g | head -n 1
}

# Waits until controller $1 runs a task of kind $2 and a random part of its life has passed, or until the run ends.
wait_for_kind() {
  while kill -0 "$1" 2> /dev/null; do
    if [ -n "$(tasks_of_kind "$1" "$2")" ]; then
      sleep "$(awk -v r="$random" -v s="$(seconds_of_kind "$2")" 'BEGIN { printf "%.3f", 0.2 + r * s }')"
      return
    fi
    sleep 0.02
  done
}

hashes_of() {
  (cd "$1/objects" && find . -name result.h5 | sort | xargs -r sha256sum)
}

# Every object of cache $1 has the bytes of the uninterrupted run, and none is missing.
compare_with_reference() {
  hashes_of "$1" > "$scratch/hashes"
  cmp -s "$scratch/reference.hashes" "$scratch/hashes" && return
  diff "$scratch/reference.hashes" "$scratch/hashes"
  fail "the results after $kills kills differ from those of the uninterrupted run (lines above: < uninterrupted, > resumed)"
}

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
  next_random
  kind=
  if [ -n "$kinds" ]; then
    # shellcheck disable=SC2086
    kind=$(printf '%s\n' $kinds | sed -n "$((kills % $(printf '%s\n' $kinds | wc -l) + 1))p")
    wait_for_kind "$controller" "$kind"
  else
    # Up to half of an uninterrupted run: resumed runs are shorter.
    sleep "$(awk -v r="$random" -v ms="$duration" 'BEGIN { printf "%.3f", 0.02 + r * ms / 2000 }')"
  fi
  running=
  for child in $(children_of "$controller"); do running="$running $(task_of "$child")"; done
  victim=$controller
  what=controller
  if [ $((kills % 2)) = 1 ]; then
    task=$(if [ -n "$kind" ]; then tasks_of_kind "$controller" "$kind"; else children_of "$controller"; fi | head -n 1)
    if [ -n "$task" ]; then victim=$task; what=task; fi
  fi
  kill -9 "$victim" 2> /dev/null
  hit=$?
  wait "$controller" 2> /dev/null
  outcome=$?
  # After a killed task the controller may try again and finish, or give the task up (4); both may be resumed.
  case $what:$hit:$outcome in
    controller:0:137 | task:0:$finished | task:0:4)
      kills=$((kills + 1))
      echo "kill $kills: $what, while these ran:${running:- none}" | tee -a "$log" ;;
    *:$finished)   # it was through before the kill
      compare_with_reference "$cache"
      rounds=$((rounds + 1))
      rm -rf "$cache" ;;
    *) fail "run $runs ended with exit code $outcome after $kills kills" ;;
  esac
done
"$bgw" run "$program" --cache "$cache" "$@" >> "$log" 2>&1
outcome=$?
[ $outcome = $finished ] || fail "the last resumed run ended with exit code $outcome, the uninterrupted one with $finished"
compare_with_reference "$cache"
resumed=$(grep -c 'from a checkpoint' "$log")
echo "killed $kills times in $((rounds + 1)) rounds (tasks went on from a checkpoint $resumed times): all $objects objects equal, byte for byte"
rm -rf "$scratch"
