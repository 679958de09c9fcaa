#pragma once

#include "runtime/engine/task_inputs.h"
#include "runtime/inline_tasks/results.h"

namespace bgw::inline_tasks {

/// Results read from the cache. Numbers come from manifests; HDF5 is opened for curves, lists, grids and fields only.
class TaskResults : public Results {
 public:
  explicit TaskResults(const engine::TaskInputs& inputs) : inputs_(inputs) {}
  artifacts::Result number(const std::string& role, const std::string& name) const override;
  std::vector<artifacts::Result> numbers(const std::string& role, const std::string& name) const override;
  Field field(const std::string& role, const std::string& name) const override;
  std::string called(const std::string& role, const std::string& name, const schema::Map& arguments) const override;
  artifacts::Result number_at(const std::string& role, const std::string& name, const schema::Value& state) const override;
  Curve curve(const std::string& role, const std::string& name) const override;
  std::string identity(const std::string& role) const override;

 private:
  const engine::TaskInputs& inputs_;
};

}  // namespace bgw::inline_tasks
