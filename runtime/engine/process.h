#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/store/durable_file.h"

namespace bgw::engine {

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
};

/// Starts a child that gets SIGTERM when the calling thread ends, with a clean signal mask.
/// @throws StoreError when the program cannot be started
ChildProcess start_child(const ChildCommand& command);
/// Collects a child that has ended.
ProcessEnd collect(const ChildProcess& child);
/// Sends a signal to the whole group of a child.
void signal_group(const ChildProcess& child, int signal);

}  // namespace bgw::engine
