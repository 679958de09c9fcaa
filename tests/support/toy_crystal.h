#pragma once
// A crystal whose free energy is known, and measurements of it.

#include <cmath>
#include <vector>

#include "compiler/plan/plan.h"
#include "compiler/units/unit_table.h"
#include "runtime/phases/surface.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::test {

/// A crystal with f = e + k/2 (ln v/v0)^2 + g/2 (ln c/a - r - t ln v/v0)^2 - 3/2 k T ln T - s T - h T ln(v / v0), with r of
/// the shape: a parabola in its variables, so that surfaces follow it exactly.
struct Toy {
  double energy = -4.3, volume = 20.0, stiffness = 12.0, entropy = 2e-4, expansion = 3e-4;
  double shape_stiffness = 6.0, ratio = 0.6, turn = 0.3;

  double x(double v) const { return std::log(v / volume); }
  double skew(double v, double c_over_a) const { return std::log(c_over_a / ratio) - turn * x(v); }
  double free_energy(double t, double v, double c_over_a) const {
    return energy + 0.5 * stiffness * x(v) * x(v) + 0.5 * shape_stiffness * std::pow(skew(v, c_over_a), 2) -
           1.5 * units::kBoltzmann * t * std::log(t) - entropy * t - expansion * t * x(v);
  }
  double internal_energy(double t, double v, double c_over_a) const {
    return free_energy(t, v, c_over_a) + t * (1.5 * units::kBoltzmann * (std::log(t) + 1) + entropy + expansion * x(v));
  }
  double by_volume(double t, double v, double c_over_a) const {
    return stiffness * x(v) - shape_stiffness * turn * skew(v, c_over_a) - expansion * t;
  }
  double by_ratio(double v, double c_over_a) const { return shape_stiffness * skew(v, c_over_a); }

  /// f, u, pxx, pyy, pzz: -v (2 pzz - pxx - pyy) / 3 = df / d ln c/a.
  std::vector<double> numbers(double t, double v, double c_over_a) const {
    const double p = -by_volume(t, v, c_over_a) / v, d = -by_ratio(v, c_over_a) / v;
    return {free_energy(t, v, c_over_a), internal_energy(t, v, c_over_a), p - 0.5 * d, p - 0.5 * d, p + d};
  }
  /// With the best shape at each volume: an isotropic crystal of the same volumes.
  double best_ratio(double v) const { return ratio * std::pow(v / volume, turn); }
};

/// Errors of a state, f and u bound together.
inline Tensor covariance_of_state() {
  Tensor sigma = at::tensor({1e-5, 4e-5, 2e-5, 2e-5, 2e-5}, at::TensorOptions().dtype(at::kDouble));
  Tensor correlation = at::eye(5, at::kDouble);
  correlation[0][1] = correlation[1][0] = 0.6;
  return correlation * sigma.unsqueeze(0) * sigma.unsqueeze(1);
}

inline plan::Key key(int number) {
  plan::Key result;
  result.bytes[0] = static_cast<std::uint8_t>(number);
  result.bytes[1] = static_cast<std::uint8_t>(number >> 8);
  return result;
}

/// @param noise  how many standard errors of noise: 0 or 1
inline phases::Measurements measure(const Toy& toy, const std::vector<double>& temperatures, const std::vector<double>& volumes,
                     const std::vector<double>& skews, int seed = 0, double noise = 0) {
  phases::Measurements result;
  std::vector<phases::JointNormal> parts;
  const Tensor lower = at::linalg_cholesky(covariance_of_state());
  const tensor::RandomStream stream(key(seed), "noise");
  for (const double t : temperatures) {
    for (const double v : volumes) {
      for (const double skew : skews) {
        const double c_over_a = toy.best_ratio(v) * std::exp(skew);
        std::vector<double> numbers = toy.numbers(t, v, c_over_a);
        const auto index = static_cast<std::int64_t>(result.states.size());
        const Tensor error = at::matmul(lower, stream.normal(0, index, 1, 5).view({5}));
        for (std::size_t i = 0; i < 5; ++i) numbers[i] += noise * error[static_cast<std::int64_t>(i)].item<double>();
        parts.push_back({numbers, covariance_of_state()});
        result.states.push_back({t, v, c_over_a, 1.0});
      }
    }
  }
  result.numbers = phases::independent(parts);
  return result;
}

/// Of smaller volume.
inline Toy dense() {
  Toy toy;
  toy.energy = -4.1;
  toy.volume = 16.0;
  toy.entropy = 3.1e-4;
  return toy;
}

}  // namespace bgw::test
