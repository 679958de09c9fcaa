#pragma once

#include <string>
#include <vector>

#include "compiler/schema/value.h"

namespace bgw::tasks {

/// Numbers of a system and an ensemble that an interval leaves open, in the order of `Conditions::axes`.
using StateValues = std::vector<double>;

/// What a task over ranges is conditioned on: the open numbers of its system and ensemble, and what their values make of both.
class Conditions {
 public:
  struct Axis {
    std::string name;    // "temperature", "density", …
    std::string holder;  // "ensemble", or the part of the system: "lattice", "potential"
    double low = 0, high = 0;
    bool logarithmic = false;  // its coordinate is even in the logarithm: density and ratios of edges
  };

  Conditions(schema::Value system, schema::Value ensemble);

  /// temperature, density, c_over_a, b_over_a, delta, lambda, of these the open ones.
  const std::vector<Axis>& axes() const { return axes_; }
  bool empty() const { return axes_.empty(); }

  /// Coordinates of a state, from -1 to 1 over each range, and back.
  std::vector<double> coordinates(const StateValues& values) const;
  StateValues values(const std::vector<double>& coordinates) const;

  /// System and ensemble with numbers in the place of the intervals.
  schema::Value system(const StateValues& values) const;
  schema::Value ensemble(const StateValues& values) const;
  /// Another crystal, with these numbers in the place of its own.
  schema::Value moved(schema::Value system, const StateValues& values) const;
  /// The values in a system and ensemble at one state.
  StateValues values_in(const schema::Value& system, const schema::Value& ensemble) const;

  /// @throws InputError for a state outside of the ranges, naming the number, the range and whose it is
  void expect_inside(const StateValues& values, const std::string& whose) const;
  /// "temperature = 600 K, density = 0.055 /angstrom^3"
  std::string in_words(const StateValues& values) const;

 private:
  schema::Value system_, ensemble_;
  std::vector<Axis> axes_;
};

}  // namespace bgw::tasks
