// Toy tasks and a small controller, for the tests of the engine.
//   fake_tasks exec TASK.json
//   fake_tasks run CACHE STEPS SLEEP_MS     runs test::chain and prints one line an event
//   fake_tasks run CACHE stubborn SLEEP_MS  runs one task that never looks whether it should stop
// While the file that BGW_FAKE_HOLD names exists, a counting task does not take its last step.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/engine/child.h"
#include "runtime/engine/executor.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/clock.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;

// A chaotic map, so that a state lost or doubled on the way shows in every later number.
double next_value(double x) { return 3.9 * x * (1 - x); }

artifacts::Artifact state_of(const std::vector<double>& values) {
  artifacts::Artifact state;
  state.arrays["values"] = {{static_cast<std::int64_t>(values.size())}, values, {}, "angstrom"};
  state.cost.energy_calls = static_cast<std::int64_t>(values.size());
  return state;
}

bool is_held() {
  const char* file = std::getenv("BGW_FAKE_HOLD");
  return file != nullptr && std::filesystem::exists(file);
}

artifacts::Artifact count(engine::TaskContext& context) {
  std::vector<double> values{0.4};
  if (context.arguments().has("before")) values[0] = context.input("before")->array("values").doubles.back();
  if (const auto saved = context.load_checkpoint()) values = saved->array("values").doubles;
  const std::int64_t steps = context.arguments().int_or("count", context.arguments().int_or("steps", 0));
  const std::chrono::milliseconds pause(context.arguments().int_or("sleep_ms", 0));
  while (static_cast<std::int64_t>(values.size()) < steps) {
    while (static_cast<std::int64_t>(values.size()) + 1 == steps && is_held()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      context.step_done([&] { return state_of(values); });
    }
    std::this_thread::sleep_for(pause);
    values.push_back(next_value(values.back()));
    context.report({"counting", static_cast<std::int64_t>(values.size()), steps, {{"value", values.back()}}});
    context.step_done([&] { return state_of(values); });
  }
  artifacts::Artifact result = state_of(values);
  result.results.push_back({"last", values.back(), 0.5, "kT", steps, "toy"});
  result.attributes["note"] = "counted";
  return result;
}

// Reads what its input was made from: an object that is no input of its own.
artifacts::Artifact grandchild(engine::TaskContext& context) {
  const plan::Key behind = context.input_spec("parent").inputs.at(0).key;
  artifacts::Artifact result;
  result.results.push_back({"last", context.object(behind)->array("values").doubles.back(), {}, "kT", {}, "toy"});
  return result;
}

artifacts::Artifact fail(engine::TaskContext& context) {
  const std::string how = context.arguments().at("how").as_string();
  fmt::print(stderr, "about to fail by {}\n", how);
  if (how == "nan") throw NumericalError("energy is not finite at step 3");
  if (how == "bad_input") throw InputError("no such thing");
  if (how == "oom") throw std::bad_alloc();
  if (how == "bytes") {
    fmt::print(stderr, "\xff\xc3\xa9\n");
    throw NumericalError("no text: \xff");
  }
  if (how == "kill") std::raise(SIGKILL);
  std::abort();
}

// Fails as often as it is told to; the file counts.
artifacts::Artifact flaky(engine::TaskContext& context) {
  const std::string counter = context.arguments().at("counter").as_string();
  int failures = 0;
  std::ifstream(counter) >> failures;
  if (failures >= context.arguments().at("failures").as_int()) return {};
  std::ofstream(counter) << failures + 1;
  throw NumericalError(fmt::format("failure {}", failures + 1));
}

artifacts::Artifact stubborn(engine::TaskContext& context) {
  context.report({"not listening", 0, 0, {}});
  std::this_thread::sleep_for(std::chrono::milliseconds(context.arguments().at("sleep_ms").as_int()));
  return {};
}

// What it was given of the machine, and when.
artifacts::Artifact surroundings(engine::TaskContext& context) {
  artifacts::Artifact result;
  const auto now = [] { return std::to_string(store::now_in_microseconds()); };
  const auto variable = [](const char* name) { return std::string(std::getenv(name) == nullptr ? "unset" : std::getenv(name)); };
  result.attributes["begin"] = now();
  result.attributes["gpus"] = variable("CUDA_VISIBLE_DEVICES");
  result.attributes["threads"] = variable("OMP_NUM_THREADS");
  std::string score;
  std::ifstream("/proc/self/oom_score_adj") >> score;
  result.attributes["oom_score_adj"] = score;
  std::this_thread::sleep_for(std::chrono::milliseconds(context.arguments().int_or("sleep_ms", 0)));
  result.attributes["end"] = now();
  return result;
}

// Holds so many bytes for a while.
artifacts::Artifact hold(engine::TaskContext& context) {
  const std::vector<char> bytes(static_cast<std::size_t>(context.arguments().at("bytes").as_int()), 'x');
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  return state_of({static_cast<double>(bytes.back())});
}

artifacts::Artifact big(engine::TaskContext& context) {
  const std::int64_t size = context.arguments().at("size").as_int();
  artifacts::Artifact result;
  result.arrays["zeros"] = {{size}, std::vector<double>(static_cast<std::size_t>(size)), {}, ""};
  return result;
}

class PrintingObserver : public engine::Observer {
  void task_started(const plan::TaskSpec& spec, const engine::TaskStarted&) override { say("started", spec); }
  void task_finished(const plan::TaskSpec& spec, const engine::TaskFinished& finished) override {
    say(finished.by_another_run ? "found" : "finished", spec);
  }
  void task_failed(const plan::TaskSpec& spec, const engine::TaskFailed&) override { say("failed", spec); }
  void task_stopped(const plan::TaskSpec& spec, bool saved) override { say(saved ? "stopped" : "killed", spec); }
  void stopping(std::size_t running) override {
    fmt::print("stopping {}\n", running);
    std::fflush(stdout);
  }
  void attached(const plan::TaskSpec& spec, const engine::ClaimOwner&) override { say("attached", spec); }
  void say(const char* what, const plan::TaskSpec& spec) {
    fmt::print("{} {}\n", what, spec.name);
    std::fflush(stdout);
  }
};

schema::Value sum(const plan::TaskSpec&, const engine::TaskInputs& inputs) {
  return schema::Map{{"sum", inputs.manifest("a")->find_result("last")->value + inputs.manifest("b")->find_result("last")->value}};
}

test::ToyPlan stubborn_plan(int sleep_ms) {
  test::ToyPlan toy;
  toy.add("stubborn", "stubborn", {{"sleep_ms", sleep_ms}});
  return toy;
}

int run_plan(const std::string& program, const std::string& cache_path, const test::ToyPlan& toy) {
  store::Cache cache = store::Cache::open(cache_path);
  PrintingObserver observer;
  engine::RunOptions options;
  options.cpus = 2;
  options.task_program = program;
  options.inline_task = sum;
  return engine::run(toy.plan, toy.all(), cache, options, observer).exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "exec" && argc == 3) return engine::exec_task(argv[2], {{"count", count}, {"sample", count}, {"grandchild", grandchild}, {"fail", fail}, {"flaky", flaky}, {"stubborn", stubborn}, {"surroundings", surroundings}, {"hold", hold}, {"big", big}});
  if (mode == "run" && argc == 5) {
    const int sleep_ms = std::atoi(argv[4]);
    const bool is_stubborn = std::string(argv[3]) == "stubborn";
    return run_plan(std::filesystem::canonical("/proc/self/exe"), argv[2],
                    is_stubborn ? stubborn_plan(sleep_ms) : test::chain(std::atoi(argv[3]), sleep_ms));
  }
  return 2;
}
