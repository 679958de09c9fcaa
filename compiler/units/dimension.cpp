#include "compiler/units/dimension.h"

#include <fmt/format.h>

namespace bgw::units {
namespace {

struct Named {
  const char* name;
  Dimension dimension;
  const char* unit;
};

// Order matters where two names share a dimension: the first names a value, `duration` is only accepted as a type.
const Named kNamed[] = {
    {"dimensionless", {}, ""},
    {"length", {.length = 1}, "angstrom"},
    {"area", {.length = 2}, "angstrom^2"},
    {"volume", {.length = 3}, "angstrom^3"},
    {"time", {.time = 1}, "ps"},
    {"duration", {.time = 1}, "s"},
    {"mass", {.length = -2, .energy = 1, .time = 2}, "g/mol"},
    {"energy", {.energy = 1}, "eV"},
    {"temperature", {.temperature = 1}, "K"},
    {"pressure", {.length = -3, .energy = 1}, "GPa"},
    {"density", {.length = -3}, "/angstrom^3"},
    {"velocity", {.length = 1, .time = -1}, "angstrom/ps"},
    {"force", {.length = -1, .energy = 1}, "eV/angstrom"},
    {"spring", {.length = -2, .energy = 1}, "eV/angstrom^2"},
    {"frequency", {.time = -1}, "/ps"},
    {"angle", {.angle = 1}, "deg"},
    {"memory", {.information = 1}, "GB"},
};

const Named* find_named(const Dimension& dimension) {
  for (const Named& named : kNamed) {
    if (named.dimension == dimension) return &named;
  }
  return nullptr;
}

struct Factor {
  const char* name;
  const char* unit;
  int exponent;
};

/// Product text of the factors with positive exponents, then "/" and the negative ones.
template <class Text>
std::string product(const Dimension& d, Text text) {
  const Factor factors[] = {{"energy", "eV", d.energy},           {"length", "angstrom", d.length},
                            {"time", "fs", d.time},               {"temperature", "K", d.temperature},
                            {"angle", "rad", d.angle},            {"information", "B", d.information}};
  std::string out;
  for (const Factor& f : factors) {
    if (f.exponent <= 0) continue;
    if (!out.empty()) out += '*';
    out += text(f);
    if (f.exponent > 1) out += fmt::format("^{}", f.exponent);
  }
  for (const Factor& f : factors) {
    if (f.exponent >= 0) continue;
    out += '/';
    out += text(f);
    if (f.exponent < -1) out += fmt::format("^{}", -f.exponent);
  }
  return out;
}

}  // namespace

Dimension operator*(const Dimension& a, const Dimension& b) {
  return {a.length + b.length,           a.energy + b.energy, a.time + b.time,
          a.temperature + b.temperature, a.angle + b.angle,   a.information + b.information};
}

Dimension power(const Dimension& a, int e) {
  return {a.length * e, a.energy * e, a.time * e, a.temperature * e, a.angle * e, a.information * e};
}

Dimension operator/(const Dimension& a, const Dimension& b) { return a * power(b, -1); }

std::optional<Dimension> find_dimension(std::string_view name) {
  for (const Named& named : kNamed) {
    if (name == named.name) return named.dimension;
  }
  return std::nullopt;
}

std::vector<std::string> dimension_names() {
  std::vector<std::string> names;
  for (const Named& named : kNamed) names.emplace_back(named.name);
  return names;
}

std::string dimension_name(const Dimension& dimension) {
  if (const Named* named = find_named(dimension)) return named->name;
  std::string text = product(dimension, [](const Factor& f) { return f.name; });
  return text.front() == '/' ? "1" + text : text;
}

std::string dimension_phrase(const Dimension& dimension) {
  if (dimension.is_dimensionless()) return "a pure number";
  const std::string name = dimension_name(dimension);
  return (std::string_view("aeiou").find(name.front()) != std::string_view::npos ? "an " : "a ") + name;
}

std::string usual_unit(const Dimension& dimension) {
  if (const Named* named = find_named(dimension)) return named->unit;
  return base_unit(dimension);
}

std::string usual_unit_of(std::string_view name) {
  for (const Named& named : kNamed) {
    if (name == named.name) return named.unit;
  }
  return "";
}

std::string base_unit(const Dimension& dimension) {
  return product(dimension, [](const Factor& f) { return f.unit; });
}

}  // namespace bgw::units
