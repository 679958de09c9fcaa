#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bgw::engine {

/// What a machine has for tasks.
struct Machine {
  int cpus = 1;
  double memory = 0;               // bytes; 0: not known
  std::vector<std::string> gpus;   // as CUDA_VISIBLE_DEVICES names them: an index or a UUID each
};

/// This machine as far as this process may use it: processors by affinity and quota, memory by what is built in and by
/// the limits of control groups, GPUs by CUDA_VISIBLE_DEVICES where it is set and by the devices there are where not.
/// Asks neither CUDA nor a driver.
Machine this_machine();

/// The same of the files under `root`, with a given value of CUDA_VISIBLE_DEVICES.
Machine describe_machine(const std::filesystem::path& root, const std::optional<std::string>& visible_devices);

}  // namespace bgw::engine
