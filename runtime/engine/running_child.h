#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "compiler/plan/plan.h"
#include "runtime/engine/admission.h"
#include "runtime/engine/claim.h"
#include "runtime/engine/observer.h"
#include "runtime/engine/policy.h"
#include "runtime/engine/process.h"
#include "runtime/engine/progress_file.h"

namespace bgw::engine {

/// The process of a task, and what the dispatcher knows of it from its start to its end.
class RunningChild {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Starts `program exec work/task.json` with what `share` gives it.
  /// @throws NotStarted, or StoreError when its log cannot be written
  RunningChild(const plan::TaskSpec& spec, const std::filesystem::path& program, std::filesystem::path work,
               Admission::Start share, const Claim& claim);

  const Admission::Start& share() const { return share_; }
  std::size_t task() const { return share_.task; }
  const Policy& policy() const { return policy_; }
  int descriptor() const { return process_.descriptor.get(); }
  double seconds(TimePoint now) const { return std::chrono::duration<double>(now - begin_).count(); }
  /// Seconds since the checkpoint it goes on from was written.
  std::optional<double> checkpoint_age() const { return checkpoint_age_; }

  /// Its newest progress since the last look. Looks at its memory, too.
  std::optional<Progress> look(TimePoint now);
  /// What the looks met besides progress, each once.
  std::optional<Resumption> take_resumption() { return progress_.take_resumption(); }
  std::vector<std::string> take_warnings() { return progress_.take_warnings(); }
  /// Seconds without progress, once they are more than `limit`, and again each time they have doubled.
  std::optional<double> newly_silent(TimePoint now, double limit);
  /// Asks it to stop when its walltime is over, and kills it when it has not within `grace` seconds.
  void keep_to_walltime(TimePoint now, double grace);
  void signal(int number) const { signal_group(process_, number); }

  /// How a process ended that has.
  struct End {
    ProcessEnd process;
    bool asked_to_stop = false;  // it followed a request; its state is saved, or it had none yet
    bool moved_on = false;       // there is a newer checkpoint than at the start
    double peak_memory = 0;      // bytes, 0 when not known
  };
  End collect_end();
  /// Why it brought no result.
  /// @param memory  of the machine, bytes
  TaskFailed failure(const End& end, double memory) const;

 private:
  Admission::Start share_;
  Policy policy_;
  std::filesystem::path work_;
  TimePoint begin_;
  TimePoint last_word_;
  double silence_told_ = 0;
  bool out_of_time_ = false;
  bool killed_for_time_ = false;
  std::optional<std::filesystem::file_time_type> checkpoint_before_;
  std::optional<double> checkpoint_age_;
  long out_of_memory_kills_before_;
  double memory_of_parent_;
  double peak_memory_ = 0;
  ProgressReader progress_;
  ChildProcess process_;
};

}  // namespace bgw::engine
