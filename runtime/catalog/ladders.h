#pragma once

#include <vector>

#include "compiler/schema/kind_schema.h"

// Paths of a reference that run through temperatures: replica_exchange and temperature_ladder.
namespace bgw::catalog {

/// Whether the path of a reference is one of the two.
bool is_temperature_ladder(const schema::Value& path);

/// Temperatures from the lowest of `fixed` to the highest, all of those among them, spaced as evenly in their logarithms as these
/// let them.
/// @param fixed  rising, at least two
/// @param count  at least as many as are fixed
std::vector<double> ladder_through(const std::vector<double>& fixed, std::int64_t count);

/// Checks base, anchors and temperatures, and writes the temperatures out as a list.
void complete_ladder(schema::Map& reference, schema::CheckContext& context);

/// What both constructors take.
std::vector<schema::Attribute> ladder_arguments();

}  // namespace bgw::catalog
