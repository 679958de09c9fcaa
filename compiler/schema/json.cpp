// The doorway to the JSON library: everyone else speaks schema::Value.
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "compiler/schema/value.h"

namespace bgw::schema {
namespace {

using Json = nlohmann::json;  // objects are sorted maps

Json to_library(const Value& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_int()) return value.as_int();
  if (value.is_double()) {
    if (!std::isfinite(value.as_double())) throw std::runtime_error("JSON has no text for a number that is not finite");
    return value.as_double();
  }
  if (value.is_string()) return value.as_string();
  if (value.is_list()) {
    Json list = Json::array();
    for (const Value& item : value.as_list()) list.push_back(to_library(item));
    return list;
  }
  if (value.is_map()) {
    Json object = Json::object();
    for (const auto& [name, item] : value.as_map()) object[name] = to_library(item);
    return object;
  }
  return nullptr;
}

Value from_library(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean: return json.get<bool>();
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: return json.get<std::int64_t>();
    case Json::value_t::number_float: return json.get<double>();
    case Json::value_t::string: return json.get<std::string>();
    case Json::value_t::array: {
      List list;
      list.reserve(json.size());
      for (const Json& item : json) list.push_back(from_library(item));
      return list;
    }
    case Json::value_t::object: {
      Map map;
      for (const auto& [name, item] : json.items()) map.emplace(name, from_library(item));
      return map;
    }
    default: return {};
  }
}

}  // namespace

std::string to_json(const Value& value) { return to_library(value).dump(); }
std::string to_pretty_json(const Value& value) { return to_library(value).dump(2); }

Value parse_json(std::string_view text) {
  try {
    return from_library(Json::parse(text));
  } catch (const Json::exception& error) {
    throw std::runtime_error(std::string("not JSON: ") + error.what());
  }
}

}  // namespace bgw::schema
