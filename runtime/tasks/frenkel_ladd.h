#pragma once

#include "compiler/schema/value.h"
#include "runtime/tasks/free_energy_run.h"

namespace bgw::tasks {

/// The free energy of a crystal as it is commonly computed: LAMMPS runs Langevin dynamics of (1 - l) U_Einstein + l U,
/// one process an l, from the Einstein crystal of width s to the crystal, and MBAR joins what they sampled. For the
/// comparison in `bgw bench` only; the time step leaves its bias in the value.
///
/// The first l is a little above 0, where LAMMPS would divide by it; the way from there to 0 is an exponential average.
/// The centre of mass stays in place, the random forces sum to zero.
/// @param deck  {"program": path of lmp, "system", "ensemble", "timestep", "damping": ps or lj, "width": s, angstrom or lj,
///              "equilibrate", "produce": steps, "every": steps between samples, "lambdas": [l, ...] ascending, to 1}
/// @param cpus  processes at a time
/// @throws InputError for a system that this cannot run, NumericalError when a run fails or neighbours do not overlap
/// @source Frenkel and Ladd, J. Chem. Phys. 81, 3188 (1984); Freitas, Asta, de Koning, Comput. Mater. Sci. 112, 333 (2016)
FreeEnergyRun frenkel_ladd(const schema::Value& deck, std::int64_t seed, int cpus);

}  // namespace bgw::tasks
