#include "compiler/lowering/role_writer.h"

#include <algorithm>
#include <set>

namespace bgw::lowering {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

std::string join(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

bool names_task(const std::string& name, const Value& member) { return name == "task" && member.is_int(); }

bool holds_task(const Value& value) {
  if (value.is_list()) return std::any_of(value.as_list().begin(), value.as_list().end(), holds_task);
  if (!value.is_map()) return false;
  const Map& map = value.as_map();
  return std::any_of(map.begin(), map.end(), [](const auto& member) { return names_task(member.first, member.second) || holds_task(member.second); });
}

bool is_length(const std::string& name) { return name == "steps" || name == "count" || name == "produce"; }

bool holds_length(const Value& value) {
  if (value.is_list()) return std::any_of(value.as_list().begin(), value.as_list().end(), holds_length);
  if (!value.is_map()) return false;
  const Map& map = value.as_map();
  return std::any_of(map.begin(), map.end(), [](const auto& member) { return is_length(member.first) || holds_length(member.second); });
}

}  // namespace

Value RoleWriter::rewrite(const Value& value, const std::string& path) {
  if (!holds_task(value)) return value;
  if (value.is_list()) {
    List list;
    for (std::size_t i = 0; i < value.as_list().size(); ++i) list.push_back(rewrite(value.as_list()[i], join(path, std::to_string(i))));
    return list;
  }
  Map map = value.as_map();
  for (auto& [name, member] : map) {
    if (names_task(name, member)) member = role_of(member.as_int(), path);
    else if (member.identity() != nullptr) member = rewrite(member, join(path, name));
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

Value without_lengths(const Value& value) {
  if (!holds_length(value)) return value;
  if (value.is_list()) {
    List list;
    for (const Value& item : value.as_list()) list.push_back(without_lengths(item));
    return list;
  }
  Map map;
  for (const auto& [name, member] : value.as_map()) {
    if (!is_length(name)) map.emplace(name, without_lengths(member));
  }
  return map;
}

}  // namespace bgw::lowering
