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
bool is_length(const std::string& name, const Value&) { return name == "steps" || name == "count" || name == "produce"; }

/// True when a member of that sort stands anywhere in the value.
template <class IsWanted>
bool holds(const Value& value, IsWanted is_wanted, const schema::JsonTexts& plain) {
  if (value.identity() == nullptr || plain.count(value.identity())) return false;
  if (value.is_list()) {
    return std::any_of(value.as_list().begin(), value.as_list().end(), [&](const Value& item) { return holds(item, is_wanted, plain); });
  }
  const Map& map = value.as_map();
  return std::any_of(map.begin(), map.end(), [&](const auto& member) { return is_wanted(member.first, member.second) || holds(member.second, is_wanted, plain); });
}

}  // namespace

Value RoleWriter::rewrite(const Value& value, const std::string& path) {
  if (!holds(value, names_task, plain_)) return value;
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

Value without_lengths(const Value& value, const schema::JsonTexts& plain) {
  if (!holds(value, is_length, plain)) return value;
  if (value.is_list()) {
    List list;
    for (const Value& item : value.as_list()) list.push_back(without_lengths(item, plain));
    return list;
  }
  Map map;
  for (const auto& [name, member] : value.as_map()) {
    if (!is_length(name, member)) map.emplace(name, without_lengths(member, plain));
  }
  return map;
}

}  // namespace bgw::lowering
