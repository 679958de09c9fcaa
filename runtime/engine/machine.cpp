#include "runtime/engine/machine.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "runtime/engine/control_group.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

// The text behind "Name:" in a file of such lines.
std::optional<std::string> entry(const fs::path& file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1);
  }
  return std::nullopt;
}

// "0-3,8" are five.
int count_of_list(const std::string& list) {
  int count = 0;
  std::istringstream ranges(list);
  for (std::string range; std::getline(ranges, range, ',');) {
    int first = 0;
    int last = 0;
    char dash = 0;
    std::istringstream bounds(range);
    if (!(bounds >> first)) continue;
    count += bounds >> dash >> last && dash == '-' && last >= first ? last - first + 1 : 1;
  }
  return count;
}

int usable_cpus(const fs::path& root, const GroupLimits& limits) {
  int cpus = count_of_list(entry(root / "proc/self/status", "Cpus_allowed_list").value_or(""));
  if (cpus == 0) cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  // Of a quota of 2.5 two tasks get their whole processors; three would be held up in turn.
  if (limits.cpus) cpus = std::min(cpus, static_cast<int>(std::floor(*limits.cpus)));
  return std::max(1, cpus);
}

double usable_memory(const fs::path& root, const GroupLimits& limits) {
  double built_in = 0;
  std::istringstream(entry(root / "proc/meminfo", "MemTotal").value_or("")) >> built_in;
  built_in *= 1024;
  if (!limits.memory) return built_in;
  return built_in > 0 ? std::min(built_in, *limits.memory) : *limits.memory;
}

// CUDA reads the list up to the first entry that names no device: "0,-1,1" is device 0 alone.
std::vector<std::string> listed_gpus(const std::string& list) {
  std::vector<std::string> gpus;
  std::istringstream entries(list);
  for (std::string name; std::getline(entries, name, ',');) {
    std::erase_if(name, [](unsigned char c) { return std::isspace(c); });
    const bool is_index = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); });
    if (!is_index && !name.starts_with("GPU-") && !name.starts_with("MIG-")) break;
    gpus.push_back(name);
  }
  return gpus;
}

// Indices and not the numbers of the device files: a container may be given nvidia3 alone, which is device 0 of CUDA.
std::vector<std::string> present_gpus(const fs::path& root) {
  std::vector<std::string> gpus;
  std::error_code none;
  for (const fs::directory_entry& device : fs::directory_iterator(root / "dev", none)) {
    const std::string name = device.path().filename().string();
    if (name.size() > 6 && name.starts_with("nvidia") && name.find_first_not_of("0123456789", 6) == std::string::npos) {
      gpus.push_back(std::to_string(gpus.size()));
    }
  }
  return gpus;
}

}  // namespace

Machine describe_machine(const fs::path& root, const std::optional<std::string>& visible_devices) {
  const GroupLimits limits = group_limits(root);
  return {usable_cpus(root, limits), usable_memory(root, limits), visible_devices ? listed_gpus(*visible_devices) : present_gpus(root)};
}

Machine this_machine() {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return describe_machine("/", visible == nullptr ? std::nullopt : std::optional<std::string>(visible));
}

}  // namespace bgw::engine
