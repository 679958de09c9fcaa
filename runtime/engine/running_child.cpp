#include "runtime/engine/running_child.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "runtime/engine/checkpoints.h"
#include "runtime/engine/child.h"
#include "runtime/engine/control_group.h"
#include "runtime/engine/orphan_watch.h"
#include "runtime/engine/task_failure.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

// OpenBLAS knows processors by name and takes its oldest kernels, a quarter as fast, on those that came after it. What a
// processor can do is known better than its name.
std::vector<std::string> matrix_kernels() {
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return {};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return {"OPENBLAS_CORETYPE=SkylakeX"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"OPENBLAS_CORETYPE=Haswell"};
#endif
  return {};
}

// OpenMP and CUDA read these once, at their start. A task without GPUs must not find those of others. Threads that wait
// sleep: where others compute, too, those that spin take the time of the thread they wait for, and a task with thousands of
// short parallel parts a second takes ten times as long.
std::vector<std::string> environment_of(const Admission::Start& share) {
  std::vector<std::string> environment = {fmt::format("OMP_NUM_THREADS={}", share.cpus), "OMP_WAIT_POLICY=passive",
                                          "OPENBLAS_NUM_THREADS=1",
                                          fmt::format("CUDA_VISIBLE_DEVICES={}", fmt::join(share.gpus, ",")),
                                          fmt::format("{}={}", kControllerVariable, ::getpid())};
  for (std::string& variable : matrix_kernels()) environment.push_back(std::move(variable));
  return environment;
}

ChildProcess start_process(const fs::path& program, const fs::path& work, const Admission::Start& share, const Claim& claim) {
  ChildCommand command;
  command.arguments = {program.string(), "exec", (work / "task.json").string()};
  command.environment = environment_of(share);
  command.log = work / "log.txt";
  command.inherited = claim.descriptor();
  return start_child(command);
}

std::optional<double> age_of(const std::optional<fs::file_time_type>& time) {
  if (!time) return std::nullopt;
  return std::max(0.0, std::chrono::duration<double>(fs::file_time_type::clock::now() - *time).count());
}

// The kernel says that it has killed somebody since, or the process held nearly all there is.
bool ended_by_lack_of_memory(long kills_before, double peak, double memory) {
  constexpr double kNearlyAll = 0.9;
  return out_of_memory_kills() > kills_before || (memory > 0 && peak > kNearlyAll * memory);
}

}  // namespace

RunningChild::RunningChild(const plan::TaskSpec& spec, const fs::path& program, fs::path work, Admission::Start share, const Claim& claim)
    : share_(std::move(share)),
      policy_(policy_of(spec)),
      work_(std::move(work)),
      begin_(std::chrono::steady_clock::now()),
      last_word_(begin_),
      checkpoint_before_(newest_checkpoint_time(work_)),
      checkpoint_age_(age_of(checkpoint_before_)),
      out_of_memory_kills_before_(out_of_memory_kills()),
      memory_of_parent_(engine::peak_memory(::getpid())),
      progress_(work_ / "progress.jsonl"),
      process_(start_process(program, work_, share_, claim)) {}

std::optional<Progress> RunningChild::look(TimePoint now) {
  peak_memory_ = std::max(peak_memory_, engine::peak_memory(process_.pid));
  std::optional<Progress> progress = progress_.newest();
  if (progress) {
    last_word_ = now;
    silence_told_ = 0;
  }
  return progress;
}

std::optional<double> RunningChild::newly_silent(TimePoint now, double limit) {
  const double silence = std::chrono::duration<double>(now - last_word_).count();
  if (silence < std::max(limit, 2 * silence_told_)) return std::nullopt;
  silence_told_ = silence;
  return silence;
}

void RunningChild::keep_to_walltime(TimePoint now, double grace) {
  if (policy_.walltime <= 0) return;
  if (seconds(now) > policy_.walltime + grace && !killed_for_time_) {
    killed_for_time_ = true;
    signal(SIGKILL);
  } else if (seconds(now) > policy_.walltime && !out_of_time_) {
    out_of_time_ = true;
    signal(SIGTERM);
  }
}

RunningChild::End RunningChild::collect_end() {
  End end{collect(process_), false, newest_checkpoint_time(work_) != checkpoint_before_, 0};
  // Killed by the request itself: it came before the process could hear it, and there was nothing to save.
  end.asked_to_stop = end.process.signal == 0 ? end.process.code == kTaskStopped : end.process.signal == SIGTERM;
  // At the fork a child is as large as its parent; what does not go beyond that says nothing of the child.
  const bool own = end.process.peak_memory > memory_of_parent_;
  end.peak_memory = own || peak_memory_ == 0 ? end.process.peak_memory : peak_memory_;
  return end;
}

TaskFailed RunningChild::failure(const End& end, double memory) const {
  TaskFailed failure = failure_of(end.process, work_);
  if (out_of_time_) {
    failure.cause = "timeout";
    failure.message = fmt::format("its walltime of {} s is over; {}", policy_.walltime,
                                  end.asked_to_stop ? "its state is saved, run again to go on"
                                                    : "it did not stop in time, run again to go on from its last checkpoint");
  } else if (end.asked_to_stop) {
    failure.cause = "preempted";
    failure.message = "somebody asked the task process to stop; its state is saved, run again to go on";
  } else if (failure.cause == "killed" && ended_by_lack_of_memory(out_of_memory_kills_before_, end.peak_memory, memory)) {
    failure.cause = "oom";
    failure.message = fmt::format("the kernel killed the task process for lack of memory, it held {:.1f} GB: give it a machine "
                                  "with more, or start fewer tasks at once by their `memory` in resources", end.peak_memory / 1e9);
  }
  return failure;
}

}  // namespace bgw::engine
