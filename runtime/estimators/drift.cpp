#include "runtime/estimators/drift.h"

#include <cmath>

#include "runtime/estimators/bootstrap.h"
#include "runtime/foundation/errors.h"

namespace bgw::estimators {

std::optional<double> drift(const Tensor& series) {
  if (series.dim() != 2) throw ShapeError("drift: needs [chains, steps]");
  const std::int64_t chains = series.size(0), half = series.size(1) / 2;
  if (chains < 2 || half < 1) return std::nullopt;
  const Tensor first = series.slice(1, 0, half), second = series.slice(1, series.size(1) - half, series.size(1));
  const Tensor difference = (second.mean(1) - first.mean(1)).to(at::kDouble);
  const double scatter = difference.std().item<double>() / std::sqrt(static_cast<double>(chains));
  if (!(scatter > 0.0)) return std::nullopt;
  return difference.mean().item<double>() / (scatter * student_factor(chains));
}

}  // namespace bgw::estimators
