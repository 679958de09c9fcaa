#pragma once
// A world for tasks without files: results and checkpoints stay in memory, and a stop can be asked for after any step.

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>

#include "runtime/engine/task.h"

namespace bgw::test {

/// Finished tasks by key.
struct MemoryStore {
  struct Object {
    plan::TaskSpec spec;
    std::shared_ptr<const artifacts::Artifact> artifact;
  };
  std::map<plan::Key, Object> objects;
};

class MemoryContext : public engine::TaskContext {
 public:
  MemoryContext(MemoryStore& store, const plan::TaskSpec& spec) : store_(store), spec_(spec) {}

  const plan::TaskSpec& spec() const override { return spec_; }
  std::shared_ptr<const artifacts::Artifact> input(const std::string& role) override { return object(key_of(role)); }
  plan::TaskSpec input_spec(const std::string& role) override { return object_spec(key_of(role)); }
  std::shared_ptr<const artifacts::Artifact> object(const plan::Key& key) override { return store_.objects.at(key).artifact; }
  plan::TaskSpec object_spec(const plan::Key& key) override { return store_.objects.at(key).spec; }

  std::optional<artifacts::Artifact> load_checkpoint() override { return checkpoint_; }
  void save_checkpoint(const artifacts::Artifact& state) override {
    checkpoint_ = state;
    ++saved;
  }
  bool checkpoint_due() const override { return false; }
  void keep_state(artifacts::Artifact state) override { kept = std::move(state); }
  // The request that comes after a number of steps comes when the step is over, so to say a moment too late for it.
  bool stop_requested() const override { return stop || (reports == ask_after && ++looks > 1); }
  void report(const engine::Progress&) override { ++reports; }
  int cpus() const override { return 1; }

  std::optional<artifacts::Artifact> kept;  // for a longer task
  bool stop = false;  // at the end of the next step
  int ask_after = -1;  // steps; asks then to stop, when they are all done
  mutable int looks = 0;
  int saved = 0;
  int reports = 0;

 private:
  const plan::Key& key_of(const std::string& role) const {
    for (const plan::TaskInput& input : spec_.inputs) {
      if (input.role == role) return input.key;
    }
    throw std::logic_error("no input '" + role + "'");
  }

  MemoryStore& store_;
  plan::TaskSpec spec_;
  std::optional<artifacts::Artifact> checkpoint_;
};

}  // namespace bgw::test
