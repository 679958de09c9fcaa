#include "runtime/tasks/bench_request.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>

#include "compiler/plan/sha256.h"
#include "runtime/engine/process.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/task_json.h"
#include "runtime/tasks/frenkel_ladd.h"
#include "runtime/tasks/tasks.h"

namespace bgw::tasks {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

/// Finished tasks of a chain, by key.
struct Finished {
  plan::TaskSpec spec;
  std::shared_ptr<const artifacts::Artifact> artifact;
};
using Results = std::map<plan::Key, Finished>;

/// The world of a task whose inputs and result stay in memory, and which nobody stops.
class ChainContext final : public engine::TaskContext {
 public:
  ChainContext(const Results& results, const plan::TaskSpec& spec, int cpus)
      : results_(results), spec_(spec), cpus_(cpus) {}

  const plan::TaskSpec& spec() const override { return spec_; }
  std::shared_ptr<const artifacts::Artifact> input(const std::string& role) override { return object(key_of(role)); }
  plan::TaskSpec input_spec(const std::string& role) override { return object_spec(key_of(role)); }
  std::shared_ptr<const artifacts::Artifact> object(const plan::Key& key) override { return results_.at(key).artifact; }
  plan::TaskSpec object_spec(const plan::Key& key) override { return results_.at(key).spec; }
  std::optional<artifacts::Artifact> load_checkpoint() override { return std::nullopt; }
  void save_checkpoint(const artifacts::Artifact&) override {}
  void keep_state(artifacts::Artifact) override {}
  bool checkpoint_due() const override { return false; }
  bool stop_requested() const override { return false; }
  void report(const engine::Progress&) override {}
  int cpus() const override { return cpus_; }

 private:
  const plan::Key& key_of(const std::string& role) const {
    for (const plan::TaskInput& input : spec_.inputs) {
      if (input.role == role) return input.key;
    }
    throw std::logic_error("task " + spec_.name + " has no input '" + role + "'");
  }

  const Results& results_;
  const plan::TaskSpec& spec_;
  int cpus_;
};

struct Term {
  double weight = 1;
  std::vector<plan::TaskSpec> tasks;  // inputs first; the last has the free energy
};

std::vector<Term> terms_of(const Value& request) {
  std::vector<Term> terms;
  for (const Value& value : request.at("terms").as_list()) {
    Term term{value.at("weight").as_double(), {}};
    for (const Value& text : value.at("tasks").as_list()) term.tasks.push_back(store::parse_task(text.as_string()));
    if (term.tasks.empty()) throw std::runtime_error("a term without tasks");
    terms.push_back(std::move(term));
  }
  return terms;
}

/// The root of the random streams of a task in the run with that seed: no two runs and no two tasks share one, those
/// included whose kind has no seed of its own.
plan::Key seeded(const plan::TaskSpec& spec, std::int64_t seed) {
  return plan::sha256(fmt::format("{} {} {}", spec.key.hex(), spec.stream_key.hex(), seed));
}

void add(artifacts::Cost& sum, const artifacts::Cost& cost) {
  sum.energy_calls += cost.energy_calls;
  sum.gradient_calls += cost.gradient_calls;
  sum.hessian_calls += cost.hessian_calls;
}

FreeEnergyRun run_chain(const std::vector<plan::TaskSpec>& tasks, std::int64_t seed, int cpus) {
  static const engine::TaskRegistry kinds = registry();
  Results results;
  FreeEnergyRun run;
  for (plan::TaskSpec spec : tasks) {
    spec.stream_key = seeded(spec, seed);
    ChainContext context(results, spec, cpus);
    auto artifact = std::make_shared<artifacts::Artifact>(kinds.at(spec.kind)(context));
    add(run.cost, artifact->cost);
    const plan::Key key = spec.key;
    results[key] = {std::move(spec), std::move(artifact)};
  }
  const Finished& last = results.at(tasks.back().key);
  const artifacts::Result* value = last.artifact->find_result("per_particle");
  if (value == nullptr) throw std::runtime_error("task " + last.spec.name + " has no result per_particle");
  run.per_particle = {value->value, value->sigma.value_or(std::nan(""))};
  return run;
}

FreeEnergyRun run_terms(const std::vector<Term>& terms, std::int64_t seed, int cpus) {
  FreeEnergyRun sum;
  double variance = 0;
  for (const Term& term : terms) {
    const FreeEnergyRun run = run_chain(term.tasks, seed, cpus);
    sum.per_particle.value += term.weight * run.per_particle.value;
    variance += std::pow(term.weight * run.per_particle.sigma, 2);
    add(sum.cost, run.cost);
  }
  sum.per_particle.sigma = std::sqrt(variance);
  return sum;
}

double seconds_of(const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); }

/// Processor time of this process and of its children that have ended.
double cpu_seconds() {
  double sum = 0;
  for (const int whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    ::getrusage(whose, &used);
    sum += seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
  }
  return sum;
}

/// Memory of the largest of this process and its children that have ended, bytes.
double peak_memory() {
  rusage children{};
  ::getrusage(RUSAGE_CHILDREN, &children);
  return std::max(engine::peak_memory(::getpid()), 1024.0 * static_cast<double>(children.ru_maxrss));
}

Value timed(const std::function<FreeEnergyRun()>& route) {
  const auto begin = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  try {
    const FreeEnergyRun run = route();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    return Map{{"value", artifacts::number_or_none(run.per_particle.value)},
               {"sigma", artifacts::number_or_none(run.per_particle.sigma)},
               {"energy_calls", run.cost.energy_calls},
               {"force_calls", run.cost.gradient_calls},
               {"hessian_calls", run.cost.hessian_calls},
               {"seconds", seconds.count()},
               {"cpu_seconds", cpu_seconds() - cpu}};
  } catch (const NumericalError& error) {  // a route that does not lead there is a result, too
    return Map{{"failed", error.what()}};
  }
}

}  // namespace

Value answer_bench_request(const Value& request) {
  const std::int64_t seeds = request.at("seeds").as_int();
  const int cpus = static_cast<int>(request.int_or("cpus", 1));
  std::function<FreeEnergyRun(std::int64_t)> route;
  if (const Value* deck = request.find("frenkel_ladd")) {
    route = [deck, cpus](std::int64_t seed) { return frenkel_ladd(*deck, seed, cpus); };
  } else {
    route = [terms = terms_of(request), cpus](std::int64_t seed) { return run_terms(terms, seed, cpus); };
  }
  List runs;
  for (std::int64_t seed = 1; seed <= seeds; ++seed) runs.push_back(timed([&] { return route(seed); }));
  return Map{{"runs", std::move(runs)}, {"peak_memory", peak_memory()}};
}

}  // namespace bgw::tasks
