#include "compiler/schema/value.h"

#include <stdexcept>

namespace bgw::schema {
namespace {

const char* type_name(const Value& value) {
  static constexpr const char* kNames[] = {"none", "bool", "int", "float", "string", "list", "map"};
  return kNames[value.data().index()];
}

template <class T>
const T& get(const Value& value, const char* wanted) {
  if (const T* found = std::get_if<T>(&value.data())) return *found;
  throw std::logic_error(std::string("a ") + wanted + " is needed where a value holds a " + type_name(value));
}

}  // namespace

bool Value::as_bool() const { return get<bool>(*this, "bool"); }
std::int64_t Value::as_int() const { return get<std::int64_t>(*this, "int"); }
double Value::as_double() const {
  return is_int() ? static_cast<double>(as_int()) : get<double>(*this, "float");
}
const std::string& Value::as_string() const { return get<std::string>(*this, "string"); }
const List& Value::as_list() const { return get<List>(*this, "list"); }
const Map& Value::as_map() const { return get<Map>(*this, "map"); }

const Value* Value::find(std::string_view name) const {
  const Map* map = std::get_if<Map>(&data_);
  if (!map) return nullptr;
  const auto found = map->find(std::string(name));
  return found == map->end() ? nullptr : &found->second;
}

const Value& Value::at(std::string_view name) const {
  if (const Value* found = find(name)) return *found;
  throw std::logic_error("a value has no member '" + std::string(name) + "'");
}

bool Value::has(std::string_view name) const {
  const Value* found = find(name);
  return found && !found->is_none();
}

double Value::number_or(std::string_view name, double otherwise) const {
  return has(name) ? at(name).as_double() : otherwise;
}
std::int64_t Value::int_or(std::string_view name, std::int64_t otherwise) const {
  return has(name) ? at(name).as_int() : otherwise;
}
bool Value::bool_or(std::string_view name, bool otherwise) const {
  return has(name) ? at(name).as_bool() : otherwise;
}
std::string Value::string_or(std::string_view name, std::string_view otherwise) const {
  return has(name) ? at(name).as_string() : std::string(otherwise);
}

}  // namespace bgw::schema
