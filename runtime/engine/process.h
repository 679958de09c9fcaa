#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/foundation/errors.h"
#include "runtime/store/durable_file.h"

namespace bgw::engine {

/// A program could not be started at all.
struct NotStarted : StoreError {
  using StoreError::StoreError;
};

/// A program to start as a child.
struct ChildCommand {
  std::vector<std::string> arguments;    // the program first
  std::vector<std::string> environment;  // "NAME=value", added to ours or replacing it
  std::filesystem::path log;             // gets stdout and stderr, after what it holds
  int inherited = -1;                    // a descriptor the child keeps open
};

/// A running child in a process group of its own.
struct ChildProcess {
  pid_t pid = -1;
  store::Descriptor descriptor;  // a pidfd: readable when the process has ended
};

/// How a process ended: by exit with `code`, or by `signal` when that is not 0.
struct ProcessEnd {
  int code = 0;
  int signal = 0;
  double peak_memory = 0;  // bytes resident at once; counts what the parent held at the fork, too
};

/// Starts a child that gets SIGTERM when the calling thread ends, with a clean signal mask. When memory runs out the
/// kernel rather kills it than its parent.
/// @throws NotStarted when the program cannot be started, StoreError when its log cannot be written
ChildProcess start_child(const ChildCommand& command);
/// Collects a child that has ended.
ProcessEnd collect(const ChildProcess& child);
/// The most memory that a living process has held since it became its program, in bytes; 0 when the system does not tell.
double peak_memory(pid_t pid);
/// Sends a signal to the whole group of a child.
void signal_group(const ChildProcess& child, int signal);

}  // namespace bgw::engine
