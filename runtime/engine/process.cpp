#include "runtime/engine/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

extern char** environ;

namespace bgw::engine {
namespace {

std::vector<std::string> merged_environment(const std::vector<std::string>& additions) {
  const auto is_replaced = [&](const std::string& entry) {
    for (const std::string& addition : additions) {
      if (entry.compare(0, entry.find('=') + 1, addition, 0, addition.find('=') + 1) == 0) return true;
    }
    return false;
  };
  std::vector<std::string> merged = additions;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!is_replaced(*entry)) merged.emplace_back(*entry);
  }
  return merged;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// All a child needs between fork and exec, made ready before: there it may only use async-signal-safe calls.
struct Launch {
  char** arguments;
  char** environment;
  int null_input;
  int log;
  int inherited;
  int report;  // takes errno when something fails; closed by a successful exec
  pid_t parent;
  const char* out_of_memory_score;
};

// A controller holds little memory and much of what is known of the run; its tasks can go on from their checkpoints.
std::string raised_score() {
  constexpr int kMore = 500;
  constexpr int kMost = 1000;
  int own = 0;
  std::ifstream("/proc/self/oom_score_adj") >> own;
  return std::to_string(std::min(kMost, own + kMore));
}

// Where it cannot be written, the kernel chooses as it always does.
void offer_to_out_of_memory_killer(const char* score) {
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(file, score, std::strlen(score));
  ::close(file);
}

[[noreturn]] void give_up(const Launch& launch) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(launch.report, &error, sizeof(error));
  ::_exit(127);
}

[[noreturn]] void become(const Launch& launch) {
  ::setpgid(0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) give_up(launch);
  if (::getppid() != launch.parent) ::_exit(127);  // the parent died before we asked to hear of it
  offer_to_out_of_memory_killer(launch.out_of_memory_score);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(launch.null_input, 0) < 0 || ::dup2(launch.log, 1) < 0 || ::dup2(launch.log, 2) < 0) give_up(launch);
  if (launch.inherited >= 0 && ::fcntl(launch.inherited, F_SETFD, 0) != 0) give_up(launch);
  ::execve(launch.arguments[0], launch.arguments, launch.environment);
  give_up(launch);
}

// 0 when the child's exec went well, else its errno.
int error_reported(int report) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(report, &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof(error)) ? error : 0;
}

[[noreturn]] void throw_not_started(const std::string& program, int error) {
  throw NotStarted(fmt::format("cannot start {}: {}", program, std::strerror(error)));
}

}  // namespace

ChildProcess start_child(const ChildCommand& command) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = merged_environment(command.environment);
  const std::vector<char*> argument_pointers = pointers_to(arguments);
  const std::vector<char*> environment_pointers = pointers_to(environment);

  const store::Descriptor null_input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const store::Descriptor log(::open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!log.is_open()) store::throw_system_error(errno, "write", command.log);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_not_started(arguments[0], errno);
  const store::Descriptor report_out(ends[0]);
  store::Descriptor report_in(ends[1]);

  const std::string score = raised_score();
  const Launch launch{const_cast<char**>(argument_pointers.data()), const_cast<char**>(environment_pointers.data()),
                      null_input.get(), log.get(), command.inherited, report_in.get(), ::getpid(), score.c_str()};
  const pid_t pid = ::fork();
  if (pid < 0) throw_not_started(arguments[0], errno);
  if (pid == 0) become(launch);
  ::setpgid(pid, pid);  // both sides do it, so that it holds for whoever comes first
  report_in.close();
  if (const int error = error_reported(report_out.get())) {
    ::waitpid(pid, nullptr, 0);
    throw_not_started(arguments[0], error);
  }
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) {
    const int error = errno;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw_not_started(arguments[0], error);
  }
  return {pid, store::Descriptor(descriptor)};
}

ProcessEnd collect(const ChildProcess& child) {
  int status = 0;
  rusage used{};
  while (::wait4(child.pid, &status, 0, &used) < 0 && errno == EINTR) {
  }
  const double peak = 1024.0 * static_cast<double>(used.ru_maxrss);
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status), peak};
  return {WEXITSTATUS(status), 0, peak};
}

double peak_memory(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

void signal_group(const ChildProcess& child, int signal) { ::kill(-child.pid, signal); }

}  // namespace bgw::engine
