#include "compiler/units/unit_table.h"

namespace bgw::units {
namespace {

constexpr double kJoule = 1.0 / kElementaryCharge;  // eV
constexpr double kSecond = 1e15;                    // fs
constexpr double kMetre = 1e10;                     // angstrom
constexpr double kPascal = kJoule / (kMetre * kMetre * kMetre);
constexpr double kKilogram = kJoule * kSecond * kSecond / (kMetre * kMetre);

constexpr Dimension kLength{.length = 1};
constexpr Dimension kEnergy{.energy = 1};
constexpr Dimension kTime{.time = 1};
constexpr Dimension kTemperature{.temperature = 1};
constexpr Dimension kPressure{.length = -3, .energy = 1};
constexpr Dimension kMass{.length = -2, .energy = 1, .time = 2};
constexpr Dimension kAngle{.angle = 1};
constexpr Dimension kInformation{.information = 1};

struct Unit {
  const char* name;
  double value;
  Dimension dimension;
  bool reduced = false;
};

const Unit kUnits[] = {
    {"K", 1, kTemperature},
    {"mK", 1e-3, kTemperature},
    {"eV", 1, kEnergy},
    {"meV", 1e-3, kEnergy},
    {"Ha", kHartree, kEnergy},
    {"Ry", kHartree / 2, kEnergy},
    {"kcal", 4184 * kJoule, kEnergy},
    {"kJ", 1000 * kJoule, kEnergy},
    {"cal", 4.184 * kJoule, kEnergy},
    {"J", kJoule, kEnergy},
    {"mol", kAvogadro, {}},
    {"angstrom", 1, kLength},
    {"nm", 10, kLength},
    {"pm", 0.01, kLength},
    {"cm", 1e8, kLength},
    {"bohr", kBohrRadius, kLength},
    {"Pa", kPascal, kPressure},
    {"kPa", 1e3 * kPascal, kPressure},
    {"MPa", 1e6 * kPascal, kPressure},
    {"GPa", 1e9 * kPascal, kPressure},
    {"bar", 1e5 * kPascal, kPressure},
    {"kbar", 1e8 * kPascal, kPressure},
    {"atm", 101325 * kPascal, kPressure},
    {"fs", 1, kTime},
    {"ps", 1e3, kTime},
    {"ns", 1e6, kTime},
    {"us", 1e9, kTime},
    {"ms", 1e12, kTime},
    {"s", kSecond, kTime},
    {"min", 60 * kSecond, kTime},
    {"h", 3600 * kSecond, kTime},
    {"day", 86400 * kSecond, kTime},
    {"week", 604800 * kSecond, kTime},
    {"g", 1e-3 * kKilogram, kMass},
    {"kg", kKilogram, kMass},
    {"u", kAtomicMass * kKilogram, kMass},
    {"B", 1, kInformation},
    {"KB", 1e3, kInformation},
    {"MB", 1e6, kInformation},
    {"GB", 1e9, kInformation},
    {"TB", 1e12, kInformation},
    {"KiB", 1024.0, kInformation},
    {"MiB", 1048576.0, kInformation},
    {"GiB", 1073741824.0, kInformation},
    {"TiB", 1099511627776.0, kInformation},
    {"rad", 1, kAngle},
    {"deg", 0.017453292519943295, kAngle},
    {"percent", 0.01, {}},
    {"lj", 1, {}, true},
    {"kB", kBoltzmann, {.energy = 1, .temperature = -1}},
    {"NA", kAvogadro, {}},
    {"h_planck", kPlanckJouleSecond * kJoule * kSecond, {.energy = 1, .time = 1}},
};

}  // namespace

std::optional<Quantity> find_unit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (name == unit.name) return Quantity{unit.value, unit.dimension, unit.reduced};
  }
  return std::nullopt;
}

std::vector<std::string> unit_names() {
  std::vector<std::string> names;
  for (const Unit& unit : kUnits) names.emplace_back(unit.name);
  return names;
}

}  // namespace bgw::units
