#!/bin/sh
# Programs for the measurements of benchmarks/language.sh and engine.sh, written to stdout. All of them check clean.
#
#   generate.sh study LINES         hand-written style: sections of some 80 lines, each a crystal with its model, samples,
#                                   chains, estimates, table and figures, until there are at least LINES lines
#   generate.sh grid CONDITIONS DENSITIES
#                                   five families of tasks over two axes: 5 * CONDITIONS * DENSITIES tasks
#   generate.sh tables OBJECTS TABLES
#                                   a family of OBJECTS tasks that run as processes, and TABLES tasks that run inside bgw,
#                                   each of which reads one of them
set -u
usage='usage: generate.sh study LINES | grid CONDITIONS DENSITIES | tables OBJECTS TABLES'

study() {
  awk -v lines="$1" '
    function line(text) { print text; ++written }
    function section(k,   s) {
      s = "_" k
      line("")
      line("## Crystal " k ": two sizes, one trained flow, chains of its own.")
      line("param T" s "     : temperature = " (150 + k % 100) " K in 50 K .. 260 K")
      line("param steps" s " : int         = " (20 + k % 50) "    in 1 .. 1_000_000")
      line("")
      line("let kT" s "     = kB * T" s "          # eV")
      line("let larger" s " = [n for n in [64, 216, 512] if n <= 216]")
      line("axis size" s " : int = larger" s)
      line("axis rep" s "  : int = 1 .. 2")
      line("")
      line("## Monatomic water, the cutoff slightly varied")
      line("potential mw" s " {")
      line("  style   = stillinger_weber")
      line("  epsilon = 6.189 kcal/mol")
      line("  sigma   = 2.3925 angstrom")
      line("  lambda  = " sprintf("%.2f", 23.15 + k / 100))
      line("}")
      line("")
      line("lattice ice" s "[n in size" s "] {")
      line("  kind    = diamond_cubic")
      line("  atoms   = n")
      line("  density = 0.033567184 /angstrom^3")
      line("}")
      line("")
      line("system water" s "[n in size" s "] {")
      line("  potential = mw" s)
      line("  lattice   = ice" s "[n]")
      line("  mass      = 18.015 g/mol")
      line("}")
      line("")
      line("ensemble cold" s " { kind = nvt; temperature = T" s " }")
      line("")
      line("base phonons" s "[n in size" s "] {")
      line("  kind     = scha")
      line("  system   = water" s "[n]")
      line("  ensemble = cold" s)
      line("}")
      line("")
      line("flow ours" s " {")
      line("  type       = mode_split")
      line("  splits     = 16")
      line("  look_ahead = 4")
      line("}")
      line("")
      line("train bg" s " {")
      line("  system   = water" s "[64]")
      line("  ensemble = cold" s)
      line("  base     = phonons" s "[64]")
      line("  flow     = ours" s)
      line("  seed     = derive(seed, " k ")")
      line("  stage main {")
      line("    loss          = reverse_kl(gradient = path)")
      line("    steps         = steps" s)
      line("    batch         = 16")
      line("    learning_rate = one_cycle(2e-2)")
      line("  }")
      line("  checkpoint { every = 10 s; keep = 2 }")
      line("}")
      line("")
      line("sample draws" s "[n in size" s ", r in rep" s "] {")
      line("  model = transfer(bg" s ", to = water" s "[n], base = phonons" s "[n])")
      line("  count = if n > 100 then 2_000 else 4_000")
      line("  batch = 500")
      line("  seed  = derive(seed, " k ", n, r)")
      line("}")
      line("")
      line("reference ref" s "[n in size" s "] {")
      line("  method   = mbar")
      line("  system   = water" s "[n]")
      line("  ensemble = cold" s)
      line("  path     = base_to_target(phonons" s "[n], states = 3)")
      line("  sampler  = hmc(chains = 16, steps = 64)")
      line("  seed     = derive(seed, " k ", 100 + n)")
      line("}")
      line("")
      line("estimate F" s "[n in size" s ", r in rep" s "] { method = bar; samples = draws" s "[n, r]; data = ref" s "[n].samples }")
      line("")
      line("figure rdf" s " {")
      line("  title = \"Radial distribution function of crystal " k "\"")
      line("  series flow { y = rdf(draws" s "[64, 1], weighted = true); label = \"Boltzmann generator\" }")
      line("  series hmc  { y = rdf(ref" s "[64].samples);                label = \"HMC\"; style = dashed }")
      line("}")
      line("")
      line("table free_energy" s "[n in size" s ", r in rep" s "] {")
      line("  column generator { value = F" s "[n, r].per_particle }")
      line("  column chains    { value = ref" s "[n].per_particle }")
      line("  column ess       { value = draws" s "[n, r].ess }")
      line("}")
      line("")
      line("expect agrees" s "[n in size" s ", r in rep" s "] {")
      line("  value     = F" s "[n, r].per_particle - ref" s "[n].per_particle")
      line("  reference = if kT" s " > 1 eV then 1.0 else 0.0")
      line("  sigmas    = 4")
      line("}")
      names = names (k > 1 ? ", " : "") "free_energy" s ", rdf" s ", agrees" s
    }
    BEGIN {
      line("bgw 1")
      line("# A study of many crystals.")
      line("param seed : seed = 42")
      for (k = 1; written < lines - 2; ++k) section(k)
      line("")
      line("target default = [" names "]")
    }'
}

