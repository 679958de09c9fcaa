#pragma once

#include <filesystem>

namespace bgw::cli {

/// The program that runs heavy tasks: $BGW_TASK, or bgw-task beside this program, or in runtime/tasks of its build
/// tree.
/// @throws StoreError (exit code 6) when it is nowhere
std::filesystem::path find_task_program();

}  // namespace bgw::cli
