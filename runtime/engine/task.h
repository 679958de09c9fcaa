#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "compiler/plan/plan.h"
#include "runtime/artifacts/artifact.h"

namespace bgw::engine {

/// What a running task shows: a line on the terminal, an entry of progress.jsonl.
struct Progress {
  std::string phase;                 // "stage main", "state 2 of 3", "iteration 4 of 12"
  std::int64_t step = 0;
  std::int64_t steps = 0;            // 0: unknown
  std::map<std::string, double> numbers;  // "loss", "ess", "acceptance"
};

/// Where an attempt at a task went on instead of beginning anew.
struct Resumption {
  std::int64_t step = 0;            // as Progress counts them; 0: not known
  std::optional<double> age;        // of the checkpoint, seconds; none when it went on from finished work
  std::optional<plan::Key> extends; // the finished work of fewer steps or samples
};

/// All a task may know of the world: its arguments, its inputs, its random streams' root, a place for its
/// checkpoints, and whether it was asked to stop. Torch-free.
class TaskContext {
 public:
  virtual ~TaskContext() = default;

  virtual const plan::TaskSpec& spec() const = 0;
  const schema::Value& arguments() const { return spec().arguments; }

  /// The finished artifact behind {"task": role}; throws std::logic_error for an unknown role.
  virtual std::shared_ptr<const artifacts::Artifact> input(const std::string& role) = 0;
  /// The specification of that input (its arguments), read from its object.
  virtual plan::TaskSpec input_spec(const std::string& role) = 0;
  /// Context-free access to inputs of inputs: the artifact of any published object by key.
  virtual std::shared_ptr<const artifacts::Artifact> object(const plan::Key& key) = 0;
  virtual plan::TaskSpec object_spec(const plan::Key& key) = 0;

  /// The furthest state there is to go on from: the newest valid checkpoint of this task, an older one where that is
  /// damaged, or the end of finished work that this task extends (engine/extension.h); nullopt when there is none.
  virtual std::optional<artifacts::Artifact> load_checkpoint() = 0;
  /// Writes a checkpoint beside, fsyncs, renames, and prunes to the policy's `keep`.
  virtual void save_checkpoint(const artifacts::Artifact& state) = 0;
  /// For tasks that a longer one may extend, and whose result does not hold all it takes to go on: the state at the
  /// end, as for a checkpoint. It becomes state.h5 of the object.
  virtual void keep_state(artifacts::Artifact state) = 0;
  /// True when the policy's interval is over, counted from the beginning of the last checkpoint (or the start) and
  /// less the time that writing takes, or when a stop was requested.
  virtual bool checkpoint_due() const = 0;

  virtual bool stop_requested() const = 0;
  virtual void report(const Progress& progress) = 0;
  /// Number of threads this task may use.
  virtual int cpus() const = 0;

  /// The common rhythm of a long loop. Call at the end of every step with a function that makes the state:
  /// saves it when due, and throws Stopped after saving when a stop was requested.
  void step_done(const std::function<artifacts::Artifact()>& state);
};

/// A kind of task: stateless; everything it needs is in the context, everything it makes is in the artifact.
using TaskFunction = std::function<artifacts::Artifact(TaskContext&)>;

/// kind -> what runs it. Filled explicitly, one line per kind.
using TaskRegistry = std::map<std::string, TaskFunction>;

}  // namespace bgw::engine
