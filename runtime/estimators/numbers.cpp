#include "runtime/estimators/numbers.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {

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

}  // namespace bgw::estimators
