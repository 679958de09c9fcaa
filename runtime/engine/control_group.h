#pragma once

#include <filesystem>
#include <optional>

namespace bgw::engine {

/// The limits that control groups (both versions) set on this process, those of the groups around its own included: the
/// smallest counts. `root` stands for "/" in tests.
struct GroupLimits {
  std::optional<double> cpus;    // a quota of processor time, in processors
  std::optional<double> memory;  // bytes
};
GroupLimits group_limits(const std::filesystem::path& root = "/");

/// How many processes the kernel has killed for lack of memory: in our control group, or on the whole machine where the
/// group does not count. Only its growth means anything; 0 where nobody counts.
long out_of_memory_kills(const std::filesystem::path& root = "/");

}  // namespace bgw::engine
