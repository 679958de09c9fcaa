#include "runtime/cli/task_program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "runtime/foundation/errors.h"

namespace bgw::cli {
namespace {

bool can_run(const std::filesystem::path& program) {
  return ::access(program.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(program);
}

}  // namespace

std::filesystem::path find_task_program() {
  if (const char* named = std::getenv("BGW_TASK"); named && *named) {
    if (can_run(named)) return std::filesystem::absolute(named);
    throw StoreError(fmt::format("BGW_TASK names {}, which is no program", named));
  }
  std::error_code error;
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const std::filesystem::path& candidate : {here / "bgw-task", here.parent_path() / "tasks" / "bgw-task"}) {
    if (can_run(candidate)) return candidate;
  }
  throw StoreError(fmt::format(
      "bgw-task is not beside bgw in {}: build it (`cmake --build … --target bgw-task`) or name it in BGW_TASK",
      here.string()));
}

}  // namespace bgw::cli
