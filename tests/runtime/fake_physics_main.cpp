// Stands in for bgw-task in the tests of the command line: results of the right names and shapes, made up in no time.
//   fake_physics exec TASK.json       BGW_FAKE_FAIL=kind makes tasks of that kind fail, BGW_FAKE_SHIFT is added to free
//   energies,
//                                     BGW_FAKE_STEPS=n makes a task n steps of BGW_FAKE_STEP_MS (20) ms long, each of
//                                     which shows in the result; while the file BGW_FAKE_HOLD holds the name of a task,
//                                     that one does not take its last step
//   fake_physics attempts CACHE       the history of a cache: state, kind and key of each attempt, a line each
//   fake_physics about                BGW_FAKE_BLAS=file and BGW_FAKE_GFLOPS=rate are what it says of matrix products
//   fake_physics bench REQUEST.json   values around -25 for each seed; BGW_FAKE_FAIL=bench makes the last fail
//   fake_physics energy REQUEST.json  energy = 1 eV an atom, force = the atom's position in eV/angstrom, stress = the cell
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "runtime/engine/child.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/layout.h"
#include "runtime/store/sqlite_database.h"

namespace {

using namespace bgw;
using artifacts::Artifact;

constexpr const char* kConvention = "beta F / N with Lambda = sigma";

int number_from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

bool is_held(const std::string& task) {
  const char* file = std::getenv("BGW_FAKE_HOLD");
  std::string held;
  return file != nullptr && std::ifstream(file) >> held && held == task;
}

// A chaotic map, so that a step lost or doubled by a stop shows in the number at the end.
double pretend_to_work(engine::TaskContext& context) {
  double x = 0.4;
  int step = 0;
  if (const auto saved = context.load_checkpoint()) {
    x = saved->array("x").doubles.at(0);
    step = static_cast<int>(saved->array("x").doubles.at(1));
  }
  const int steps = number_from_environment("BGW_FAKE_STEPS", 1);
  const std::chrono::milliseconds pause(steps > 1 ? number_from_environment("BGW_FAKE_STEP_MS", 20) : 0);
  const auto state = [&] {
    Artifact saved;
    saved.arrays["x"] = {{2}, {x, static_cast<double>(step)}, {}, ""};
    return saved;
  };
  if (steps > 1) context.report({"making it up", step, steps, {}});
  while (step < steps) {
    while (step + 1 == steps && is_held(context.spec().name)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      context.step_done(state);
    }
    std::this_thread::sleep_for(pause);
    x = 3.9 * x * (1 - x);
    context.report({"making it up", ++step, steps, {{"loss", 0.5}}});
    context.step_done(state);
  }
  return x;
}

Artifact made_up(engine::TaskContext& context) {
  const plan::TaskSpec& spec = context.spec();
  const char* failing = std::getenv("BGW_FAKE_FAIL");
  if (failing && spec.kind == failing) {
    fmt::print(stderr, "about to fail\n");
    throw NumericalError("the energy is not finite at step 3");
  }
  const char* shift = std::getenv("BGW_FAKE_SHIFT");
  const double f = (spec.name.find("64") != std::string::npos ? -25.1631 : -25.0823) + (shift ? std::atof(shift) : 0);
  const double x = pretend_to_work(context);
  Artifact result;
  result.arrays["chaos"] = {{1}, {x}, {}, ""};
  if (spec.kind == "base") result.results = {{"bound", f + 0.02, 1e-3, "kT", 150, kConvention}};
  if (spec.kind == "train") {
    result.results = {{"loss", f + 0.01, 1e-3, "kT", 16, kConvention},
                      {"ess", 0.4, std::nullopt, "", std::nullopt, ""}};
    result.arrays["history/step"] = {{3}, {}, {1, 2, 3}, ""};
    result.arrays["history/loss"] = {{3}, {-24.0, -25.0, -25.1}, {}, "kT"};
    result.arrays["history/ess"] = {{3}, {0.1, 0.3, 0.4}, {}, ""};
  }
  if (spec.kind == "sample") {
    result.arrays["sites"] = {{2, 3}, {0, 0, 0, 2, 2, 2}, {}, "angstrom"};
    result.arrays["cell"] = {{3, 3}, {4, 0, 0, 0, 4, 0, 0, 0, 4}, {}, "angstrom"};
    result.arrays["displacements"] = {{3, 2, 3}, {0.1, 0, 0, 0, 0, 0, 0, 0.2, 0, 0, 0, 0, 0, 0, 0.3, 0, 0, 0}, {}, "angstrom"};
    result.arrays["energy"] = {{3}, {-1.5, -1.25, -1.0}, {}, "eV"};
    result.arrays["log_weight"] = {{3}, {0.0, std::log(2.0), 0.0}, {}, "kT"};
    result.results = {{"ess", 0.52, std::nullopt, "", 4000, ""}, {"per_particle", f, 2e-4, "kT", 4000, kConvention}};
  }
  if (spec.kind == "reference") {
    result.results = {{"per_particle", f, 1e-4, "kT", 1024, kConvention},
                      {"overlap", 0.2, std::nullopt, "", std::nullopt, ""}};
    result.arrays["overlap_matrix"] = {{2, 2}, {0.8, 0.2, 0.2, 0.8}, {}, ""};
  }
  if (spec.kind == "estimate") {
    result.results = {{"per_particle", f, 6e-5, "kT", 4000, kConvention}, {"ess", 0.52, std::nullopt, "", 4000, ""}};
    result.arrays["work_forward"] = {{4}, {1.0, 1.5, 2.0, 2.5}, {}, "kT"};
    result.arrays["work_reverse"] = {{4}, {0.5, 1.0, 1.5, 2.0}, {}, "kT"};
  }
  if (spec.kind == "rdf") {
    for (int bin = 0; bin < 50; ++bin) {
      result.arrays["r"].doubles.push_back(0.1 * bin);
      result.arrays["g"].doubles.push_back(std::exp(-std::pow(0.1 * bin - 2.7, 2) * 20));
    }
    result.arrays["r"].shape = result.arrays["g"].shape = {50};
    result.arrays["r"].unit = "angstrom";
  }
  result.cost.energy_calls = 1000;
  result.cost.gradient_calls = 200;
  result.cost.hessian_calls = 10;
  return result;
}

int list_attempts(const std::string& cache) {
  store::Database history(store::Layout{cache}.database());
  store::Statement attempts(history, "SELECT state, kind, hex(key) FROM t_attempt JOIN t_task USING (key) ORDER BY id");
  while (attempts.step()) fmt::print("{} {} {}\n", attempts.text(0), attempts.text(1), attempts.text(2));
  return 0;
}

schema::Value read_request(const std::string& path) {
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return schema::parse_json(text);
}

int answer_bench(const std::string& path) {
  const std::int64_t seeds = read_request(path).at("seeds").as_int();
  const char* failing = std::getenv("BGW_FAKE_FAIL");
  schema::List runs;
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    if (failing && std::string_view(failing) == "bench" && seed == seeds) {
      runs.push_back(schema::Map{{"failed", "the states do not overlap"}});
      continue;
    }
    runs.push_back(schema::Map{{"value", -25.0 - 0.001 * static_cast<double>(seed)}, {"sigma", 0.001}, {"energy_calls", 100},
                               {"force_calls", 200}, {"hessian_calls", 2}, {"seconds", 0.5}, {"cpu_seconds", 1.0}});
  }
  fmt::print("{}\n", schema::to_json(schema::Map{{"runs", std::move(runs)}, {"peak_memory", 2e8}}));
  return 0;
}

