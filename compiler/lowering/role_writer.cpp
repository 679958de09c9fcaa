#include "compiler/lowering/role_writer.h"

#include <algorithm>
#include <utility>

namespace bgw::lowering {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

std::string join(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

bool names_task(const std::string& name, const Value& member) { return name == "task" && member.is_int(); }
/// The indices of a row of a table, by names of the author's, of which one may be `task`.
bool is_index(const std::string& name) { return name == "index"; }
bool is_length(const std::string& name) { return name == "steps" || name == "count" || name == "produce"; }

bool holds_task(const Value& value, const schema::JsonTexts& plain) {
  if (value.identity() == nullptr || plain.count(value.identity())) return false;
  if (value.is_list()) {
    return std::any_of(value.as_list().begin(), value.as_list().end(), [&](const Value& item) { return holds_task(item, plain); });
  }
  const Map& map = value.as_map();
  return std::any_of(map.begin(), map.end(), [&](const auto& member) { return names_task(member.first, member.second) || (!is_index(member.first) && holds_task(member.second, plain)); });
}

}  // namespace

Value RoleWriter::rewrite(const Value& value, const std::string& path) {
  if (!holds_task(value, plain_)) return value;
  if (value.is_list()) {
    List list;
    for (std::size_t i = 0; i < value.as_list().size(); ++i) list.push_back(rewrite(value.as_list()[i], join(path, std::to_string(i))));
    return list;
  }
  Map map = value.as_map();
  for (auto& [name, member] : map) {
    if (names_task(name, member)) member = role_of(member.as_int(), path);
    else if (member.identity() != nullptr && !is_index(name)) member = rewrite(member, join(path, name));
  }
  return map;
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
