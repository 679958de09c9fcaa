" Syntax of .bgw programs, made by `bgw doc --editor vim`.
if exists("b:current_syntax")
  finish
endif
syn case match
syn match bgwChoice /\v<(a_eq_b|ais|augmented_coupling|auto|b_over_a|bad_input|bar|bcc|beta_tin|box|c_over_a|cell|compatible|constant|crash|cuda|cumulant|dashed|delta|density|diamond_cubic|disk|dotted|einstein|einstein_crystal|energy|ess|extxyz|fcc|fcc_orthorhombic|file|fixed|float32|float64|forward|free|global_attention|harmonic|hcp|hdf5|ice_ih|isotherms|isotropic|killed|lambda|lammpsdump|lbar|lennard_jones|lfep|line|log_prob|mbar|mode_split|nan|node_lost|npt|nvt|oom|orthorhombic|path|pdf|phonon|points|polynomial|positions|preempted|pressure|require|reverse|scha|stillinger_weber|strict|svg|temperature|tfep|timeout|total|triclinic)>/
syn match bgwUnit /\v<(B|GB|GPa|GiB|Ha|J|K|KB|KiB|MB|MPa|MiB|NA|Pa|Ry|TB|TiB|angstrom|atm|bar|bohr|cal|cm|day|deg|eV|fs|g|h|h_planck|kB|kJ|kPa|kbar|kcal|kg|lj|mK|meV|min|mol|ms|nm|ns|percent|pm|ps|rad|s|u|us|week)>/
syn match bgwFunction /\v<(abs|adam|at|attention|base_to_target|cosine|crossing|decay|derive|einstein_crystal|energy_histogram|error|exp|first|fit|force_matching|forward_kl|gnn|harmonic|heat_capacity|hmc|lambda|langevin|last|learned|len|linspace|log|logspace|mapped_states|max|mean|mean_density|mean_energy|mean_pressure|min|mixed|msd|msd_over_time|next|one_cycle|prev|q6|q6_histogram|rdf|replica_exchange|reverse_kl|sqrt|sum|temperature_ladder|transfer|work_histogram)>\ze\s*\(/
syn match bgwKind /\v<(base|checkpoint|column|data|ensemble|estimate|expect|figure|flow|lattice|md|phase_diagram|potential|reference|relax|resources|retry|sample|series|stage|surface|system|table|train)>\ze(\s+\k+)?\s*(\[[^\]]*\])?\s*(extends [^{]*)?\{/
syn match bgwAttribute /\v<(A|B|a|alpha|anchors|at|atoms|attempts|aux_draws|aux_width|average|b_over_a|backoff|band|base|batch|bins|bootstrap|box|c_over_a|chains|coexistence|condition_on|conditioner|cos0|count|cpus|cutoff|data|data_parallel|delta|density|deterministic|digits|displacement|embedding|ensemble|epsilon|equilibrate|every|exclusive|factor|file|fill|first|flow|force|force_constants|format|frequencies|friction|from|gains|gamma|gpus|grad_clip|gradient|heads|hidden|integrator|keep|kind|label|labels|lambda|largest|lattice|layers|learning_rate|length|linearize_below|look_ahead|loss|mapped|marginal|mass|memory|method|minimum_image|model|moves|neighbours|nodes|of|on|on_signal|optimizer|over|p|path|peak|periodic_in|phases|points|potential|precision|pressure|produce|q|range|rate|reach|recompute_neighbours|reference|relative|relax_sites|repeats|replicas|sampler|samples|second|seed|sha256|shape_degree|shift|side|sigma|sigmas|sites|size|smallest|soften|source|species|splits|spring|start|states|steps|stress|style|switch_from|system|tail|temperature|temperature_degree|temperatures|timestep|title|to|tolerance|tries|type|unit|until_error|until_ess|uses|value|volume_degree|walltime|warm_start|weighted|when|width|x|xlabel|y|yerr|ylabel)>\ze\s*\=[^=]/
syn match bgwType /\v(:|-\>)\s*\zs<(angle|area|bool|density|dimensionless|duration|energy|enum|float|force|frequency|int|length|mass|memory|path|pressure|seed|spring|string|temperature|time|velocity|volume)>/
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
