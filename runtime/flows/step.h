#pragma once

#include <memory>
#include <vector>

#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// One bijection y = f(x) of a flow, from states [B, rows, 3] to states, float64 on the CPU. A step owns no parameters: it
/// knows where its own lie in the flat vector [P] of the flow. Derivatives are written out, not recorded: a flow of any
/// depth keeps the states between its steps and nothing else.
///
/// Some steps act between subspaces (states without a mean). Their derivatives are those along the subspace: covectors
/// that differ by a normal of the subspace mean the same.
class Step {
 public:
  virtual ~Step() = default;

  /// @param log_det  [B], ln |det df/dx| is added
  virtual Tensor forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const = 0;
  /// @param log_det  [B], ln |det dx/dy| is added
  virtual Tensor inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const = 0;

  /// What a loss L(y, ln det) makes of x: J^T y_bar + ln_det_bar d ln det / dx.
  /// @param y_bar        dL/dy, like y
  /// @param log_det_bar  dL/d ln det, one number for all samples
  /// @param gradient     [P], dL/dparameters summed over the batch is added in place; null: not asked for
  virtual Tensor pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                           Tensor* gradient) const = 0;

  /// The score of a density carried along: from d ln q(x)/dx to d ln q(y)/dy, where ln q(y) = ln q(x) - ln det. This is
  /// J^-T (score - d ln det/dx).
  /// @param gradient  [P], d ln q(y)/dparameters at fixed y, as far as this step is concerned, summed over the batch, is
  ///                  added in place; null: not asked for
  /// @source Vaitl, Winkler, Richter, Kessel, "Fast and unified path gradient estimators for normalizing flows", ICLR 2024
  virtual Tensor carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score,
                             Tensor* gradient) const = 0;
};

/// Steps one after the other.
class StepChain {
 public:
  void add(std::unique_ptr<Step> step) { steps_.push_back(std::move(step)); }
  std::size_t size() const { return steps_.size(); }

  Tensor forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const;
  Tensor inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const;
  /// The states before each step and after the last. [steps + 1]
  std::vector<Tensor> states(const Tensor& x, const Tensor& parameters, Tensor& log_det) const;
  /// The same from the other end: the states that the inverse passes through, in the order of `forward`.
  std::vector<Tensor> states_before(const Tensor& y, const Tensor& parameters, Tensor& log_det) const;
  /// Pulls dL/dy back to dL/dx through the states of a forward pass.
  Tensor pull_back(const std::vector<Tensor>& states, const Tensor& parameters, const Tensor& y_bar,
                   double log_det_bar, Tensor* gradient) const;
  /// Carries the score of the first state to that of the last.
  Tensor carry_score(const std::vector<Tensor>& states, const Tensor& parameters, const Tensor& score,
                     Tensor* gradient) const;

 private:
  std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace bgw::flows
