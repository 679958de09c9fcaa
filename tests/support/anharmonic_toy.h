#pragma once
// Small anharmonic crystals with analytic derivatives, for tests of flows and samplers that need no real potential.

#include <tuple>

#include "runtime/physics/energy_model.h"

namespace bgw::tests {

/// A closed chain of N atoms in space; neighbours differ by d = u_{i+1} - u_i and cost
/// k |d|^2 / 2 + c (dx dy dz + dx^3 / 6 + dy^3 / 6 + dz^3 / 6) + q (|d|^2)^2 / 4. Invariant under uniform shifts.
/// A pinning term p |u_i|^2 / 2 can be added, which takes that invariance away.
class SpringRing : public physics::EnergyModel {
 public:
  struct Constants {
    double k = 1.0, c = 0.0, q = 0.0, p = 0.0;
  };
  SpringRing(std::int64_t particles, Constants constants) : particles_(particles), constants_(constants) {}

  std::int64_t particles() const override { return particles_; }

  Tensor energy(const Tensor& u) const override {
    calls_.energy += u.size(0);
    return energy_of(u);
  }

  physics::EnergyAndGradient energy_and_gradient(const Tensor& u) const override {
    calls_.gradient += u.size(0);
    return {energy_of(u), gradient_of(u)};
  }

  physics::GradientAndProduct gradient_and_product(const Tensor& u, const Tensor& v) const override {
    calls_.hessian += u.size(0);
    return {gradient_of(u), product_of(u, v)};
  }

  Tensor hessian_sum(const Tensor& u) const override {
    const std::int64_t n = 3 * particles_;
    const Tensor unit = at::eye(n, at::kDouble).view({n, particles_, 3});
    Tensor sum = at::zeros({n, n}, at::kDouble);
    for (std::int64_t b = 0; b < u.size(0); ++b) {
      sum += product_of(u.slice(0, b, b + 1).expand({n, particles_, 3}), unit).reshape({n, n});
    }
    return sum;
  }

  physics::CallCount calls() const override { return calls_; }

 private:
  Tensor energy_of(const Tensor& u) const {
    const Tensor d = at::roll(u, -1, 1) - u;
    const Tensor square = d.square().sum(2);
    const Tensor cubic = d.prod(2) + d.pow(3).sum(2) / 6.0;
    const Tensor bond = 0.5 * constants_.k * square + constants_.c * cubic + 0.25 * constants_.q * square.square();
    return bond.sum(1) + 0.5 * constants_.p * u.square().sum(2).sum(1);
  }

  Tensor gradient_of(const Tensor& u) const {
    const Tensor d = at::roll(u, -1, 1) - u;
    const Tensor others = at::roll(d, -1, 2) * at::roll(d, -2, 2);
    const Tensor bond =
        constants_.k * d + constants_.c * (others + 0.5 * d.square()) + constants_.q * d.square().sum(2, true) * d;
    return at::roll(bond, 1, 1) - bond + constants_.p * u;
  }

  Tensor product_of(const Tensor& u, const Tensor& v) const {
    const Tensor d = at::roll(u, -1, 1) - u;
    const Tensor e = at::roll(v, -1, 1) - v;
    const Tensor others = at::roll(e, -1, 2) * at::roll(d, -2, 2) + at::roll(d, -1, 2) * at::roll(e, -2, 2);
    const Tensor bond = constants_.k * e + constants_.c * (others + d * e) +
                        constants_.q * (d.square().sum(2, true) * e + 2.0 * (d * e).sum(2, true) * d);
    return at::roll(bond, 1, 1) - bond + constants_.p * v;
  }

  std::int64_t particles_;
  Constants constants_;
  mutable physics::CallCount calls_;
};

/// Modes M [3N, m] and stiffness kappa [m] of the harmonic part at temperature 1 / beta; flat directions are dropped.
inline std::tuple<Tensor, Tensor> harmonic_modes(const physics::EnergyModel& model, double beta) {
  const Tensor origin = at::zeros({1, model.particles(), 3}, at::kDouble);
  auto [values, vectors] = at::linalg_eigh(beta * model.hessian_sum(origin));
  const Tensor stiff = (values > 1e-8).nonzero().view({-1});
  const Tensor kappa = values.index_select(0, stiff);
  return {vectors.index_select(1, stiff) * kappa.rsqrt(), kappa};
}

}  // namespace bgw::tests
