// A process is in one group of the second version ("0::/a/b" in /proc/self/cgroup) and, on older systems, in one group a
// controller of the first ("4:memory:/a/b"). Each group around it may set a limit too, so all of them are asked. In a
// container the path may name groups that are not mounted there; what is mounted then is the top of what we can see.
#include "runtime/engine/control_group.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

struct Groups {
  std::vector<fs::path> unified;  // the own group first, then those around it
  std::vector<fs::path> cpu;
  std::vector<fs::path> memory;
};

std::vector<fs::path> upwards(const fs::path& mount, const std::string& group) {
  std::vector<fs::path> folders;
  for (fs::path below = fs::path(group).relative_path(); !below.empty(); below = below.parent_path()) folders.push_back(mount / below);
  folders.push_back(mount);
  return folders;
}

bool names(const std::string& controllers, const char* wanted) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');) {
    if (name == wanted) return true;
  }
  return false;
}

Groups own_groups(const fs::path& root) {
  const fs::path mounts = root / "sys/fs/cgroup";
  Groups groups;
  std::ifstream list(root / "proc/self/cgroup");
  for (std::string line; std::getline(list, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      const bool beside_old_ones = fs::exists(mounts / "unified");
      groups.unified = upwards(beside_old_ones ? mounts / "unified" : mounts, group);
    }
    if (names(controllers, "cpu")) groups.cpu = upwards(fs::exists(mounts / "cpu") ? mounts / "cpu" : mounts / controllers, group);
    if (names(controllers, "memory")) groups.memory = upwards(mounts / "memory", group);
  }
  return groups;
}

// The numbers at the start of a file; none for "max", for a file that is not there or says something else.
std::vector<double> numbers_in(const fs::path& file) {
  std::ifstream text(file);
  std::vector<double> numbers;
  for (double number = 0; text >> number;) numbers.push_back(number);
  return numbers;
}

void lower(std::optional<double>& limit, double value) { limit = std::min(limit.value_or(value), value); }

// The number behind a word, as in "oom_kill 3".
std::optional<long> counter(const fs::path& file, const std::string& name) {
  std::ifstream text(file);
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string word;
    long value = 0;
    if (words >> word >> value && word == name) return value;
  }
  return std::nullopt;
}

}  // namespace

GroupLimits group_limits(const fs::path& root) {
  constexpr double kNoLimit = 4e18;  // the first version writes the largest multiple of a page
  const Groups groups = own_groups(root);
  GroupLimits limits;
  const auto lower_cpus = [&](double quota, double period) {
    if (quota > 0 && period > 0) lower(limits.cpus, quota / period);
  };
  for (const fs::path& group : groups.unified) {
    if (const auto quota = numbers_in(group / "cpu.max"); quota.size() == 2) lower_cpus(quota[0], quota[1]);
    if (const auto most = numbers_in(group / "memory.max"); !most.empty()) lower(limits.memory, most[0]);
  }
  for (const fs::path& group : groups.cpu) {
    const auto quota = numbers_in(group / "cpu.cfs_quota_us");
    const auto period = numbers_in(group / "cpu.cfs_period_us");
    if (!quota.empty() && !period.empty()) lower_cpus(quota[0], period[0]);
  }
  for (const fs::path& group : groups.memory) {
    const auto most = numbers_in(group / "memory.limit_in_bytes");
    if (!most.empty() && most[0] < kNoLimit) lower(limits.memory, most[0]);
  }
  return limits;
}

long out_of_memory_kills(const fs::path& root) {
  const Groups groups = own_groups(root);
  if (!groups.memory.empty()) {
    if (const auto kills = counter(groups.memory.front() / "memory.oom_control", "oom_kill")) return *kills;
  }
  if (!groups.unified.empty()) {
    if (const auto kills = counter(groups.unified.front() / "memory.events", "oom_kill")) return *kills;
  }
  return counter(root / "proc/vmstat", "oom_kill").value_or(0);
}

}  // namespace bgw::engine
