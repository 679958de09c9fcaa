#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/flows/parameter_layout.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// How a parameter of a flow depends on the state of the crystal.
enum class Dependence {
  none,        // one value for all states
  polynomial,  // of second order in the coordinates of the state
  scaled       // that times a number which the state brings along
};

/// The parameters of a flow as functions of the state of the crystal, whose coordinates x run over [-1, 1]:
///
///   theta(x) = sum_t Theta_t phi_t(x),   phi = 1, x_i, x_i x_j (i < j), 2 x_i^2 - 1
///
/// theta are the parameters of the same flow at one state. The terms of one of them stand together: an entry of sizes [...]
/// becomes one of sizes [terms, ...]. So training and weights at a state are those of the flow there, and theta(x) is linear in
/// Theta, which is what is trained.
class ConditionalParameters {
 public:
  /// @param of_one_state  layout of theta
  /// @param coordinates   of a state
  /// @param dependence    of an entry, by its name
  ConditionalParameters(const ParameterLayout& of_one_state, std::int64_t coordinates,
                        const std::function<Dependence(const std::string& name)>& dependence);

  const ParameterLayout& layout() const { return layout_; }
  std::int64_t terms() const { return terms_; }

  /// Theta of a flow that is the same at all states, but for the scale.
  Tensor constant(const Tensor& theta) const;
  /// theta at a state. @param scale  of the entries that have one
  Tensor at_state(const Tensor& parameters, const std::vector<double>& state, double scale = 1.0) const;
  /// dL/dTheta [R, layout().size()] from dL/dtheta [R, P] at a state.
  Tensor gradient(const Tensor& of_one_state, const std::vector<double>& state, double scale = 1.0) const;
  /// Where a piece of theta has gone.
  ParameterRange range(const ParameterRange& of_one_state) const;

 private:
  struct Entry {
    Dependence dependence;
    std::int64_t from, numel;  // in theta
    std::int64_t to, terms;    // in Theta
  };
  std::vector<double> basis(const std::vector<double>& state) const;

  std::int64_t coordinates_, terms_;
  std::vector<Entry> entries_;
  ParameterLayout layout_;
};

}  // namespace bgw::flows
