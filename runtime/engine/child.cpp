#include "runtime/engine/child.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <new>

#include "runtime/engine/attempt_file.h"
#include "runtime/engine/checkpoint_rhythm.h"
#include "runtime/engine/checkpoints.h"
#include "runtime/engine/extension.h"
#include "runtime/engine/orphan_watch.h"
#include "runtime/engine/policy.h"
#include "runtime/engine/progress_file.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/store/object_store.h"
#include "runtime/store/task_json.h"
#include "runtime/store/utf8.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

std::atomic<bool> stop_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

extern "C" void on_stop_signal(int) { stop_flag = true; }

void listen_to_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaction(signal, &action, nullptr);
  // A limit on the size of files then shows as an error of write, like a full disk, and not as a death.
  std::signal(SIGXFSZ, SIG_IGN);
}

void log_line(const std::string& text) {
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

int threads_from_environment() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  return text == nullptr ? 1 : std::max(1, std::atoi(text));
}

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// Wall time and the first start, carried from attempt to attempt in work/<key>/effort.json.
class Effort {
 public:
  explicit Effort(fs::path file) : file_(std::move(file)) {
    started_ = store::now_in_microseconds();
    try {
      const schema::Value saved = schema::parse_json(store::read_bytes(file_));
      before_ = saved.at("seconds").as_double();
      started_ = saved.at("started").as_int();
    } catch (const std::exception&) {
      // the first attempt, or one that died while writing: what it spent is not known
    }
  }
  double seconds() const { return before_ + seconds_since(begin_); }
  std::int64_t started() const { return started_; }
  void save() const {
    store::replace_durably(file_, schema::to_json(schema::Map{{"seconds", seconds()}, {"started", started_}}));
  }

 private:
  fs::path file_;
  SteadyClock::time_point begin_ = SteadyClock::now();
  double before_ = 0;
  std::int64_t started_ = 0;
};

// What a checkpoint says of itself beside the state of the task.
constexpr const char* kStep = "checkpoint.step";
constexpr const char* kSaved = "checkpoint.saved";                // UTC, microseconds
constexpr const char* kExtendedFrom = "checkpoint.extended_from";  // where the first attempt went on from finished work
constexpr const char* kSecondsBefore = "checkpoint.seconds_before";

std::int64_t step_of(const artifacts::Artifact& checkpoint) {
  const auto found = checkpoint.attributes.find(kStep);
  return found == checkpoint.attributes.end() ? 0 : found->second.as_int();
}

// States and results that earlier attempts were killed in the middle of writing: each may be as large as a whole one. The
// claim is ours, so nobody writes them now.
void remove_half_written(const fs::path& work) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(work, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".tmp") || name.starts_with("out.")) fs::remove_all(entry.path(), ignored);
  }
}

class ChildContext : public TaskContext {
 public:
  ChildContext(plan::TaskSpec spec, const std::optional<plan::Key>& extends, const store::Layout& layout)
      : spec_(std::move(spec)),
        extends_(extends),
        objects_(layout),
        work_(layout.work(spec_.key)),
        interval_(policy_of(spec_).checkpoint_every),
        checkpoints_(work_, spec_.key, policy_of(spec_).checkpoints_kept),
        progress_(work_ / "progress.jsonl"),
        effort_(work_ / "effort.json") {}

  const plan::TaskSpec& spec() const override { return spec_; }

  std::shared_ptr<const artifacts::Artifact> input(const std::string& role) override { return object(key_of(role)); }
  plan::TaskSpec input_spec(const std::string& role) override { return object_spec(key_of(role)); }

  std::shared_ptr<const artifacts::Artifact> object(const plan::Key& key) override {
    std::shared_ptr<const artifacts::Artifact>& loaded = loaded_[key];
    if (!loaded) loaded = std::make_shared<artifacts::Artifact>(objects_.load(key));
    return loaded;
  }
  plan::TaskSpec object_spec(const plan::Key& key) override { return objects_.task(key); }

  std::optional<artifacts::Artifact> load_checkpoint() override {
    bool warned = false;
    std::optional<artifacts::Artifact> own = checkpoints_.load([&](const std::string& text) {
      warn(text);
      warned = true;
    });
    if (extends_) {
      if (std::optional<artifacts::Artifact> end = end_of_finished_work(own ? step_of(*own) : -1)) return end;
    }
    if (own) go_on_from_checkpoint(*own);
    if (!own && warned) warn("beginning again from the start");
    return own;
  }

