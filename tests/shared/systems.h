#pragma once
// The systems of the published tables, as tasks receive them. Energies in kcal/mol, lengths in angstrom (or reduced).

#include <cstdint>
#include <string>

#include "compiler/schema/value.h"
#include "runtime/crystal/lattice.h"

namespace bgw::testing {

inline constexpr double kBoltzmannKcal = 0.0019872067;  // kcal/mol/K, the value of the papers
inline constexpr double kWaterDensity = 0.033567184;    // 1/angstrom^3
inline constexpr double kWaterBeta = 1.0 / (kBoltzmannKcal * 200.0);

inline schema::Value lattice_value(const std::string& kind, std::int64_t atoms, double density) {
  const auto repeats = crystal::repeats_for(*crystal::find_lattice(kind), atoms).value();
  return schema::Map{{"kind", kind},
                     {"atoms", atoms},
                     {"density", density},
                     {"repeats", schema::List{repeats[0], repeats[1], repeats[2]}}};
}

inline schema::Value stillinger_weber_value(double epsilon, double sigma, double lambda) {
  return schema::Map{{"style", "stillinger_weber"}, {"epsilon", epsilon}, {"sigma", sigma}, {"lambda", lambda}};
}

inline schema::Value water(const std::string& kind, std::int64_t atoms) {
  return schema::Map{{"potential", stillinger_weber_value(6.189, 2.3925, 23.15)},
                     {"lattice", lattice_value(kind, atoms, kWaterDensity)},
                     {"minimum_image", atoms < 64 ? "compatible" : "strict"}};
}

/// @param edge cubic lattice constant, angstrom
inline schema::Value silicon(std::int64_t atoms, double edge) {
  return schema::Map{{"potential", stillinger_weber_value(50.003, 2.0951, 21.0)},
                     {"lattice", lattice_value("diamond_cubic", atoms, 8.0 / (edge * edge * edge))},
                     {"minimum_image", "strict"}};
}

inline schema::Value lennard_jones(std::int64_t atoms) {
  return schema::Map{
      {"potential",
       schema::Map{{"style", "lennard_jones"}, {"epsilon", 1.0}, {"sigma", 1.0}, {"cutoff", 2.7}, {"shift", true}}},
      {"lattice", lattice_value("fcc", atoms, 1.28)},
      {"minimum_image", atoms < 256 ? "compatible" : "strict"}};
}

}  // namespace bgw::testing
