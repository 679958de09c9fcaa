#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace bgw::cli {

/// The program that runs heavy tasks: $BGW_TASK, or bgw-task beside this program, or in runtime/tasks of its build
/// tree.
/// @throws StoreError (exit code 6) when it is nowhere
std::filesystem::path find_task_program();

/// Runs it with these words, with stdout in a file and stderr where ours goes, and waits for it.
/// @param environment  pairs of names and values, added to ours
/// @param seconds      after which it is killed; 0: never
/// @return its exit status, 128 + the signal that ended it, 127 when it could not be started
/// @throws StoreError when there can be no further process
int run_task_program(const std::filesystem::path& program, const std::vector<std::string>& words, int output,
                     const std::vector<std::pair<std::string, std::string>>& environment = {}, unsigned seconds = 0);

}  // namespace bgw::cli
