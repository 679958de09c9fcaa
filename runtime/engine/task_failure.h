#pragma once

#include <filesystem>

#include "runtime/engine/observer.h"
#include "runtime/engine/process.h"

namespace bgw::engine {

/// Why a task process that has ended brought no result: from its failure.json, its exit code or the signal that ended it,
/// with the last lines of its log. SIGKILL is "killed" here; whether memory was the cause is not the process's to say.
TaskFailed failure_of(const ProcessEnd& end, const std::filesystem::path& work);

/// The exception that is being handled as the failure of a task in this process.
TaskFailed failure_now();

}  // namespace bgw::engine
