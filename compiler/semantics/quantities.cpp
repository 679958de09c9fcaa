#include "compiler/semantics/quantities.h"

#include <cmath>
#include <stdexcept>

#include "compiler/units/unit_expression.h"

namespace bgw::semantics {

std::optional<units::Quantity> quantity_from_text(const std::string& text, std::string& problem) {
  try {
    return units::parse_quantity(text);
  } catch (const std::invalid_argument& error) {
    problem = error.what();
    return std::nullopt;
  }
}

std::optional<units::Dimension> power(const units::Dimension& base, double exponent) {
  units::Dimension result;
  for (const auto exponent_of : {&units::Dimension::length, &units::Dimension::energy, &units::Dimension::time,
                                 &units::Dimension::temperature, &units::Dimension::angle, &units::Dimension::information}) {
    const double scaled = base.*exponent_of * exponent;
    if (scaled != std::round(scaled) || std::abs(scaled) > 1000.0) return std::nullopt;
    result.*exponent_of = static_cast<int>(scaled);
  }
  return result;
}

double from_reduced(double value, const units::Dimension& dimension) {
  return value * std::pow(units::kBoltzmann, -dimension.temperature);
}

}  // namespace bgw::semantics
