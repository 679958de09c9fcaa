#include "runtime/estimators/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

/// Finite numbers and that one which is not.
std::vector<double> numbers_with(double endless, const Tensor& tensor, const char* name) {
  std::vector<double> result = numbers_of(tensor, name);
  const auto finite = [](double x) { return std::isfinite(x); };
  const auto bad = std::find_if_not(result.begin(), result.end(), [&](double x) { return finite(x) || x == endless; });
  if (bad != result.end())
    throw NumericalError(fmt::format("{} number {} is not finite: {}", name, bad - result.begin(), *bad));
  if (std::none_of(result.begin(), result.end(), finite)) {
    throw NumericalError(fmt::format("none of the {} samples lies where both the model and the crystal have a density, by each {}; train longer, or take a base that fits better",
                                     result.size(), name));
  }
  return result;
}

}  // namespace

std::vector<double> numbers_of(const Tensor& tensor, const char* name) {
  if (tensor.dim() != 1 || tensor.numel() == 0) {
    throw ShapeError(fmt::format("{} must be one row of numbers and not empty; it has {} dimensions and {} numbers",
                                 name, tensor.dim(), tensor.numel()));
  }
  const Tensor dense = tensor.detach().to(at::kDouble).contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

std::vector<double> finite_numbers_of(const Tensor& tensor, const char* name) {
  std::vector<double> result = numbers_of(tensor, name);
  const auto bad = std::find_if_not(result.begin(), result.end(), [](double x) { return std::isfinite(x); });
  if (bad != result.end()) {
    throw NumericalError(fmt::format("{} number {} is not finite: {}", name, bad - result.begin(), *bad));
  }
  return result;
}

std::vector<double> log_weights_of(const Tensor& tensor) { return numbers_with(-INFINITY, tensor, "log weight"); }

std::vector<double> works_of(const Tensor& tensor, const char* name) { return numbers_with(INFINITY, tensor, name); }

}  // namespace bgw::estimators
