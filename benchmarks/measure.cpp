#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

// measure TIMES COMMAND [ARGUMENT ...]: runs the command so often, its output thrown away, and prints the shortest wall
// time and processor time in milliseconds, and the largest resident memory in MiB. Ends with the exit code of the first run that fails.
namespace {

[[noreturn]] void become(char** command) {
  const int nowhere = ::open("/dev/null", O_RDWR);
  ::dup2(nowhere, STDIN_FILENO);
  ::dup2(nowhere, STDOUT_FILENO);
  ::execvp(command[0], command);
  std::perror(command[0]);
  std::_Exit(127);
}

double milliseconds(const timeval& time) { return 1e3 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_usec); }

}  // namespace

int main(int count, char** arguments) {
  const int times = count > 2 ? std::atoi(arguments[1]) : 0;
  if (times < 1) {
    std::fputs("usage: measure TIMES COMMAND [ARGUMENT ...]\n", stderr);
    return 2;
  }
  double shortest = 1e300, least = 1e300;
  long largest = 0;
  for (int i = 0; i < times; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const pid_t child = ::fork();
    if (child < 0) {
      std::perror("fork");
      return 1;
    }
    if (child == 0) become(arguments + 2);
    int status = 0;
    struct rusage usage {};
    if (::wait4(child, &status, 0, &usage) != child) return 1;
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - begin;
    if (!WIFEXITED(status)) return 1;
    if (WEXITSTATUS(status) != 0) return WEXITSTATUS(status);
    shortest = std::min(shortest, elapsed.count());
    least = std::min(least, milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime));
    largest = std::max(largest, usage.ru_maxrss);
  }
  std::printf("%.1f %.1f %.1f\n", shortest, least, static_cast<double>(largest) / 1024.0);
  return 0;
}
