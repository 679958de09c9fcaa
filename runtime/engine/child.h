#pragma once

#include <filesystem>
#include <string>

#include "compiler/schema/value.h"
#include "runtime/engine/task.h"

namespace bgw::engine {

/// What a task program says of itself in the record of each result.
struct TaskProgram {
  std::string device = "cpu";
  schema::Map libraries;  // name -> version
};

/// How a task process ends; the controller reads these.
inline constexpr int kTaskDone = 0;
inline constexpr int kTaskFailed = 4;    // the cause is in failure.json
inline constexpr int kTaskNoDisk = 6;    // not even failure.json could be written
inline constexpr int kTaskStopped = 75;  // state saved, run it again

/// The whole life of a task process: reads task.json, runs the kind's function with its inputs and checkpoints,
/// publishes the result. SIGTERM, SIGINT and SIGUSR1 ask it to save its state and stop.
/// @return the exit status of the process
int exec_task(const std::filesystem::path& task_json, const TaskRegistry& registry, const TaskProgram& program = {});

}  // namespace bgw::engine
