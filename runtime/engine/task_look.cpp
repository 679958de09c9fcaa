#include "runtime/engine/task_look.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/claim.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

constexpr double kMicrosecond = 1e-6;

// What a process can be asked about from here; true where that cannot be known.
bool may_live(int pid, const std::string& host) { return host != store::host_name() || process_lives(pid); }

// The kernel says whether a lock is held only to who asks for it. The question is put only where a process with the
// right number lives, so that no run that wants the lock finds it taken by us.
bool claim_is_held(const fs::path& work, const std::optional<AttemptFile>& attempt) {
  const ClaimOwner owner = claim_owner(work);
  const bool somebody = (owner.pid > 0 && may_live(owner.pid, owner.host)) || (attempt && may_live(attempt->pid, attempt->host));
  if (!somebody) return false;
  const store::Descriptor file(::open((work / "claim").c_str(), O_RDONLY | O_CLOEXEC));
  return file.is_open() && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

double seconds_since(std::int64_t microseconds) {
  return std::max(0.0, static_cast<double>(store::now_in_microseconds() - microseconds) * kMicrosecond);
}

// Seconds since 1970 at which this machine was started; 0 when it does not tell.
std::int64_t boot_seconds() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    std::int64_t seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

// What the system tells of a process behind its name, which may hold blanks and brackets: its state comes first.
std::string state_and_more(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = text.rfind(')');
  return name_end == std::string::npos || name_end + 2 > text.size() ? "" : text.substr(name_end + 2);
}

// When a process was started, in seconds since 1970; 0 when it is not known. Exact to two seconds.
std::int64_t start_of_process(int pid) {
  const std::string text = state_and_more(pid);
  if (text.empty()) return 0;
  std::istringstream rest(text);
  std::string field;
  constexpr int kFieldsToStart = 20;  // proc(5): starttime is number 22, the name is number 2
  for (int i = 0; i < kFieldsToStart; ++i) rest >> field;
  const long ticks = ::sysconf(_SC_CLK_TCK);
  const std::int64_t boot = boot_seconds();
  if (!rest || ticks <= 0 || boot == 0) return 0;
  return boot + std::atoll(field.c_str()) / ticks;
}

}  // namespace

bool process_lives(int pid) {
  if (pid <= 0 || (::kill(pid, 0) != 0 && errno != EPERM)) return false;
  const std::string state = state_and_more(pid);
  return !state.starts_with('Z') && !state.starts_with('X');
}

bool TaskLook::stands_still() const {
  constexpr double kLong = 180;  // seconds
  const double usual = progress ? progress->seconds_between : 0;
  return running && silent_seconds > std::max(kLong, 10 * usual);
}

TaskLook look_at_task(const fs::path& work) {
  TaskLook look;
  look.attempt = read_attempt_file(work);
  look.claimed = claim_is_held(work, look.attempt);
  look.running = look.claimed && look.attempt && may_live(look.attempt->pid, look.attempt->host);
  look.progress = last_progress(work / "progress.jsonl", look.attempt ? look.attempt->started : 0);
  if (const auto written = newest_checkpoint_time(work)) {
    const std::chrono::duration<double> age = fs::file_time_type::clock::now() - *written;
    look.checkpoint_age = std::max(0.0, age.count());
    const auto age_us = static_cast<std::int64_t>(*look.checkpoint_age / kMicrosecond);
    look.checkpoint_step = step_told_before(work / "progress.jsonl", store::now_in_microseconds() - age_us);
  }
  if (look.running) {
    const std::int64_t told = look.progress ? std::max(look.progress->time, look.attempt->started) : look.attempt->started;
    look.silent_seconds = seconds_since(told);
  }
  return look;
}

RunLife life_of(const store::SeenRun& run) {
  constexpr std::int64_t kInexact = 3;  // seconds
  if (run.ended) return RunLife::ended;
  if (run.host != store::host_name()) return RunLife::elsewhere;
  if (run.boot != store::boot_id() || !process_lives(run.pid)) return RunLife::ended;
  // The number may belong to another process by now: one that began after the run did.
  return start_of_process(run.pid) > run.started / 1'000'000 + kInexact ? RunLife::ended : RunLife::alive;
}

}  // namespace bgw::engine
