#!/bin/sh
# A run that is asked to stop stops cleanly: SIGINT, SIGTERM, SIGHUP and a closed terminal at random moments, to the
# controller alone and to its whole group. It ends with 128 + signal, no process is left over, every attempt has its
# end, and the next run goes on from what was saved; in the end all results equal those of an undisturbed run.
#
#   tests/scripts/clean_stop.sh BGW FAKE_PHYSICS [-n STOPS (20)] [-s SEED]
#
# Made-up tasks (FAKE_PHYSICS) with many short steps: a number at their end shows each step that was lost or doubled.
# The longest time from a signal to the end is told and judged by nobody. Exit 0 when all of it holds.
set -u
. "$(dirname "$(readlink -f "$0")")/common.sh"
LC_ALL=C
export LC_ALL
usage='usage: clean_stop.sh BGW FAKE_PHYSICS [-n STOPS] [-s SEED]'
bgw=$(readlink -f "${1:?$usage}")
fake=$(readlink -f "${2:?$usage}")
shift 2
stops_wanted=20
seed=1
while [ $# -gt 0 ]; do
  case $1 in
    -n) stops_wanted=$2; shift 2 ;;
    -s) seed=$2; shift 2 ;;
    *) echo "$usage"; exit 2 ;;
  esac
done
program=$(dirname "$(readlink -f "$0")")/../../workflows/quickstart.bgw
scratch=$(mktemp -d)
kept=
trap '[ -n "$kept" ] || rm -rf "$scratch"' EXIT
export BGW_TASK="$fake" BGW_FAKE_STEPS=40

fail() {
  kept=yes
  echo "FAILED: $*"
  echo "kept for inspection: $scratch"
  tail -n 20 "$scratch/log"
  exit 1
}

now_in_milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# Processes that work in the cache: their arguments name it.
left_over() {
  for folder in /proc/[0-9]*; do
    [ "${folder#/proc/}" = $$ ] && continue
    (tr '\0' ' ' < "$folder/cmdline") 2> /dev/null | grep -F -- "$cache" && return 0
  done
  return 1
}

# A shell starts what runs in the background with SIGINT ignored, and bgw respects that; here it must not.
plain() { exec env --default-signal=INT,TERM,HUP setsid "$@"; }

# Starts the run in a terminal of its own. When that is closed the kernel ends the shell that leads the session, and then
# hangs up on those in the foreground; bgw runs below another shell, which outlives that and tells the exit code.
run_in_terminal() {
  rm -f "$scratch/pid" "$scratch/code"
  cat > "$scratch/in_terminal.sh" <<END
trap : HUP
"$bgw" run "$program" --cache "$cache" &
echo \$! > "$scratch/pid"
while :; do
  wait \$!
  code=\$?
  kill -0 \$! 2> /dev/null || break
done
echo \$code > "$scratch/code"
END
  SHELL=/bin/sh setsid script -qec "env --default-signal=INT,TERM,HUP sh $scratch/in_terminal.sh; true" /dev/null < /dev/null > /dev/null 2>&1 &
  terminal=$!
}

cache=$scratch/calm
began=$(now_in_milliseconds)
"$bgw" run "$program" --cache "$cache" > "$scratch/log" 2>&1
finished=$?
case $finished in 0 | 5) ;; *) fail "the undisturbed run ended with $finished" ;; esac
duration=$(($(now_in_milliseconds) - began))
hashes_of "$cache" > "$scratch/reference.hashes"
echo "undisturbed: $(wc -l < "$scratch/reference.hashes") objects in $duration ms"

