#include "runtime/tasks/tasks.h"

namespace bgw::tasks {

engine::TaskRegistry registry() {
  return {
      {"base", base},           {"train", train},       {"sample", sample},
      {"reference", reference}, {"estimate", estimate}, {"rdf", radial_distribution}, {"data", data},
      {"md", molecular_dynamics}, {"relax", relax}, {"surface", surface}, {"phase_diagram", phase_diagram},
      {"energy_histogram", energy_histogram}, {"work_histogram", work_histogram}, {"q6_histogram", q6_histogram},
      {"q6", mean_bond_order}, {"msd", mean_squared_displacement}, {"msd_over_time", msd_over_time},
      {"mean_energy", mean_energy}, {"mean_density", mean_density}, {"mean_pressure", mean_pressure},
      {"heat_capacity", heat_capacity},
  };
}

}  // namespace bgw::tasks
