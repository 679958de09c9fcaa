#pragma once

#include <memory>

#include "runtime/flows/parameter_layout.h"
#include "runtime/flows/rational_quadratic_spline.h"
#include "runtime/flows/step.h"

namespace bgw::flows {

/// A network that says how one part of a state is to be transformed, given the other.
class Conditioner {
 public:
  virtual ~Conditioner() = default;
  virtual const ParameterLayout& layout() const = 0;
  /// Gradients flow into both arguments where grad mode is on.
  /// @param part        [B, rows, columns] of the state, float64
  /// @param parameters  [p], its own, as its layout has them; their type is the precision of the network
  /// @return raw numbers of the splines, [B, rows', columns', 3 K + 1] with the sizes of the other part
  virtual Tensor raw(const Tensor& part, const Tensor& parameters) const = 0;
};

/// A slice of the state: `length` entries from `begin` along dimension 1 (rows) or 2 (axes).
struct StatePart {
  std::int64_t dimension = 1;
  std::int64_t begin = 0;
  std::int64_t length = 0;
};

Tensor part_of(const Tensor& state, const StatePart& part);  // a view
/// A copy of the state with other numbers in one part.
Tensor with_part(const Tensor& state, const StatePart& part, const Tensor& numbers);
Tensor sum_of_sample(const Tensor& numbers);  // [B, ...] -> [B]

struct SplineRange {
  double lower = 0;
  double upper = 1;
  SplineEnds ends = SplineEnds::identity;
};

/// A coupling: splines, one for each number, move one part of the state as a network of the other part says. The network
/// may be of any precision, the spline and the logarithms of its slopes are float64. This is the plain path of ATen
/// operations, against which fused ones are tested.
class SplineCoupling : public Step {
 public:
  /// @param offset  where the conditioner's parameters begin in those of the flow
  SplineCoupling(std::shared_ptr<const Conditioner> conditioner, std::int64_t offset, StatePart given, StatePart moved,
                 SplineRange range)
      : conditioner_(std::move(conditioner)), offset_(offset), given_(given), moved_(moved), range_(range) {}

  Tensor forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const override;
  Tensor inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const override;
  Tensor pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                   Tensor* gradient) const override;
  Tensor carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score, Tensor* gradient) const override;

 private:
  RationalQuadraticSpline spline(const Tensor& part, const Tensor& own) const;
  Tensor own(const Tensor& flat) const;

  std::shared_ptr<const Conditioner> conditioner_;
  std::int64_t offset_;
  StatePart given_, moved_;
  SplineRange range_;
};

}  // namespace bgw::flows
