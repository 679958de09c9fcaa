#include "runtime/cli/task_program.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

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

int run_task_program(const std::filesystem::path& program, const std::vector<std::string>& words, int output,
                     const std::vector<std::pair<std::string, std::string>>& environment, unsigned seconds) {
  std::vector<std::string> texts{program.string()};
  texts.insert(texts.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw StoreError(fmt::format("cannot start {}: {}", program.string(), std::strerror(errno)));
  if (child == 0) {
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::dup2(output, STDOUT_FILENO);
    ::alarm(seconds);  // it outlives exec
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace bgw::cli
