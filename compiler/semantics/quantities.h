#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/units/quantity.h"
#include "compiler/units/unit_table.h"

// What the evaluator asks of compiler/units, in its own words.
namespace bgw::semantics {

using units::unit_names;
inline std::optional<units::Quantity> unit_named(const std::string& name) { return units::find_unit(name); }
inline std::optional<units::Dimension> dimension_named(const std::string& name) { return units::find_dimension(name); }
/// "250K", "0.03 /angstrom^3" as given outside a program; the error names what is wrong.
std::optional<units::Quantity> quantity_from_text(const std::string& text, std::string& problem);

inline units::Quantity plain(double value) { return {value, {}, false}; }
inline bool is_plain(const units::Quantity& quantity) { return quantity.dimension.is_dimensionless() && !quantity.reduced; }
inline units::Dimension product(const units::Dimension& a, const units::Dimension& b) { return a * b; }
inline units::Dimension quotient(const units::Dimension& a, const units::Dimension& b) { return a / b; }
/// nullopt when an exponent of the result is no integer.
std::optional<units::Dimension> power(const units::Dimension& base, double exponent);
/// A reduced number as a quantity of the dimension: epsilon is 1 eV, sigma 1 angstrom, the mass 1, so only
/// temperatures change, by 1/kB.
double from_reduced(double value, const units::Dimension& dimension);

}  // namespace bgw::semantics
