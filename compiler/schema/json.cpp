// The doorway to the JSON library: everyone else speaks schema::Value.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "compiler/schema/value.h"

namespace bgw::schema {
namespace {

using Json = nlohmann::json;  // objects are sorted maps

void append_string(std::string& out, const std::string& text) {
  const auto plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && static_cast<unsigned char>(c) < 0x7f; };
  if (std::all_of(text.begin(), text.end(), plain)) {
    out += '"';
    out += text;
    out += '"';
  } else {
    out += Json(text).dump();
  }
}

void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) throw std::runtime_error("JSON has no text for a number that is not finite");
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  const std::string_view digits(buffer, static_cast<std::size_t>(end - buffer));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

/// Straight into one text: keys of large plans are made of megabytes of it. With `known`, the text of a shared list or map
/// is made once.
void append(std::string& out, const Value& value, JsonTexts* known) {
  if (known != nullptr && value.identity() != nullptr) {
    if (const auto found = known->find(value.identity()); found != known->end()) {
      out += found->second;
      return;
    }
  }
  if (value.is_bool()) {
    out += value.as_bool() ? "true" : "false";
  } else if (value.is_int()) {
    char buffer[24];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value.as_int()).ptr);
  } else if (value.is_double()) {
    append_double(out, value.as_double());
  } else if (value.is_string()) {
    append_string(out, value.as_string());
  } else if (value.is_list()) {
    out += '[';
    bool first = true;
    for (const Value& item : value.as_list()) {
      if (!first) out += ',';
      first = false;
      append(out, item, known);
    }
    out += ']';
  } else if (value.is_map()) {
    out += '{';
    bool first = true;
    for (const auto& [name, item] : value.as_map()) {
      if (!first) out += ',';
      first = false;
      append_string(out, name);
      out += ':';
      append(out, item, known);
    }
    out += '}';
  } else {
    out += "null";
  }
}

Json to_library(const Value& value) { return Json::parse(to_json(value)); }

Value from_library(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean: return json.get<bool>();
    case Json::value_t::number_integer: return json.get<std::int64_t>();
    case Json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) return json.get<double>();
      return json.get<std::int64_t>();
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

std::string to_json(const Value& value) {
  std::string text;
  append(text, value, nullptr);
  return text;
}

void append_json(std::string& text, const Value& value, JsonTexts& known) { append(text, value, &known); }

const std::string& remember_json(const Value& value, JsonTexts& known) {
  const auto [place, fresh] = known.try_emplace(value.identity());
  if (fresh) place->second = to_json(value);
  return place->second;
}

std::string to_pretty_json(const Value& value) { return to_library(value).dump(2); }

Value parse_json(std::string_view text) {
  try {
    return from_library(Json::parse(text));
  } catch (const Json::exception& error) {
    throw std::runtime_error(std::string("not JSON: ") + error.what());
  }
}

}  // namespace bgw::schema
