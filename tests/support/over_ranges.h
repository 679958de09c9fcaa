#pragma once
// What tests of tasks over ranges of states are written with.

#include <string>

#include "compiler/schema/value.h"
#include "tests/support/electronvolt.h"

namespace bgw::test {

inline schema::Value between(double low, double high) { return schema::Map{{"interval", schema::List{low, high}}}; }

inline schema::Value with(const schema::Value& map, const std::string& name, schema::Value value) {
  schema::Map changed = map.as_map();
  changed[name] = std::move(value);
  return changed;
}

}  // namespace bgw::test
