#pragma once

#include <map>
#include <string>

#include "runtime/engine/task_inputs.h"
#include "runtime/inline_tasks/grid_numbers.h"
#include "runtime/inline_tasks/results.h"

namespace bgw::inline_tasks {

/// Results read from the cache, by one thread. Numbers come from manifests; HDF5 is opened for curves, lists, grids and fields only.
class TaskResults : public Results {
 public:
  explicit TaskResults(const engine::TaskInputs& inputs) : inputs_(inputs) {}
  artifacts::Result number(const std::string& role, const std::string& name) const override;
  std::vector<artifacts::Result> numbers(const std::string& role, const std::string& name) const override;
  Field field(const std::string& role, const std::string& name) const override;
  std::string called(const std::string& role, const std::string& name, const schema::Map& arguments) const override;
  StateNumber number_at(const std::string& role, const std::string& name, const schema::Value& state) const override;
  Curve curve(const std::string& role, const std::string& name) const override;
  std::string identity(const std::string& role) const override;

 private:
  const engine::TaskInputs& inputs_;
  mutable std::map<std::string, GridNumbers> grids_;  // by role: a covariance is factored once
};

}  // namespace bgw::inline_tasks