  void save_checkpoint(const artifacts::Artifact& state) override {
    const double begin = seconds_since(begin_);
    artifacts::Artifact with_origin = state;
    with_origin.attributes[kStep] = step_;
    with_origin.attributes[kSaved] = store::now_in_microseconds();
    if (extended_from_) {
      with_origin.attributes[kExtendedFrom] = extended_from_->hex();
      with_origin.attributes[kSecondsBefore] = seconds_before_;
    }
    checkpoints_.save(with_origin);
    effort_.save();
    const double end = seconds_since(begin_);
    if (rhythm_.saved(begin, end)) {
      log_line(fmt::format("saving the state took {:.2g} s, and it is saved every {:.3g} s; a longer checkpoint.every costs less", end - begin, interval_));
    }
  }

  bool checkpoint_due() const override { return stop_requested() || rhythm_.is_due(seconds_since(begin_)); }
  void keep_state(artifacts::Artifact state) override { state_ = std::move(state); }
  bool stop_requested() const override { return stop_flag; }
  void report(const Progress& progress) override {
    step_ = progress.step;
    progress_.report(progress);
  }
  int cpus() const override { return threads_from_environment(); }

  void publish(artifacts::Artifact artifact, const TaskProgram& program) {
    progress_.flush();
    artifact.cost.seconds = effort_.seconds() + seconds_before_;
    store::Provenance provenance;
    provenance.host = store::host_name();
    provenance.device = program.device;
    provenance.cpus = cpus();
    provenance.started = effort_.started();
    provenance.ended = store::now_in_microseconds();
    provenance.libraries = program.libraries;
    provenance.extended_from = extended_from_;
    store::ObjectStore::ExtraFiles extra;
    if (state_) extra[kStateFile] = store::encode_hdf5(*state_);
    using Existing = store::ObjectStore::Existing;
    const bool again = spec_.policy.bool_or("replace", false);  // asked for with --force
    objects_.publish(spec_, artifact, provenance, {}, again ? Existing::is_replaced : Existing::stays, extra);
    checkpoints_.remove_all();
  }

  // What was spent is kept for the next attempt; on a full disk it is lost, and that must not hide the cause.
  void end_without_result() {
    progress_.flush();
    try {
      effort_.save();
    } catch (const StoreError&) {
    }
  }

 private:
  const plan::Key& key_of(const std::string& role) const {
    for (const plan::TaskInput& input : spec_.inputs) {
      if (input.role == role) return input.key;
    }
    throw std::logic_error(fmt::format("task {} has no input '{}'", spec_.name, role));
  }

  void warn(const std::string& text) {
    log_line("warning: " + text);
    progress_.warn(text);
  }

  void go_on(const Resumption& resumption, const std::string& from_what) {
    step_ = resumption.step;
    log_line(fmt::format("going on at step {} from {}", resumption.step, from_what));
    progress_.resumed(resumption);
  }

  void go_on_from_checkpoint(const artifacts::Artifact& checkpoint) {
    const schema::Map& about = checkpoint.attributes;
    Resumption resumption{step_of(checkpoint), {}, {}};
    if (const auto saved = about.find(kSaved); saved != about.end()) {
      resumption.age = std::max(0.0, 1e-6 * static_cast<double>(store::now_in_microseconds() - saved->second.as_int()));
    }
    if (const auto from = about.find(kExtendedFrom); from != about.end()) {
      extended_from_ = plan::Key::from_hex(from->second.as_string());
      seconds_before_ = about.at(kSecondsBefore).as_double();
    }
    go_on(resumption, fmt::format("a checkpoint {:.3g} s old", resumption.age.value_or(0)));
  }

  // The end of finished work that the controller found, where that is further than our own step. That it is whole and
  // may be extended is seen to here, since the controller only looked at sizes and time has passed.
  std::optional<artifacts::Artifact> end_of_finished_work(std::int64_t own_step) {
    try {
      const std::optional<Extension> extension = extension_of(objects_.task(*extends_), spec_);
      if (!extension || extension->step <= own_step) return std::nullopt;
      const store::Manifest manifest = objects_.manifest(*extends_);
      artifacts::Artifact state = manifest.files.contains(kStateFile)
                                      ? store::decode_hdf5(objects_.load_file(*extends_, kStateFile))
                                      : objects_.load(*extends_);
      extended_from_ = *extends_;
      seconds_before_ = manifest.cost.seconds;
      go_on({extension->step, {}, extends_}, fmt::format("finished work, {}", extension->text()));
      return state;
    } catch (const StoreError& error) {
      warn(fmt::format("the finished work to go on from is not usable: {}", error.what()));
      return std::nullopt;
    }
  }

