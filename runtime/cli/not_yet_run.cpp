#include "runtime/cli/not_yet_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace bgw::cli {

std::vector<std::string> not_yet_run(const plan::Plan& plan, const std::vector<std::size_t>& tasks) {
  constexpr std::size_t kShown = 2;
  std::map<std::string, std::vector<std::string>> users;
  for (const std::size_t task : tasks) {
    for (const std::string& part : plan.tasks[task].later) users[part].push_back(plan.tasks[task].name);
  }
  std::vector<std::string> lines;
  for (const auto& [part, names] : users) {
    std::string line = fmt::format("{}: {}", part, fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size())), ", "));
    if (names.size() > kShown) line += fmt::format(" and {} more", names.size() - kShown);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace bgw::cli
