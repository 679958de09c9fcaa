#pragma once
// References at one state, by chains or as told, to which ladders of temperatures and grids of states are tied.

#include <string>

#include "runtime/tasks/free_energy_results.h"
#include "tests/support/task_desk.h"

namespace bgw::test {

class AnchoredDesk : public TaskDesk {
 public:
  plan::TaskSpec direct(const schema::Value& system, double t, const plan::TaskSpec& on, int steps, int seed) {
    return spec("reference", "direct" + std::to_string(static_cast<int>(t)),
                {{"method", "mbar"}, {"system", system}, {"ensemble", nvt(t)}, {"seed", seed}, {"stress", true},
                 {"path", schema::Map{{"call", "base_to_target"}, {"base", schema::Map{{"task", "path.base"}}}, {"states", 3}}},
                 {"sampler", schema::Map{{"call", "hmc"}, {"chains", 16}, {"steps", steps}}}},
                {{"path.base", on.key}});
  }
  /// A reference that says what it is told.
  plan::TaskSpec told(const schema::Value& system, double t, double per_particle, double sigma, const char* name = "told") {
    const plan::TaskSpec of = spec("reference", name, {{"system", system}, {"ensemble", nvt(t)}, {"told", per_particle}});
    artifacts::Artifact artifact;
    artifact.results.push_back({"per_particle", per_particle, sigma, "kT", 1, tasks::kConvention});
    keep(of, std::move(artifact));
    return of;
  }

 private:
  static schema::Value nvt(double t) { return schema::Map{{"kind", "nvt"}, {"temperature", t}}; }
};

}  // namespace bgw::test
