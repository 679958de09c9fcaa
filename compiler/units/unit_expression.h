#pragma once

#include <string>
#include <string_view>

#include "compiler/units/quantity.h"

namespace bgw::units {

/// Reads what stands behind a number, or the whole: "kcal/mol", "g/mol", "/angstrom^3", "250K", "5 kcal/mol/angstrom^2",
/// "1e-3". A text without a number counts as 1.
/// @throws std::invalid_argument with the part that is not understood and the nearest unit
Quantity parse_quantity(std::string_view text);

/// A value in base units, said in a unit: format_in_unit(0.26838…, "kcal/mol") is "6.189 kcal/mol" (the shortest text that
/// reads back to the same number up to rounding in the last digit).
std::string format_in_unit(double base_value, std::string_view unit);

/// "0.4 kcal/mol is kB × 201.3 K": the temperature an energy stands for.
std::string energy_as_temperature(double energy, std::string_view written);

}  // namespace bgw::units
