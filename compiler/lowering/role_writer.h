#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "compiler/schema/value.h"

namespace bgw::lowering {

/// Rewrites {"task": number} to {"task": role}, where the role is the place at which the map stands. Expressions of
/// tables, figures and checks name a task often: there the first place serves for all. What holds no task is kept as it
/// is, shared.
class RoleWriter {
 public:
  /// @param plain  lists and maps known to hold no task: value blocks, which need not be searched for every task
  RoleWriter(bool one_role_a_task, const schema::JsonTexts& plain) : one_role_a_task_(one_role_a_task), plain_(plain) {}

  schema::Value rewrite(const schema::Value& value);
  const std::map<std::string, std::int64_t>& tasks() const { return tasks_; }  // role -> number of the instance

 private:
  // nullopt where the value holds no task
  std::optional<schema::Value> rewritten(const schema::Value& value, std::string& path);
  std::optional<schema::Value> rewritten_at(const schema::Value& value, const std::string& name, std::string& path);
  std::string role_of(std::int64_t task, const std::string& path);

  bool one_role_a_task_;
  const schema::JsonTexts& plain_;
  std::map<std::string, std::int64_t> tasks_;
  std::map<std::int64_t, std::string> role_of_task_;
};

/// Appends the canonical JSON of the value without the members that say how long a task goes on, at any depth.
/// @param plain  texts of lists and maps known to have none
/// @return true when there were any
bool append_without_lengths(std::string& text, const schema::Value& value, schema::JsonTexts& plain);

}  // namespace bgw::lowering
