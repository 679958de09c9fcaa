#include "runtime/cli/machine_warnings.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/cli/terminal.h"
#include "runtime/engine/policy.h"
#include "runtime/foundation/errors.h"

namespace bgw::cli {

int machine_cpus() { return engine::this_machine().cpus; }

std::vector<std::string> machine_warnings(const plan::Plan& plan, const std::vector<std::size_t>& tasks) {
  const engine::Machine machine = engine::this_machine();
  std::vector<std::string> warnings;
  for (const std::size_t task : tasks) {
    if (plan.tasks[task].placement != plan::Placement::child) continue;
    try {
      engine::check_resources(plan.tasks[task], machine);
    } catch (const InputError& error) {
      warnings.emplace_back(error.what());
    }
  }
  return warnings;
}

void print_machine_warnings(const std::vector<std::string>& warnings) {
  constexpr std::size_t kShown = 3;
  for (std::size_t i = 0; i < std::min(kShown, warnings.size()); ++i) {
    put(stderr, fmt::format("{} {}\n", painted("warning:", Colour::yellow, stderr), warnings[i]));
  }
  if (warnings.size() > kShown)
    put(stderr, fmt::format("... and {} more tasks that this machine is too small for\n", warnings.size() - kShown));
}

}  // namespace bgw::cli
