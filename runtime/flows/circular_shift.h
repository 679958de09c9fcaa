#pragma once

#include "runtime/flows/step.h"

namespace bgw::flows {

/// x - floor(x), kept below one where rounding would reach it.
Tensor wrapped_to_unit(const Tensor& x);

/// Shifts each axis of the unit torus by a parameter, the same for all rows, and turns the axes: what comes first is put
/// last, `turns` times. It preserves volume.
class CircularShift : public Step {
 public:
  /// @param offset  where the three parameters begin in those of the flow
  CircularShift(std::int64_t offset, std::int64_t turns) : offset_(offset), turns_(turns) {}

  Tensor forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const override;
  Tensor inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const override;
  Tensor pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                   Tensor* gradient) const override;
  Tensor carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score, Tensor* gradient) const override;

 private:
  Tensor shift(const Tensor& parameters) const { return parameters.narrow(0, offset_, 3).to(at::kDouble); }

  std::int64_t offset_;
  std::int64_t turns_;
};

}  // namespace bgw::flows
