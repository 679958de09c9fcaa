#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bgw::units {

/// Exponents of the base dimensions. Mass is derived (energy time^2 / length^2), `mol` is a count.
struct Dimension {
  int length = 0;
  int energy = 0;
  int time = 0;
  int temperature = 0;
  int angle = 0;
  int information = 0;

  bool operator==(const Dimension&) const = default;
  bool is_dimensionless() const { return *this == Dimension{}; }
};

Dimension operator*(const Dimension& a, const Dimension& b);
Dimension operator/(const Dimension& a, const Dimension& b);
Dimension power(const Dimension& a, int exponent);

/// Named dimensions of the language: length, area, volume, time, mass, energy, temperature, pressure, density, velocity, force,
/// angle, spring, dimensionless, memory, duration.
std::optional<Dimension> find_dimension(std::string_view name);
std::vector<std::string> dimension_names();

/// "temperature", or a product such as "energy/length^4" for a dimension without a name.
std::string dimension_name(const Dimension& dimension);
/// The same with its article, "a temperature", "an energy", "a pure number".
std::string dimension_phrase(const Dimension& dimension);
/// What people write for it after a number: "K", "angstrom", "/angstrom^3"; "" for a pure number.
std::string usual_unit(const Dimension& dimension);
/// The same for a dimension's name, which may tell more: "s" for a duration, "ps" for a time. "" for an unknown name.
std::string usual_unit_of(std::string_view name);
/// What a value is counted in: "eV/angstrom^3" for a pressure, "" for a pure number.
std::string base_unit(const Dimension& dimension);

}  // namespace bgw::units
