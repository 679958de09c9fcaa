#include "runtime/report/gnuplot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "runtime/foundation/errors.h"
#include "runtime/store/temporary_file.h"

extern char** environ;

namespace bgw::report {
namespace {

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// Output and errors go to files: no pipe can fill up while nobody reads it.
int run_program(const std::string& program, const store::TemporaryFile& script, const store::TemporaryFile& output,
                const store::TemporaryFile& errors) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.path().c_str(), O_WRONLY | O_TRUNC, 0600);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.path().c_str(), O_WRONLY | O_TRUNC, 0600);
  std::array<std::string, 3> words{program, "-d", script.path().string()};  // -d: no settings of the user's own
  std::array<char*, 4> argv{words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) {
    throw StoreError(
        fmt::format("figures are drawn by gnuplot, and there is no {} here: apt-get install gnuplot-nox", program));
  }
  if (error != 0) throw StoreError(fmt::format("cannot start {}: {}", program, std::strerror(error)));
  return wait_for(pid);
}

}  // namespace

std::string run_gnuplot(const std::string& script) {
  const char* given = std::getenv("BGW_GNUPLOT");
  const std::string program = given != nullptr && *given != '\0' ? given : "gnuplot";
  const store::TemporaryFile script_file, output, errors;
  script_file.write(script);
  const int status = run_program(program, script_file, output, errors);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
      throw StoreError(
          fmt::format("figures are drawn by gnuplot, and there is no {} here: apt-get install gnuplot-nox", program));
    }
    throw StoreError(fmt::format("gnuplot failed: {}", errors.read()));
  }
  return output.read();
}

std::string gnuplot_string(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += "''";
    else
      quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + "'";
}

}  // namespace bgw::report
