#include "runtime/flows/rational_quadratic_spline.h"

#include <cmath>
#include <string>
#include <vector>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

constexpr double kSmallestFraction = 1e-4;  // of a bin's width and height, relative to the interval
constexpr double kSmallestSlope = 1e-4;

/// Bin sizes that sum to `range`, none below its smallest.
Tensor bin_sizes(const Tensor& raw, double range) {
  const double smallest = kSmallestFraction * range;
  return at::softmax(raw, -1) * (range - smallest * static_cast<double>(raw.size(-1))) + smallest;
}

/// Ends of the bins; the last is the upper end exactly, not the sum that approaches it.
Tensor knots_of(const Tensor& sizes, double lower, double upper) {
  const Tensor inner = at::cumsum(sizes, -1).slice(-1, 0, sizes.size(-1) - 1) + lower;
  const Tensor end = at::ones_like(sizes.slice(-1, 0, 1));
  return at::cat({end * lower, inner, end * upper}, -1);
}

Tensor bin_slopes(const Tensor& raw, SplineEnds ends) {
  // The offset makes raw = 0 a slope of one.
  const double offset = std::log(std::expm1(1.0 - kSmallestSlope));
  const Tensor slopes = at::softplus(raw + offset) + kSmallestSlope;
  const Tensor first = slopes.slice(-1, 0, 1);
  const Tensor inner = slopes.slice(-1, 1, slopes.size(-1) - 1);
  if (ends == SplineEnds::circular) return at::cat({first, inner, first}, -1);
  return at::cat({at::ones_like(first), inner, at::ones_like(first)}, -1);
}

Tensor log_derivative_at(const Tensor& z, const Tensor& s, const Tensor& left, const Tensor& right) {
  const Tensor rest = 1.0 - z;
  const Tensor denominator = s + (right + left - 2.0 * s) * z * rest;
  const Tensor numerator = right * z.square() + 2.0 * s * z * rest + left * rest.square();
  return 2.0 * s.log() + numerator.log() - 2.0 * denominator.log();
}

}  // namespace

struct RationalQuadraticSpline::Bin {
  Tensor inside;  // whether the value lies in the interval
  Tensor x, y, width, height, slope, left, right;
};

RationalQuadraticSpline::RationalQuadraticSpline(const Tensor& raw, double lower, double upper, SplineEnds ends)
    : lower_(lower), upper_(upper) {
  const std::int64_t bins = (raw.size(-1) - 1) / 3;
  if (bins < 1 || raw.size(-1) != 3 * bins + 1 || !(lower < upper)) {
    throw ShapeError("spline: needs 3 K + 1 raw numbers and lower < upper, got " + std::to_string(raw.size(-1)) +
                     " numbers on [" + std::to_string(lower) + ", " + std::to_string(upper) + "]");
  }
  widths_ = bin_sizes(raw.slice(-1, 0, bins), upper - lower);
  heights_ = bin_sizes(raw.slice(-1, bins, 2 * bins), upper - lower);
  slopes_ = bin_slopes(raw.slice(-1, 2 * bins, 3 * bins + 1), ends);
  x_knots_ = knots_of(widths_, lower, upper);
  y_knots_ = knots_of(heights_, lower, upper);
}

RationalQuadraticSpline::Bin RationalQuadraticSpline::bin_of(const Tensor& value, const Tensor& knots) const {
  const std::int64_t bins = widths_.size(-1);
  const Tensor above = (value.unsqueeze(-1) >= knots).sum(-1, true) - 1;
  const Tensor index = above.clamp(0, bins - 1);
  const auto pick = [&](const Tensor& table) {
    std::vector<std::int64_t> sizes = index.sizes().vec();
    sizes.back() = table.size(-1);
    return table.expand(sizes).gather(-1, index).squeeze(-1);
  };
  const Tensor width = pick(widths_);
  const Tensor height = pick(heights_);
  return {(value >= lower_).logical_and(value < upper_),
          pick(x_knots_),
          pick(y_knots_),
          width,
          height,
          height / width,
          pick(slopes_.slice(-1, 0, bins)),
          pick(slopes_.slice(-1, 1, bins + 1))};
}

SplineValue RationalQuadraticSpline::forward(const Tensor& x) const {
  const Bin b = bin_of(x, x_knots_);
  const Tensor z = ((x - b.x) / b.width).clamp(0.0, 1.0);
  const Tensor mixed = z * (1.0 - z);
  const Tensor denominator = b.slope + (b.right + b.left - 2.0 * b.slope) * mixed;
  const Tensor y = b.y + b.height * (b.slope * z.square() + b.left * mixed) / denominator;
  const Tensor log_derivative = log_derivative_at(z, b.slope, b.left, b.right);
  return {at::where(b.inside, y, x), at::where(b.inside, log_derivative, at::zeros_like(log_derivative))};
}

// The forward map in a bin is a quadratic equation for z. Of the two ways to write its root, the one is taken that
// does not subtract near-equal numbers.
SplineValue RationalQuadraticSpline::inverse(const Tensor& y) const {
  const Bin b = bin_of(y, y_knots_);
  const Tensor v = ((y - b.y) / b.height).clamp(0.0, 1.0);
  const Tensor c0 = -b.slope * v;
  const Tensor b0 = b.left - (b.right + b.left - 2.0 * b.slope) * v;
  const Tensor a0 = b.slope - b0;
  const Tensor root = (b0.square() - 4.0 * a0 * c0).clamp_min(0.0).sqrt();
  const Tensor z = at::where(b0 >= 0.0, 2.0 * c0 / (-b0 - root), (root - b0) / (2.0 * a0)).clamp(0.0, 1.0);
  const Tensor log_derivative = -log_derivative_at(z, b.slope, b.left, b.right);
  return {at::where(b.inside, b.x + b.width * z, y),
          at::where(b.inside, log_derivative, at::zeros_like(log_derivative))};
}

}  // namespace bgw::flows
