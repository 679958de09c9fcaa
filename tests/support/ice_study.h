#pragma once
// Tasks on cubic ice, one after the other, with their artifacts in memory.

#include <map>
#include <string>

#include "tests/shared/systems.h"
#include "tests/support/catch.h"
#include "tests/support/electronvolt.h"
#include "tests/support/task_desk.h"

namespace bgw::test {

using schema::List;
using schema::Map;
using schema::Value;

inline Value ice(std::int64_t atoms) {
  Map system = testing::water("diamond_cubic", atoms).as_map();
  system["potential"] = testing::stillinger_weber_value(6.189 * kElectronvolt, 2.3925, 23.15);
  return system;
}

inline Value task(const std::string& role) { return Map{{"task", role}}; }

/// Base, flow and draws of ice, and estimates on them.
class Study : public TaskDesk {
 public:
  /// @param width  angstrom, of a base of independent atoms
  Study(std::int64_t atoms, const std::string& base_kind, Map flow, int steps, double width = 0.16) {
    const Value cold = Map{{"kind", "nvt"}, {"temperature", 200.0}};
    base = run(spec("base", {{"kind", base_kind}, {"system", ice(atoms)}, {"ensemble", cold}, {"relax_sites", true}, {"samples", 32}, {"width", width}}));
    const Value stage = Map{{"name", "main"}, {"loss", Map{{"call", "reverse_kl"}, {"gradient", "path"}}}, {"steps", steps}, {"batch", 16},
                            {"learning_rate", 1e-3}};
    training = run(spec("train", {{"flow", std::move(flow)}, {"system", ice(atoms)}, {"ensemble", cold}, {"seed", 42}, {"stages", List{stage}}, {"base", task("base")}},
                        {{"base", base}}));
  }

  static plan::TaskSpec spec(const std::string& kind, Map arguments, const std::map<std::string, plan::Key>& inputs = {}) {
    return TaskDesk::spec(kind, kind, std::move(arguments), inputs);
  }
  plan::Key run(const plan::TaskSpec& of) {
    TaskDesk::run(of);
    return of.key;
  }
  const artifacts::Artifact& result(const plan::TaskSpec& of) { return TaskDesk::run(of); }

  plan::TaskSpec drawing(int count) {
    return spec("sample", {{"model", task("model")}, {"count", count}, {"batch", 128}, {"seed", 1}}, {{"model", training}});
  }
  plan::TaskSpec chains() {
    return spec("reference", {{"method", "mbar"}, {"path", Map{{"call", "base_to_target"}, {"base", task("path.base")}, {"states", 2}}},
                              {"sampler", Map{{"call", "hmc"}, {"chains", 8}, {"steps", 24}}}, {"seed", 2}}, {{"path.base", base}});
  }
  plan::TaskSpec estimating(const std::string& method, const plan::Key& samples, Map more = {}, const plan::Key* data = nullptr) {
    Map arguments{{"method", method}, {"samples", task("samples")}, {"bootstrap", 50}};
    std::map<std::string, plan::Key> inputs{{"samples", samples}};
    if (data != nullptr) {
      arguments["data"] = task("data");
      inputs["data"] = *data;
    }
    for (const auto& [name, value] : more) arguments[name] = value;
    return spec("estimate", arguments, inputs);
  }
  plan::TaskSpec annealing(const plan::Key& samples, int count, Value states = "auto") {
    return estimating("ais", samples, {{"count", count}, {"states", std::move(states)}, {"moves", 1}});
  }

  plan::Key base, training;
};

inline Map global_flow() {
  return {{"type", "global_attention"}, {"layers", 2}, {"bins", 4}, {"embedding", 8},
          {"conditioner", Map{{"call", "attention"}, {"layers", 1}, {"frequencies", 2}, {"heads", 2}}}};
}

inline double number(const artifacts::Artifact& artifact, const char* name) {
  INFO(name);
  const artifacts::Result* result = artifact.find_result(name);
  REQUIRE(result);
  return result->value;
}

inline double sigma(const artifacts::Artifact& artifact, const char* name) { return *artifact.find_result(name)->sigma; }

/// Of a curve on an even grid.
inline double integral(const artifacts::Artifact& artifact, const std::string& curve) {
  const auto &x = artifact.array("curves/" + curve + "/x").doubles, &y = artifact.array("curves/" + curve + "/y").doubles;
  double sum = 0;
  for (const double density : y) sum += density * (x[1] - x[0]);
  return sum;
}

}  // namespace bgw::test