cache=$scratch/stopped
stops=0
runs=0
rounds=0
longest=0
while [ "$stops" -lt "$stops_wanted" ]; do
  runs=$((runs + 1))
  [ "$runs" -le $((20 * stops_wanted + 20)) ] || fail "$runs runs, only $stops were stopped: they are too short"
  next_random
  pause=$(awk -v r="$random" -v ms="$duration" 'BEGIN { printf "%.3f", r * ms / 2000 }')
  case $((stops % 4)) in
    0) signal=INT number=2 ;;
    1) signal=TERM number=15 ;;
    2) signal=HUP number=1 ;;
    3) signal=terminal number=1 ;;
  esac
  if [ $signal = terminal ]; then
    run_in_terminal
    until [ -s "$scratch/pid" ]; do sleep 0.02; done
    sleep "$pause"
    asked=$(now_in_milliseconds)
    kill -9 "$terminal" 2> /dev/null   # what holds the other end of the terminal is gone
    wait "$terminal" 2> /dev/null
    tenths=0
    until [ -s "$scratch/code" ]; do
      sleep 0.1
      tenths=$((tenths + 1))
      [ $tenths -lt 600 ] || fail "the run in a closed terminal did not end in a minute"
    done
    code=$(cat "$scratch/code")
  else
    plain "$bgw" run "$program" --cache "$cache" >> "$scratch/log" 2>&1 &
    controller=$!
    sleep "$pause"
    whom=$controller
    [ $((stops / 4 % 2)) = 1 ] && whom=-$controller
    asked=$(now_in_milliseconds)
    kill -s $signal -- "$whom" 2> /dev/null
    wait "$controller" 2> /dev/null
    code=$?
  fi
  took=$(($(now_in_milliseconds) - asked))
  if left_over >> "$scratch/log"; then fail "after $signal a process is left over: $(left_over)"; fi
  if [ -f "$cache/db.sqlite" ]; then
    "$fake" attempts "$cache" > "$scratch/attempts" 2>> "$scratch/log" || : > "$scratch/attempts"   # it may have ended before the first table
    grep -E '^(running|lost|failed)' "$scratch/attempts" && fail "after $signal an attempt did not end as checkpointed or done"
  fi
  case $code in
    $((128 + number)))
      stops=$((stops + 1))
      [ $took -le $longest ] || longest=$took ;;
    "$finished")   # it was through before the signal
      hashes_of "$cache" > "$scratch/hashes"
      cmp -s "$scratch/reference.hashes" "$scratch/hashes" || fail "results after $stops stops differ from the undisturbed ones"
      rounds=$((rounds + 1))
      rm -rf "$cache" ;;
    *) fail "after $signal the run ended with $code, not $((128 + number))" ;;
  esac
done
"$bgw" run "$program" --cache "$cache" >> "$scratch/log" 2>&1
code=$?
[ $code = $finished ] || fail "the last run ended with $code"
hashes_of "$cache" > "$scratch/hashes"
cmp -s "$scratch/reference.hashes" "$scratch/hashes" || fail "results after $stops stops differ from the undisturbed ones"
saved=$("$fake" attempts "$cache" | grep -c '^checkpointed')
echo "stopped $stops times in $((rounds + 1)) rounds, the longest stop took $longest ms; all results equal ($saved attempts of the last round were stopped and gone on with)"

# A second signal kills at once what does not come to the end of its step.
cache=$scratch/killed
export BGW_FAKE_STEPS=2 BGW_FAKE_STEP_MS=600000
plain "$bgw" run "$program" 'phonons[64]' --cache "$cache" > "$scratch/second" 2>&1 &
controller=$!
until cat "$cache"/work/*/progress.jsonl 2> /dev/null | grep -q '"step":'; do sleep 0.05; done   # it hears signals
kill -s INT "$controller"
until grep -q '^stopping' "$scratch/second"; do sleep 0.05; done
sleep 0.5
kill -s INT "$controller"
wait "$controller" 2> /dev/null
code=$?
[ $code = 130 ] || fail "after the second signal the run ended with $code"
left_over && fail "the second signal left a process over"
"$fake" attempts "$cache" | grep -q '^lost' || fail "the killed attempt is not written down as lost"
echo "a second signal kills at once"
