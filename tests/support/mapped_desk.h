#pragma once
// Crystals over ranges and references on grids of states, with their artifacts in memory.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/tensor/array.h"
#include "tests/support/anchored_desk.h"
#include "tests/support/ice_study.h"
#include "tests/support/over_ranges.h"

namespace bgw::test {

inline plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

inline Tensor numbers(const artifacts::Artifact& artifact, const std::string& name) { return tensor::to_tensor(artifact.array(name)); }
inline Tensor value(const artifacts::Artifact& artifact, const std::string& name) { return numbers(artifact, "grid/" + name + "/value"); }
inline Tensor error(const artifacts::Artifact& artifact, const std::string& name) { return numbers(artifact, "grid/" + name + "/sigma"); }

inline Value at_density(const Value& system, Value density) { return with(system, "lattice", with(system.at("lattice"), "density", std::move(density))); }
inline Value at_temperature(Value t) { return Map{{"kind", "nvt"}, {"temperature", std::move(t)}}; }

/// Springs between nearest neighbours of fcc: everything of it is known.
inline Value springs() { return Map{{"potential", Map{{"style", "harmonic"}, {"spring", 3.7}, {"cutoff", 1.2}}}, {"lattice", testing::lattice_value("fcc", 32, 1.28)}, {"minimum_image", "compatible"}}; }

class MappedDesk : public AnchoredDesk {
 public:
  plan::TaskSpec base(const Value& system, Value t, const char* kind = "phonon") {
    return spec("base", "modes", {{"kind", kind}, {"system", system}, {"ensemble", at_temperature(std::move(t))}, {"relax_sites", true}, {"samples", 64}, {"width", 0.06}});
  }
  plan::TaskSpec grid(const plan::TaskSpec& on, Map lists, const std::vector<plan::TaskSpec>& anchors, int chains, int steps, int seed = 7, bool stress = true) {
    std::map<std::string, plan::Key> inputs{{"path.base", on.key}};
    List tasks;
    for (std::size_t i = 0; i < anchors.size(); ++i) {
      const std::string role = "path.anchors." + std::to_string(i);
      tasks.push_back(task(role));
      inputs[role] = anchors[i].key;
    }
    Map arguments{{"method", "mbar"}, {"system", on.arguments.at("system")}, {"ensemble", on.arguments.at("ensemble")}, {"seed", seed}, {"stress", stress},
                  {"path", Map{{"call", "mapped_states"}, {"base", task("path.base")}, {"anchors", tasks}}},
                  {"sampler", Map{{"call", "hmc"}, {"chains", chains}, {"steps", steps}}}};
    for (auto& [name, list] : lists) arguments[name] = list;
    return spec("reference", "grid", arguments, inputs);
  }
};

inline bool same_bits(const artifacts::Artifact& a, const artifacts::Artifact& b) {
  if (a.arrays.size() != b.arrays.size() || a.results.size() != b.results.size()) return false;
  for (const auto& [name, array] : a.arrays) {
    const Tensor x = tensor::to_tensor(array), y = tensor::to_tensor(b.array(name));
    if (!at::allclose(x.to(at::kDouble), y.to(at::kDouble), 0.0, 0.0, true)) return false;
  }
  for (const artifacts::Result& result : a.results) {
    const artifacts::Result* other = b.find_result(result.name);
    if (other == nullptr || other->value != result.value || other->sigma != result.sigma || other->convention != result.convention) return false;
  }
  return a.cost.gradient_calls == b.cost.gradient_calls && a.cost.energy_calls == b.cost.energy_calls;
}

}  // namespace bgw::test
