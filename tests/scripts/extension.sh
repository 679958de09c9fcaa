#!/bin/sh
# Finished work is extended by the real programs: more samples and a longer training with a constant learning rate go on
# from what is there and end with the bytes of fresh runs; a training whose rate follows a schedule begins anew, and so
# does one whose finished work is damaged.
#
#   tests/scripts/extension.sh BGW
set -u
LC_ALL=C
export LC_ALL
bgw=$(readlink -f "${1:?usage: extension.sh BGW}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

cat > "$scratch/ice.bgw" <<'PROGRAM'
bgw 1
param count : int = 40 in 1 .. 1_000_000
param steps : int = 3 in 1 .. 1_000_000
potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }
lattice ice { kind = diamond_cubic; atoms = 8; density = 0.033567184 /angstrom^3 }
system water { potential = mw; lattice = ice; minimum_image = compatible }
ensemble cold { kind = nvt; temperature = 200 K }
base phonons { kind = phonon; system = water; ensemble = cold }
flow ours { type = mode_split; splits = 4; look_ahead = 4 }
train bg {
  system = water; ensemble = cold; base = phonons; flow = ours; seed = 42
  stage warm { loss = reverse_kl(gradient = path); steps = 2; batch = 4; learning_rate = one_cycle(2e-2) }
  stage main { loss = reverse_kl(gradient = path); steps = steps; batch = 4; learning_rate = RATE }
}
sample draws { model = bg; count = count; batch = 16; seed = 1 }
target default = [draws]
PROGRAM
sed 's/RATE/1e-2/' "$scratch/ice.bgw" > "$scratch/constant.bgw"
sed 's/RATE/one_cycle(1e-2)/' "$scratch/ice.bgw" > "$scratch/schedule.bgw"

# run PROGRAM CACHE OPTIONS…: what it says goes to said.txt
run() {
  program=$scratch/$1.bgw cache=$scratch/$2
  shift 2
  "$bgw" run "$program" --cache "$cache" "$@" > "$scratch/said.txt" 2>&1 && return
  cat "$scratch/said.txt"
  fail "run $program $* ended with exit code $?"
}

said() {
  grep -q "$1" "$scratch/said.txt"
}

# key PROGRAM CACHE NAME OPTIONS…
key() {
  program=$scratch/$1.bgw cache=$scratch/$2 name=$3
  shift 3
  "$bgw" show "$program" "$name" --json --cache "$cache" "$@" | grep -o '"key":"[0-9a-f]*"' | head -n 1 | cut -d'"' -f4
}

# same_bytes CACHE CACHE KEY
same_bytes() {
  cmp "$scratch/$1/objects"/*/"$3/result.h5" "$scratch/$2/objects"/*/"$3/result.h5"
}

run constant grown
"$bgw" plan "$scratch/constant.bgw" --cache "$scratch/grown" -p count=100 > "$scratch/plan.txt" 2>&1
grep -q 'draws .*count 40 -> 100: extends finished work' "$scratch/plan.txt" || { cat "$scratch/plan.txt"; fail "the plan does not say what is extended"; }
run constant grown -p count=100
said '^resumed draws at step 40 (finished work' || fail "more samples did not go on from those that are there"
run constant grown -p count=100 -p steps=9
said '^resumed bg at step 5 (finished work' || fail "a longer training did not go on from the finished one"
said '^resumed draws' && fail "samples of another model were gone on from"
run constant grown -p count=120 --json
said '"event":"task_resumed".*"extends":"[0-9a-f]*".*"step":100' || fail "the events do not tell that finished work was extended"
run constant fresh -p count=100
run constant fresh2 -p count=100 -p steps=9
draws=$(key constant grown draws -p count=100)
bg=$(key constant grown bg -p count=100 -p steps=9)
same_bytes grown fresh "$draws" || fail "100 samples that extend 40 differ from 100 fresh ones"
same_bytes grown fresh2 "$bg" || fail "9 steps that extend 3 differ from 9 fresh ones"
same_bytes grown fresh2 "$(key constant grown draws -p count=100 -p steps=9)" || fail "the samples of the extended training differ"
grep -q '"extended_from"' "$scratch/grown/objects"/*/"$draws/manifest.json" || fail "the manifest does not say what was extended"
"$bgw" show "$scratch/constant.bgw" draws --json --cache "$scratch/grown" -p count=100 | grep -q '"extended_from":' ||
  fail "show does not say what was extended"
grep -q '"extended_from"' "$scratch/fresh/objects"/*/"$draws/manifest.json" && fail "a fresh run says that it extended something"
[ -f "$scratch/grown/objects/$(printf %.2s "$bg")/$bg/state.h5" ] || fail "the training kept no state for longer ones"
"$bgw" cache verify "$scratch/constant.bgw" --cache "$scratch/grown" > "$scratch/verify.txt" 2>&1 || fail "verify: $(cat "$scratch/verify.txt")"

# A byte of state.h5 changed: verify finds it, and a longer training begins anew with a warning.
state=$scratch/grown/objects/$(printf %.2s "$bg")/$bg/state.h5
printf '\377' | dd of="$state" bs=1 seek=2000 conv=notrunc 2> "$scratch/dd.txt"
"$bgw" cache verify "$scratch/constant.bgw" --cache "$scratch/grown" > "$scratch/verify.txt" 2>&1 && fail "verify finds nothing wrong with a changed state.h5"
run constant grown -p steps=12
said 'finished work to go on from is not usable' || fail "nothing is said of the damaged state"
run constant fresh3 -p steps=12
same_bytes grown fresh3 "$(key constant grown bg -p steps=12)" || fail "the training after a damaged state differs from a fresh one"

run schedule other
run schedule other -p steps=9
said '^resumed bg' && fail "a training with one_cycle went on from a shorter one"
grep -q '"state.h5"' "$scratch/other/objects"/*/"$(key schedule other bg)/manifest.json" && fail "a training with one_cycle keeps a state that nothing can use"

[ $failures -eq 0 ] || exit 1
echo "longer runs go on from finished work, byte for byte"