int answer_energy(const std::string& path) {
  const schema::Value request = read_request(path);
  schema::List answers;
  for (const schema::Value& structure : request.at("structures").as_list()) {
    const schema::List& positions = structure.at("positions").as_list();
    schema::Map answer{{"energy", static_cast<double>(positions.size())}};
    if (request.bool_or("forces", false)) answer.insert_or_assign("forces", positions);
    if (request.bool_or("stress", false)) answer.insert_or_assign("stress", structure.at("cell"));
    answers.push_back(std::move(answer));
  }
  fmt::print("{}\n", schema::to_json(schema::Map{{"structures", std::move(answers)}}));
  return 0;
}

int answer_about() {
  const char* blas = std::getenv("BGW_FAKE_BLAS");
  const char* rate = std::getenv("BGW_FAKE_GFLOPS");
  const char* threads = std::getenv("OMP_NUM_THREADS");
  fmt::print("{}\n", schema::to_json(schema::Map{{"torch", "1.13.0"},
                                                 {"parallel", "OpenMP"},
                                                 {"threads", threads ? std::atoi(threads) : 1},
                                                 {"blas", blas ? blas : "/usr/lib/openblas/libblas.so.3"},
                                                 {"matrix_gflops", rate ? std::atof(rate) : 40.0},
                                                 {"cuda_devices", 0}}));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "about") return answer_about();
  if (argc == 3 && std::string_view(argv[1]) == "energy") return answer_energy(argv[2]);
  if (argc == 3 && std::string_view(argv[1]) == "bench") return answer_bench(argv[2]);
  if (argc == 3 && std::string_view(argv[1]) == "attempts") return list_attempts(argv[2]);
  if (argc != 3 || std::string_view(argv[1]) != "exec") return 2;
  engine::TaskRegistry registry;
  for (const char* kind : {"base", "train", "sample", "reference", "estimate", "rdf"}) registry[kind] = made_up;
  return engine::exec_task(argv[2], registry);
}
