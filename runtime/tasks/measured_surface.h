#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/artifacts/artifact.h"
#include "runtime/phases/surface.h"

namespace bgw::tasks {

/// Which finite crystal numbers belong to.
struct Crystal {
  std::string lattice;  // "diamond_cubic"
  std::string cell;     // "diamond_cubic 2x2x2, 64 atoms"
  std::int64_t atoms = 0;
  double sublattices = 0;  // ln(n_p), which beta F of the whole crystal falls by when all site types of the primitive cell are counted
};

/// A table of states as artifacts have it, [K, 4]: T (K), v (angstrom^3 an atom), c/a, b/a.
std::vector<phases::BoxState> states_in(const artifacts::Array& table);

/// A surface, or isotherms, with what it was fitted to, as an artifact and back: a diagram fits it again, which costs nothing.
class MeasuredSurface {
 public:
  /// @param arguments  `box`, `over`, `temperature_degree`, `volume_degree`, `shape_degree`
  MeasuredSurface(phases::Measurements measured, const schema::Value& arguments, Crystal crystal);
  /// @throws InputError for an artifact of another kind
  explicit MeasuredSurface(const artifacts::Artifact& artifact);

  /// The surface that holds a temperature: the only one, or that of the isotherm.
  /// @throws InputError for a temperature that was not measured, naming those that were
  const phases::Surface& at(double temperature) const;
  const std::vector<phases::Surface>& all() const { return surfaces_; }
  const phases::Measurements& measured() const { return measured_; }
  const Crystal& crystal() const { return crystal_; }
  artifacts::Artifact artifact() const;

 private:
  phases::Measurements measured_;
  schema::Map form_;
  Crystal crystal_;
  std::vector<phases::Surface> surfaces_;  // one, or one for each temperature
};

}  // namespace bgw::tasks
