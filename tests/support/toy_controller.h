#pragma once
// `fake_tasks run` as a process of its own, for tests that kill and stop it.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "runtime/store/durable_file.h"

namespace bgw::test {

/// Starts it on test::chain with so many steps, or on what `what` names; its words go to the end of `output`. Its counting
/// tasks do not take their last step while the file `hold` exists.
inline pid_t start_controller(const std::filesystem::path& cache, const std::string& what, int sleep_ms, const std::filesystem::path& output,
                              const std::filesystem::path& hold = {}) {
  const std::string sleep_text = std::to_string(sleep_ms);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  ::dup2(file, 1);
  ::dup2(file, 2);
  if (!hold.empty()) ::setenv("BGW_FAKE_HOLD", hold.c_str(), 1);
  ::execl(BGW_FAKE_TASKS, BGW_FAKE_TASKS, "run", cache.c_str(), what.c_str(), sleep_text.c_str(), nullptr);
  ::_exit(127);
}

/// What a controller has said so far.
inline std::string words_in(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? store::read_bytes(file) : std::string();
}

/// Waits until `condition` holds; false when it does not within a minute.
template <class Condition>
bool eventually(const Condition& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

}  // namespace bgw::test
