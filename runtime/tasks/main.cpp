// bgw-task: the program that speaks tensors. `bgw` starts it, once for each heavy task.
//   bgw-task exec work/<key>/task.json     run a task and publish its result
//   bgw-task energy REQUEST.json           energy and forces of one structure, answered as JSON
//   bgw-task bench REQUEST.json            time and error of a route to a free energy, as JSON; `bgw bench` asks
//   bgw-task about                         what a task has to work with, as JSON; `bgw doctor` asks
#include <fmt/format.h>

#include <exception>
#include <fstream>
#include <iterator>
#include <string>

#include "runtime/engine/child.h"
#include "runtime/foundation/errors.h"
#include "runtime/tasks/about.h"
#include "runtime/tasks/bench_request.h"
#include "runtime/tasks/energy_request.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tasks/torch_process.h"

namespace {

constexpr int kInternalError = 1;
constexpr int kUsage = 2;
constexpr int kWrongInput = 3;

int answer(const std::string& path, bgw::schema::Value (*request)(const bgw::schema::Value&)) {
  std::ifstream file(path);
  if (!file) {
    fmt::print(stderr, "cannot read {}\n", path);
    return kUsage;
  }
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  try {
    fmt::print("{}\n", bgw::schema::to_json(request(bgw::schema::parse_json(text))));
    return 0;
  } catch (const bgw::InputError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kWrongInput;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  const int words = command == "about" ? 2 : command == "exec" || command == "energy" || command == "bench" ? 3 : 0;
  if (argc != words) {
    fmt::print(stderr, "bgw-task runs the heavy tasks of bgw, which starts it; see `bgw --help`\n");
    return kUsage;
  }
  try {
    bgw::tasks::set_up_torch();
    if (command == "about") {
      fmt::print("{}\n", bgw::schema::to_json(bgw::tasks::about()));
      return 0;
    }
    if (command == "energy") return answer(argv[2], bgw::tasks::answer_energy_request);
    if (command == "bench") return answer(argv[2], bgw::tasks::answer_bench_request);
    return bgw::engine::exec_task(argv[2], bgw::tasks::registry(), {"cpu", {{"torch", bgw::tasks::torch_version()}}});
  } catch (const std::exception& error) {
    fmt::print(stderr, "internal error: {}\n", error.what());
    return kInternalError;
  }
}
