#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/schema/value.h"

namespace bgw::artifacts {

/// A named block of numbers, row-major. Either doubles or integers are filled, never both.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> doubles;
  std::vector<std::int64_t> integers;
  std::string unit;  // "angstrom", "kT", "" for a pure number
  std::int64_t size() const;  // product of the shape
  bool is_integer() const { return !integers.empty(); }
};

/// One number a person may ask for: `bgw show F[64]` prints these.
struct Result {
  std::string name;                // "per_particle", "ess"
  double value = 0;
  std::optional<double> sigma;     // one standard error
  std::string unit;                // "" for a pure number, "kT" for energies per particle
  std::optional<std::int64_t> n;   // samples behind it
  std::string convention;          // for free energies: what the number means
};

/// What the work cost, for the ledger. Counts are deterministic; seconds are not and stay out of result.h5.
struct Cost {
  std::int64_t energy_calls = 0;    // energy only, one configuration each
  std::int64_t gradient_calls = 0;  // energy and gradient
  std::int64_t hessian_calls = 0;   // Hessian-vector products or per-configuration Hessians; each counts as 2 gradients
  double seconds = 0;               // wall time over all attempts

  /// In evaluations of the energy: an energy or an energy with its gradient is one, a Hessian-vector product two.
  std::int64_t energy_call_equivalents() const { return energy_calls + gradient_calls + 2 * hessian_calls; }
};

/// A number as JSON takes it: none for one that is not finite.
schema::Value number_or_none(double value);

/// What a task hands on.
struct Artifact {
  std::map<std::string, Array> arrays;      // names may hold '/', as in "history/loss"
  std::vector<Result> results;
  schema::Map attributes;                   // small facts: strings, numbers, lists
  Cost cost;

  const Array& array(const std::string& name) const;         // throws std::out_of_range naming it
  const Result* find_result(const std::string& name) const;  // or nullptr
};

}  // namespace bgw::artifacts