grid() {
  cat << END
bgw 1
## Every density at every temperature.
param seed : seed = 42
axis condition : int = 1 .. $1
axis dense     : int = 1 .. $2

potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }
lattice ice[d in dense]     { kind = diamond_cubic; atoms = 64; density = (0.0330 + d * 1e-6) /angstrom^3 }
system water[d in dense]    { potential = mw; lattice = ice[d]; mass = 18.015 g/mol }
ensemble nvt[c in condition] { kind = nvt; temperature = 100 K + c * 0.5 K }
flow ours { type = mode_split }

base phonons[c in condition, d in dense] { kind = phonon; system = water[d]; ensemble = nvt[c] }
train bg[c in condition, d in dense] {
  system = water[d]; ensemble = nvt[c]; base = phonons[c, d]; flow = ours
  seed = derive(seed, c, d)
  stage main { loss = reverse_kl(gradient = path); steps = 60; learning_rate = one_cycle(2e-2) }
}
sample draws[c in condition, d in dense] { model = bg[c, d]; count = 4_000; seed = derive(seed, c, d, 1) }
reference ref[c in condition, d in dense] {
  system = water[d]; ensemble = nvt[c]
  path = base_to_target(phonons[c, d], states = 3)
  sampler = hmc(chains = 16, steps = 64)
  seed = derive(seed, c, d, 2)
}
estimate F[c in condition, d in dense] { method = bar; samples = draws[c, d]; data = ref[c, d].samples }
target default = [F]
END
}

tables() {
  cat << END
bgw 1
## A crystal at many temperatures.
axis condition : int = 1 .. $1

potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }
lattice ice  { kind = diamond_cubic; atoms = 64; density = 0.0335 /angstrom^3 }
system water { potential = mw; lattice = ice; mass = 18.015 g/mol }
ensemble nvt[c in condition] { kind = nvt; temperature = 100 K + c * 0.01 K }
base phonons[c in condition] { kind = scha; system = water; ensemble = nvt[c] }

END
  awk -v objects="$1" -v tables="$2" 'BEGIN {
    for (k = 1; k <= tables; ++k) {
      printf "table t_%d { column x { value = phonons[%d].bound + %d } }\n", k, 1 + (k - 1) % objects, k
    }
    printf "target default = [phonons"
    for (k = 1; k <= tables; ++k) printf ", t_%d", k
    print "]"
  }'
}

case ${1:-} in
  study) study "${2:?$usage}" ;;
  grid) grid "${2:?$usage}" "${3:?$usage}" ;;
  tables) tables "${2:?$usage}" "${3:?$usage}" ;;
  *) echo "$usage" >&2; exit 2 ;;
esac
