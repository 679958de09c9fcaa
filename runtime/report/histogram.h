#pragma once

#include <string>
#include <vector>

#include "compiler/schema/value.h"

namespace bgw::report {

/// A series of a figure, drawn as a line around its bars: the density of `values` in equal bins between `low` and
/// `high`, which have to enclose them. The number of bins grows with the root of the number of values, between 10
/// and 60.
schema::Value histogram_series(const std::string& label, const std::vector<double>& values, double low, double high);

/// Smallest and largest finite value of several sets; {0, 1} when there is none, and never empty.
struct Range {
  double low = 0, high = 1;
};
Range common_range(const std::vector<const std::vector<double>*>& sets);

}  // namespace bgw::report
