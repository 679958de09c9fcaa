#include "compiler/schema/value.h"

#include <stdexcept>

namespace bgw::schema {

const char* Value::type_name() const {
  static constexpr const char* kNames[] = {"none", "bool", "int", "float", "string", "list", "map"};
  return kNames[data_.index()];
}

template <class T>
const T& Value::get(const char* wanted) const {
  if (const T* found = std::get_if<T>(&data_)) return *found;
  throw std::logic_error(std::string("a ") + wanted + " is needed where a value holds a " + type_name());
}

bool Value::as_bool() const { return get<bool>("bool"); }
std::int64_t Value::as_int() const { return get<std::int64_t>("int"); }
double Value::as_double() const { return is_int() ? static_cast<double>(as_int()) : get<double>("float"); }
const std::string& Value::as_string() const { return get<std::string>("string"); }
const List& Value::as_list() const { return *get<SharedList>("list"); }
const Map& Value::as_map() const { return *get<SharedMap>("map"); }

bool Value::operator==(const Value& other) const {
  if (data_.index() != other.data_.index()) return false;
  if (identity() != nullptr && identity() == other.identity()) return true;
  if (is_list()) return as_list() == other.as_list();
  if (is_map()) return as_map() == other.as_map();
  return data_ == other.data_;
}

const void* Value::identity() const {
  if (const auto* list = std::get_if<SharedList>(&data_)) return list->get();
  if (const auto* map = std::get_if<SharedMap>(&data_)) return map->get();
  return nullptr;
}

const Value* Value::find(std::string_view name) const {
  const SharedMap* map = std::get_if<SharedMap>(&data_);
  if (!map) return nullptr;
  const auto found = (*map)->find(std::string(name));
  return found == (*map)->end() ? nullptr : &found->second;
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
