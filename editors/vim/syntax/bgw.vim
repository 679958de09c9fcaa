" Syntax of .bgw programs, made by `bgw doc --editor vim`.
if exists("b:current_syntax")
  finish
endif
syn case match
syn match bgwChoice /\v<(ais|at|augmented_coupling|auto|bar|bcc|beta_tin|compatible|crash|cumulant|dashed|decay|diamond_cubic|dotted|einstein|einstein_crystal|energy|ess|fcc|fcc_orthorhombic|file|float32|float64|forward_kl|global_attention|harmonic|hcp|ice_ih|lambda|langevin|lbar|lennard_jones|lfep|line|log_prob|mbar|mixed|mode_split|nan|node_lost|npt|nvt|oom|path|phonon|points|positions|preempted|replica_exchange|scha|stillinger_weber|strict|temperature_ladder|tfep|timeout|total)>/
syn match bgwUnit /\v<(B|GB|GPa|GiB|Ha|J|K|KB|KiB|MB|MPa|MiB|NA|Pa|Ry|TB|TiB|angstrom|atm|bar|bohr|cal|cm|day|deg|eV|fs|g|h|h_planck|kB|kJ|kPa|kbar|kcal|kg|lj|mK|meV|min|mol|ms|nm|ns|percent|pm|ps|rad|s|u|us|week)>/
syn match bgwFunction /\v<(abs|base_to_target|cosine|derive|exp|first|hmc|last|len|linspace|log|logspace|max|mean|min|next|one_cycle|prev|rdf|reverse_kl|sqrt|sum|transfer)>\ze\s*\(/
syn match bgwKind /\v<(base|checkpoint|column|ensemble|estimate|expect|figure|flow|lattice|potential|reference|resources|retry|sample|series|stage|system|table|train)>\ze(\s+\k+)?\s*(\[[^\]]*\])?\s*(extends [^{]*)?\{/
syn match bgwAttribute /\v<(A|B|a|atoms|attempts|base|batch|bins|bootstrap|chains|cos0|count|cpus|cutoff|data|density|deterministic|digits|ensemble|epsilon|every|flow|gamma|gradient|keep|kind|label|lambda|lattice|learning_rate|look_ahead|loss|mass|memory|method|minimum_image|model|of|on|on_signal|p|path|peak|potential|precision|q|reference|relative|relax_sites|repeats|sampler|samples|seed|shift|sigma|sigmas|size|source|splits|states|steps|style|system|tail|temperature|title|to|tolerance|type|unit|uses|value|walltime|weighted|x|xlabel|y|yerr|ylabel)>\ze\s*\=[^=]/
syn match bgwType /\v(:|-\>)\s*\zs<(angle|bool|density|dimensionless|duration|energy|enum|float|force|int|length|mass|memory|path|pressure|seed|spring|string|temperature|time|velocity)>/
syn match bgwNumber /\v<[0-9]([0-9_]*[0-9])?(\.[0-9]([0-9_]*[0-9])?)?([eE][+-]?[0-9]+)?>/
syn keyword bgwStatement and as axis bgw else extends fn for if import in let not or param require step target then
syn keyword bgwConstant false none true
syn region bgwString start=/"/ skip=/\\./ end=/"/ oneline
syn match bgwComment /#.*$/
syn match bgwDoc /##.*$/
hi def link bgwStatement Statement
hi def link bgwConstant Constant
hi def link bgwKind Structure
hi def link bgwAttribute Identifier
hi def link bgwChoice Constant
hi def link bgwFunction Function
hi def link bgwType Type
hi def link bgwUnit Special
hi def link bgwNumber Number
hi def link bgwString String
hi def link bgwComment Comment
hi def link bgwDoc SpecialComment
setlocal commentstring=#\ %s
let b:current_syntax = "bgw"
