#include "compiler/lowering/role_writer.h"

#include <string>
#include <utility>

namespace bgw::lowering {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

bool names_task(const std::string& name, const Value& member) { return name == "task" && member.is_int(); }
/// The indices of a row of a table, by names of the author's, of which one may be `task`.
bool is_index(const std::string& name) { return name == "index"; }
bool is_length(const std::string& name) { return name == "steps" || name == "count" || name == "produce"; }


}  // namespace

Value RoleWriter::rewrite(const Value& value) {
  std::string path;
  std::optional<Value> changed = rewritten(value, path);
  return changed ? *std::move(changed) : value;
}

std::optional<Value> RoleWriter::rewritten_at(const Value& value, const std::string& name, std::string& path) {
  if (value.identity() == nullptr) return std::nullopt;  // a number or a word
  const std::size_t length = path.size();
  if (length > 0) path += '.';
  path += name;
  std::optional<Value> changed = rewritten(value, path);
  path.resize(length);
  return changed;
}

// In one pass: only what holds a task is copied, on the way back.
std::optional<Value> RoleWriter::rewritten(const Value& value, std::string& path) {
  if (value.identity() == nullptr || plain_.count(value.identity())) return std::nullopt;
  if (value.is_list()) {
    const List& items = value.as_list();
    std::optional<List> changed;
    for (std::size_t i = 0; i < items.size(); ++i) {
      std::optional<Value> item = rewritten_at(items[i], std::to_string(i), path);
      if (!item) continue;
      if (!changed) changed = items;
      (*changed)[i] = *std::move(item);
    }
    return changed ? std::optional<Value>(*std::move(changed)) : std::nullopt;
  }
  const Map& members = value.as_map();
  std::optional<Map> changed;
  const auto change = [&](const std::string& name, Value with) {
    if (!changed) changed = members;
    changed->insert_or_assign(name, std::move(with));
  };
  for (const auto& [name, member] : members) {
    if (names_task(name, member)) {
      change(name, role_of(member.as_int(), path));
    } else if (!is_index(name)) {
      if (std::optional<Value> inner = rewritten_at(member, name, path)) change(name, *std::move(inner));
    }
  }
  return changed ? std::optional<Value>(*std::move(changed)) : std::nullopt;
}

std::string RoleWriter::role_of(std::int64_t task, const std::string& path) {
  if (one_role_a_task_) {
    const auto known = role_of_task_.find(task);
    if (known != role_of_task_.end()) return known->second;
    role_of_task_[task] = path;
  }
  tasks_[path] = task;
  return path;
}

bool append_without_lengths(std::string& text, const Value& value, schema::JsonTexts& plain) {
  const bool known = value.identity() == nullptr || plain.count(value.identity()) != 0;
  if (known || (!value.is_list() && !value.is_map())) {
    schema::append_json(text, value, plain);
    return false;
  }
  bool left_out = false, first = true;
  if (value.is_list()) {
    text += '[';
    for (const Value& item : value.as_list()) {
      if (!std::exchange(first, false)) text += ',';
      left_out = append_without_lengths(text, item, plain) || left_out;
    }
    text += ']';
    return left_out;
  }
  text += '{';
  for (const auto& [name, member] : value.as_map()) {
    if (is_length(name)) {
      left_out = true;
      continue;
    }
    if (!std::exchange(first, false)) text += ',';
    schema::append_json(text, name, plain);
    text += ':';
    left_out = append_without_lengths(text, member, plain) || left_out;
  }
  text += '}';
  return left_out;
}

}  // namespace bgw::lowering
