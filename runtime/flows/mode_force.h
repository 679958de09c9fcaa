#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/flows/linear_remainder.h"
#include "runtime/flows/local_force.h"
#include "runtime/physics/energy_model.h"
#include "runtime/physics/single_modes.h"
#include "runtime/physics/whitened_target.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

struct ForceAndProduct {
  Tensor force;    // [rows, m], F(v)
  Tensor product;  // [rows, m], (dF/dv)^T w
};

/// A force on the modes of a crystal, F(v): what a mode-split flow is made of. That of an energy has a symmetric derivative,
/// which no user relies on.
/// Blocks of a few rows come from several threads at once. A row's numbers depend on that row alone.
class ModeForce {
 public:
  virtual ~ModeForce() = default;

  /// Rows of a block.
  virtual std::int64_t rows_at_once() const = 0;
  /// What a force needs of the modes v [rows, m], in a form of its own that is linear in v: the flow adds and keeps it.
  virtual Tensor field(const Tensor& v) const = 0;
  /// @param field  that of v
  virtual Tensor force(const Tensor& v, const Tensor& field) const = 0;
  virtual ForceAndProduct force_and_product(const Tensor& v, const Tensor& field, const Tensor& w) const = 0;
  /// Calls so far of energies of its own, beside those of the models that it was given.
  virtual physics::CallCount other_calls() const { return {}; }
};

/// beta M^T dU/du at u = M v, with what the mean linear answer of a guide lacks. Holds references to both.
class GradientForce : public ModeForce {
 public:
  GradientForce(const physics::WhitenedTarget& target, const physics::EnergyModel& model,
                std::optional<LinearRemainder> remainder)
      : target_(target), model_(model), remainder_(std::move(remainder)) {}

  std::int64_t rows_at_once() const override { return 8; }  // as many as the energy kernels take
  Tensor field(const Tensor& v) const override { return target_.modes().displacements(v); }
  Tensor force(const Tensor& v, const Tensor& field) const override;
  ForceAndProduct force_and_product(const Tensor& v, const Tensor& field, const Tensor& w) const override;

 private:
  Tensor answer(const Tensor& found, const Tensor& v) const;

  const physics::WhitenedTarget& target_;
  const physics::EnergyModel& model_;
  std::optional<LinearRemainder> remainder_;
};

/// The same in float32: rounded modes in, the answer of float32 kernels out.
class SingleGradientForce : public ModeForce {
 public:
  /// @throws InputError for an energy without float32 kernels
  SingleGradientForce(const physics::WhitenedTarget& target, const physics::EnergyModel& model,
                      std::optional<LinearRemainder> remainder);

  std::int64_t rows_at_once() const override { return physics::SingleModes::kRows; }
  Tensor field(const Tensor& v) const override { return modes_.field(v); }
  Tensor force(const Tensor& v, const Tensor& field) const override;
  ForceAndProduct force_and_product(const Tensor& v, const Tensor& field, const Tensor& w) const override;
  physics::CallCount other_calls() const override { return modes_.calls(); }

 private:
  Tensor answer(Tensor found, const Tensor& v) const;

  double beta_;
  physics::SingleModes modes_;
  std::optional<LinearRemainder> remainder_;
};

/// v + M^T f(M v), where a network with these weights gives f, what the Gaussian base leaves of the gradient. Fields pass one by
/// one: products of matrices have one shape whatever the batch. Holds references to the target and the network's form.
class LearnedModeForce : public ModeForce {
 public:
  static constexpr std::int64_t kRows = 8;

  /// @param weights  those of the network, float64
  LearnedModeForce(const physics::WhitenedTarget& target, const LocalForce& learned, const Tensor& weights)
      : target_(target), learned_(learned), networks_(learned.networks(weights)) {}

  std::int64_t rows_at_once() const override { return kRows; }
  Tensor field(const Tensor& v) const override { return target_.modes().displacements(v); }
  Tensor force(const Tensor& v, const Tensor& field) const override;
  ForceAndProduct force_and_product(const Tensor& v, const Tensor& field, const Tensor& w) const override;
  const std::vector<LocalForce::Network>& networks() const { return networks_; }

 private:
  const physics::WhitenedTarget& target_;
  const LocalForce& learned_;
  std::vector<LocalForce::Network> networks_;
};

}  // namespace bgw::flows
