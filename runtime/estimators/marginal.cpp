#include "runtime/estimators/marginal.h"

#include <fmt/format.h>

#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::estimators {

Tensor marginal_log_weight(const Tensor& log_weight) {
  if (log_weight.dim() != 2 || log_weight.size(1) < 1) {
    throw ShapeError(fmt::format("marginal weights need [samples, copies], got {} dimensions", log_weight.dim()));
  }
  if (log_weight.size(1) == 1) return log_weight.select(1, 0).to(at::kDouble);
  const double copies = static_cast<double>(log_weight.size(1));
  return std::log(copies) - (-log_weight.to(at::kDouble)).logsumexp(1);
}

}  // namespace bgw::estimators