  plan::TaskSpec spec_;
  std::optional<plan::Key> extends_;
  store::ObjectStore objects_;
  fs::path work_;
  double interval_;  // seconds between two checkpoints
  SteadyClock::time_point begin_ = SteadyClock::now();
  CheckpointRhythm rhythm_{interval_, 0};
  Checkpoints checkpoints_;
  ProgressWriter progress_;
  Effort effort_;
  std::int64_t step_ = 0;  // of the last report
  std::optional<artifacts::Artifact> state_;  // for longer tasks
  std::optional<plan::Key> extended_from_;
  double seconds_before_ = 0;  // that the finished work took
  std::map<plan::Key, std::shared_ptr<const artifacts::Artifact>> loaded_;
};

int fail(const fs::path& work, const char* cause, const std::string& message) {
  log_line(fmt::format("failed ({}): {}", cause, message));
  try {
    store::replace_durably(work / "failure.json", schema::to_json(schema::Map{{"cause", cause}, {"message", store::valid_utf8(message)}}));
  } catch (const std::exception& error) {
    log_line(fmt::format("and the cause could not be written: {}", error.what()));
    return kTaskNoDisk;
  }
  return kTaskFailed;
}

// What torch throws is no class that this room could name; its words are the same since its first versions.
const char* cause_of(std::string_view words) {
  const auto says = [&](const char* text) { return words.find(text) != std::string_view::npos; };
  if (says("CUDA out of memory") || says("DefaultCPUAllocator: can't allocate memory") || says("not enough memory: you tried to allocate")) return "oom";
  return says("CUDA error") || says("cuDNN error") || says("CUBLAS_STATUS") || says("NCCL error") ? "cuda" : "crash";
}

// Runs `work` and turns whatever it throws into an exit status with a cause.
int end_of(const fs::path& directory, const std::function<void()>& work) {
  try {
    work();
    return kTaskDone;
  } catch (const Stopped&) {
    log_line("stopped on request; the state is saved");
    return kTaskStopped;
  } catch (const InputError& error) {
    return fail(directory, "bad_input", error.what());
  } catch (const NumericalError& error) {
    return fail(directory, "nan", error.what());
  } catch (const StoreError& error) {
    return fail(directory, "disk", error.what());
  } catch (const std::bad_alloc&) {
    return fail(directory, "oom", "out of memory");
  } catch (const std::exception& error) {
    return fail(directory, cause_of(error.what()), error.what());
  }
}

const TaskFunction& function_of(const TaskRegistry& registry, const std::string& kind) {
  const auto found = registry.find(kind);
  if (found == registry.end()) throw std::logic_error(fmt::format("this task program knows no kind '{}'", kind));
  return found->second;
}

}  // namespace

void TaskContext::step_done(const std::function<artifacts::Artifact()>& state) {
  // Read once: a request that comes while the state is being saved is met at the end of the next step.
  const bool stop = stop_requested();
  if (!stop && !checkpoint_due()) return;
  save_checkpoint(state());
  if (stop) throw Stopped();
}

int exec_task(const fs::path& task_json, const TaskRegistry& registry, const TaskProgram& program) {
  listen_to_signals();
  watch_controller(stop_flag);
  const fs::path directory = fs::absolute(task_json).parent_path();
  std::error_code ignored;
  fs::remove(directory / "failure.json", ignored);
  remove_half_written(directory);
  announce_attempt(directory, threads_from_environment());
  return end_of(directory, [&] {
    const std::string text = store::read_bytes(task_json);
    ChildContext context(store::parse_task(text), store::extended_work(text), store::layout_of_task(task_json));
    try {
      artifacts::Artifact artifact = function_of(registry, context.spec().kind)(context);
      context.publish(std::move(artifact), program);
    } catch (...) {
      context.end_without_result();
      throw;
    }
  });
}

}  // namespace bgw::engine
