#!/bin/sh
# A disk that fails at every step of keeping a result, and of removing and mending some. One task and one table are left to
# do; an undisturbed run tells the calls by which the task process and the controller change files. Then, call by call, a
# run in a copy of the cache is killed there, finds the disk full from there on, or gets one input/output error. Afterwards
#   - no object may be visible that the undisturbed run would not have made, byte for byte;
#   - `cache verify` holds, or `cache verify --repair` makes it hold;
#   - a plain run ends as the undisturbed one, with the same bytes in every result.h5, and leaves nothing to mend.
# The same for `gc --apply`, after which `cache verify` has to hold as it is and the next gc ends the work, and for
# `cache verify --repair --evict` of a cache with a damaged and a missing object.
#
#   tests/scripts/publish_faults.sh BGW FAKE_PHYSICS FAULT_PRELOAD PROGRAM [--all] [-j JOBS]
#
# All calls of the task process meet all three faults; of the calls of bgw, which are mostly SQLite's, each meets one of
# them in turn, and all three with --all. Exit 0 when everything held.
set -u
. "$(dirname "$(readlink -f "$0")")/common.sh"
LC_ALL=C
export LC_ALL

# Every object directory has all its files, and those have the bytes of the undisturbed run.
only_whole_objects() {
  find "$1/objects" -mindepth 2 -maxdepth 2 -type d | while read -r object; do
    for file in manifest.json result.h5 task.json log.txt; do [ -f "$object/$file" ] || echo "$object lacks $file"; done
  done
  hashes_of "$1" | grep -vxFf "$BGW_CASE_FOLDER/reference.hashes"
}

bgw() {
  timeout 120 "$BGW_CASE_BGW" "$@" >> "$log" 2>&1
}
complain() {
  wrong="$wrong; $*"
}
no_odd_objects() {
  odd=$(only_whole_objects "$cache")
  [ -z "$odd" ] || complain "an object that must not be there: $odd"
}

# The command of each of the four, on $cache.
disturbed_command() {
  case $1 in
    gc) bgw gc --cache "$cache" --apply --older 0 --keep-last 0 ;;
    repair) bgw cache verify --cache "$cache" --repair --evict ;;
    *) bgw run "$BGW_CASE_PROGRAM" --cache "$cache" -q ;;
  esac
}

after_run() {
  no_odd_objects
  if [ $(($1 % 2)) = 0 ] && ! bgw cache verify --cache "$cache"; then  # the run that follows has to cope with either
    bgw cache verify --repair --cache "$cache" || complain "--repair ended with $?"
    bgw cache verify --cache "$cache" || complain "after --repair, verify ended with $?"
  fi
  bgw run "$BGW_CASE_PROGRAM" --cache "$cache" -q
  code=$?
  [ $code = "$BGW_CASE_OUTCOME" ] || complain "the plain run ended with $code"
  [ "$(hashes_of "$cache")" = "$(cat "$BGW_CASE_FOLDER/reference.hashes")" ] || complain "the results differ"
}

after_gc() {
  no_odd_objects
  bgw cache verify --cache "$cache" || complain "after the disturbed gc, verify ended with $?"
  disturbed_command gc || complain "the plain gc ended with $?"
  [ -z "$(hashes_of "$cache")" ] || complain "the plain gc left objects"
  [ -z "$(ls "$cache/trash")" ] || complain "the plain gc left trash"
}

after_repair() {
  disturbed_command repair || complain "the plain repair ended with $?"
  no_odd_objects
}

# one_case WHO NUMBER FAULT: prints what went wrong
one_case() {
  cache=$BGW_CASE_FOLDER/$1.$2.$3
  log=$cache.log
  wrong=
  case $1 in gc | repair) cp -r "$BGW_CASE_FOLDER/$1" "$cache" ;; *) cp -r "$BGW_CASE_FOLDER/prepared" "$cache" ;; esac
  (
    export BGW_FAULT_PROGRAM="$(program_of "$1")" BGW_FAULT_AT="$2" BGW_FAULT_DO="$3" BGW_FAULT_ROOT="$cache" LD_PRELOAD="$BGW_CASE_PRELOAD"
    disturbed_command "$1"
  )
  code=$?
  # 0: the fault was not worth failing for; 4: the task failed; 6: the disk or the database; 137: killed
  case $code in 0 | 4 | 6 | 137) ;; *) complain "the disturbed command ended with $code" ;; esac
  case $1 in gc | repair) "after_$1" ;; *) after_run "$2" ;; esac
  bgw cache verify --cache "$cache" || complain "at the end, verify ended with $?"
  if [ -n "$wrong" ]; then
    echo "FAILED: $1, call $(sed -n "$2p" "$BGW_CASE_FOLDER/$1.calls"), $3$wrong"
  else
    rm -rf "$cache" "$log"
  fi
}

# The program whose calls are counted for WHO.
program_of() {
  case $1 in gc | repair) echo bgw ;; *) echo "$1" ;; esac
}

if [ "${1-}" = --case ]; then
  one_case "$2" "$3" "$4"
  exit 0
fi

