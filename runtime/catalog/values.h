#pragma once

#include <string>
#include <vector>

#include "compiler/schema/kind_schema.h"

// Types that several kinds share, and how their resolved values are read.
namespace bgw::catalog {

inline const schema::Bounds kPositive{{}, 0.0, {}};
inline const schema::Bounds kAtLeastOne{1.0, {}, {}};

/// A number, or an interval of them that a flow is conditioned on.
schema::Type number_or_interval();
schema::Type quantity_or_interval(const char* dimension);
/// One value or several.
schema::Type one_or_list(const schema::Type& item);
/// A value that holds, a list taken in order, or an interval that is drawn from.
schema::Type schedule(const schema::Type& item);

schema::Attribute later(schema::Attribute attribute);

/// Takes members out that are none: what a program leaves out is then not in the arguments, and keys stay as they were before
/// the members existed.
void leave_out(schema::Map& map, const std::vector<std::string>& names);

/// The value of that name, or nullptr when it is absent or none.
const schema::Value* given(const schema::Map& map, const std::string& name);
const schema::Value* given(const schema::Value& map, const std::string& name);

/// From the smallest to the largest value.
struct Range {
  double low = 0.0;
  double high = 0.0;
  double middle() const { return 0.5 * (low + high); }
  /// Up to the rounding of two ways of writing one number.
  bool holds(double value) const;
};
bool is_interval(const schema::Value& value);
/// Of a number, an interval, or a list of numbers.
Range range_of(const schema::Value& value);

/// A number as the author would write it; "" is a number without a unit.
std::string shown(const schema::CheckContext& context, double value, const std::string& dimension);
std::string shown(const schema::CheckContext& context, const Range& range, const std::string& dimension);

}  // namespace bgw::catalog
