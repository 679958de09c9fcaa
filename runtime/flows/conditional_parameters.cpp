#include "runtime/flows/conditional_parameters.h"

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::flows {

ConditionalParameters::ConditionalParameters(const ParameterLayout& of_one_state, std::int64_t coordinates,
                                             const std::function<Dependence(const std::string& name)>& dependence)
    : coordinates_(coordinates), terms_((coordinates + 1) * (coordinates + 2) / 2) {
  for (const ParameterEntry& entry : of_one_state.entries()) {
    const Dependence kind = dependence(entry.name);
    const std::int64_t terms = kind == Dependence::none ? 1 : terms_;
    std::vector<std::int64_t> sizes = entry.sizes;
    sizes.insert(sizes.begin(), terms);
    entries_.push_back({kind, entry.offset, entry.numel(), layout_.size(), terms});
    layout_.add(entry.name, sizes, entry.start);
  }
}

std::vector<double> ConditionalParameters::basis(const std::vector<double>& state) const {
  if (std::ssize(state) != coordinates_) throw ShapeError("conditional parameters: a state of other coordinates");
  std::vector<double> phi{1.0};
  for (const double x : state) phi.push_back(x);
  for (std::size_t i = 0; i < state.size(); ++i) {
    for (std::size_t j = i; j < state.size(); ++j) phi.push_back(i == j ? 2.0 * state[i] * state[i] - 1.0 : state[i] * state[j]);
  }
  return phi;
}

Tensor ConditionalParameters::constant(const Tensor& theta) const {
  Tensor parameters = at::zeros({layout_.size()}, theta.options());
  for (const Entry& entry : entries_) {
    parameters.narrow(0, entry.to, entry.numel).copy_(theta.narrow(0, entry.from, entry.numel));
  }
  return parameters;
}

Tensor ConditionalParameters::at_state(const Tensor& parameters, const std::vector<double>& state, double scale) const {
  if (parameters.dim() != 1 || parameters.size(0) != layout_.size()) throw ShapeError("conditional parameters: a vector of another size");
  const std::vector<double> phi = basis(state);
  const Entry& last = entries_.back();
  Tensor theta = at::zeros({last.from + last.numel}, parameters.options());
  for (const Entry& entry : entries_) {
    Tensor own = theta.narrow(0, entry.from, entry.numel);
    for (std::int64_t t = 0; t < entry.terms; ++t) {
      own.add_(parameters.narrow(0, entry.to + t * entry.numel, entry.numel), phi[static_cast<std::size_t>(t)]);
    }
    if (entry.dependence == Dependence::scaled) own.mul_(scale);
  }
  return theta;
}

Tensor ConditionalParameters::gradient(const Tensor& of_one_state, const std::vector<double>& state, double scale) const {
  const std::vector<double> phi = basis(state);
  Tensor all = at::zeros({of_one_state.size(0), layout_.size()}, of_one_state.options());
  for (const Entry& entry : entries_) {
    const Tensor own = of_one_state.narrow(1, entry.from, entry.numel);
    const double factor = entry.dependence == Dependence::scaled ? scale : 1.0;
    for (std::int64_t t = 0; t < entry.terms; ++t) {
      all.narrow(1, entry.to + t * entry.numel, entry.numel).add_(own, factor * phi[static_cast<std::size_t>(t)]);
    }
  }
  return all;
}

ParameterRange ConditionalParameters::range(const ParameterRange& of_one_state) const {
  ParameterRange result{layout_.size(), 0};
  for (const Entry& entry : entries_) {
    if (entry.from < of_one_state.first || entry.from >= of_one_state.first + of_one_state.count) continue;
    result.first = std::min(result.first, entry.to);
    result.count += entry.terms * entry.numel;
  }
  return result;
}

}  // namespace bgw::flows