usage='usage: publish_faults.sh BGW FAKE_PHYSICS FAULT_PRELOAD PROGRAM [--all] [-j JOBS]'
BGW_CASE_BGW=$(readlink -f "${1:?$usage}")
BGW_TASK=$(readlink -f "${2:?$usage}")
BGW_CASE_PRELOAD=$(readlink -f "${3:?$usage}")
source_program=$(readlink -f "${4:?$usage}")
shift 4
all=
jobs=$(nproc)
while [ $# -gt 0 ]; do
  case $1 in
    --all) all=yes; shift ;;
    -j) jobs=$2; shift 2 ;;
    *) echo "$usage"; exit 2 ;;
  esac
done
BGW_CASE_FOLDER=$(mktemp -d)
BGW_CASE_PROGRAM=$BGW_CASE_FOLDER/program.bgw
export BGW_CASE_BGW BGW_TASK BGW_CASE_PRELOAD BGW_CASE_FOLDER BGW_CASE_PROGRAM BGW_CASE_OUTCOME
cp "$source_program" "$BGW_CASE_PROGRAM"
sed -i 's/^target default.*/target default = [F, free_energy]/' "$BGW_CASE_PROGRAM"

prepared=$BGW_CASE_FOLDER/prepared
"$BGW_CASE_BGW" run "$BGW_CASE_PROGRAM" draws ref 'F[216]' --cache "$prepared" -q > "$BGW_CASE_FOLDER/log.txt" 2>&1 ||
  { cat "$BGW_CASE_FOLDER/log.txt"; echo "FAILED: the results to begin with could not be made"; exit 1; }

log=$BGW_CASE_FOLDER/log.txt
cp -r "$prepared" "$BGW_CASE_FOLDER/gc"
cp -r "$prepared" "$BGW_CASE_FOLDER/repair"
base=$(grep -l '"kind": "base"' "$prepared"/objects/*/*/task.json | head -n 1)
reference=$(grep -l '"kind": "reference"' "$prepared"/objects/*/*/task.json | head -n 1)
[ -n "$base" ] && [ -n "$reference" ] || { echo "FAILED: the program makes no base and no reference"; exit 1; }
printf 'damaged' | dd of="$BGW_CASE_FOLDER/repair${base#"$prepared"}" bs=1 seek=40 conv=notrunc 2> /dev/null
rm -r "$BGW_CASE_FOLDER/repair$(dirname "${reference#"$prepared"}")"

# What each of the four calls when nothing goes wrong.
for who in "$(basename "$BGW_TASK")" bgw gc repair; do
  cache=$BGW_CASE_FOLDER/undisturbed.$who
  case $who in gc | repair) cp -r "$BGW_CASE_FOLDER/$who" "$cache" ;; *) cp -r "$prepared" "$cache" ;; esac
  : > "$log"
  (
    export BGW_FAULT_PROGRAM="$(program_of "$who")" BGW_FAULT_LOG="$BGW_CASE_FOLDER/$who.calls" BGW_FAULT_ROOT="$cache" LD_PRELOAD="$BGW_CASE_PRELOAD"
    disturbed_command "$who"
  )
  code=$?
  case $who:$code in *:0 | [!gr]*:5) ;; *) cat "$log"; echo "FAILED: the undisturbed command of $who ended with $code"; exit 1 ;; esac
  case $who in
    gc | repair) ;;
    *) BGW_CASE_OUTCOME=$code; hashes_of "$cache" > "$BGW_CASE_FOLDER/reference.hashes" ;;
  esac
done
task=$(basename "$BGW_TASK")
calls_of() { wc -l < "$BGW_CASE_FOLDER/$1.calls"; }
for call in write fsync renameat2; do
  grep -q " $call .*/out\.\|$call .*/objects/" "$BGW_CASE_FOLDER/$task.calls" || { echo "FAILED: no $call of the task process was counted"; exit 1; }
done
for who in bgw gc repair; do
  [ "$(calls_of $who)" -gt 10 ] || { echo "FAILED: the calls of $who were not counted"; exit 1; }
done

# WHO NUMBER FAULT, a line a case
cases() {
  i=1
  while [ $i -le "$(calls_of "$task")" ]; do
    for fault in kill ENOSPC EIO; do echo "$task $i $fault"; done
    i=$((i + 1))
  done
  for who in bgw gc repair; do
    i=1
    while [ $i -le "$(calls_of $who)" ]; do
      turn=0
      for fault in kill ENOSPC EIO; do
        if [ -n "$all" ] || [ $((i % 3)) = $turn ]; then echo "$who $i $fault"; fi
        turn=$((turn + 1))
      done
      i=$((i + 1))
    done
  done
}

cases > "$BGW_CASE_FOLDER/cases"
xargs -P "$jobs" -n 3 sh "$0" --case < "$BGW_CASE_FOLDER/cases" > "$BGW_CASE_FOLDER/complaints" 2>&1
if [ -s "$BGW_CASE_FOLDER/complaints" ]; then
  cat "$BGW_CASE_FOLDER/complaints"
  echo "caches and logs are kept for inspection: $BGW_CASE_FOLDER"
  exit 1
fi
echo "$(calls_of "$task") calls of the task process, $(calls_of bgw) of the controller, $(calls_of gc) of gc, $(calls_of repair) of a repair: $(wc -l < "$BGW_CASE_FOLDER/cases") faults, after each everything held"
rm -rf "$BGW_CASE_FOLDER"
