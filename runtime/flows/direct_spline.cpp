#include "runtime/flows/direct_spline.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

constexpr double kSmallestFraction = 1e-4;  // of a bin, relative to the interval
constexpr double kSmallestSlope = 1e-4;

/// One spline: its raw numbers, and room for the shares of the interval that its bins take beyond the smallest.
class Spline {
 public:
  Spline(const SplineRange& range, std::int64_t bins)
      : range_(range),
        bins_(bins),
        smallest_(kSmallestFraction * (range.upper - range.lower)),
        shared_(range.upper - range.lower - smallest_ * static_cast<double>(bins)),
        slope_offset_(std::log(std::expm1(1.0 - kSmallestSlope))),
        widths_(static_cast<std::size_t>(bins)),
        heights_(static_cast<std::size_t>(bins)) {}

  template <class T>
  void read(const T* raw) {
    shares(raw, widths_);
    shares(raw + bins_, heights_);
    slopes_.assign(raw + 2 * bins_, raw + 3 * bins_ + 1);
  }

  struct Moved {
    double value, log_derivative;
  };

  Moved forward(double x) {
    if (!inside(x)) return {x, 0.0};
    find(x, widths_, x_, heights_, y_);
    const Place a = place((x - x_) / width());
    return {y_ + height() * a.n / a.d, log_slope(a)};
  }

  // Of the two ways to write the root of the quadratic equation the one that does not subtract near-equal numbers.
  Moved inverse(double y) {
    if (!inside(y)) return {y, 0.0};
    find(y, heights_, y_, widths_, x_);
    const double s = height() / width();
    const double v = std::clamp((y - y_) / height(), 0.0, 1.0);
    const double c0 = -s * v;
    const double b0 = left_ - (right_ + left_ - 2.0 * s) * v;
    const double a0 = s - b0;
    const double root = std::sqrt(std::max(b0 * b0 - 4.0 * a0 * c0, 0.0));
    const double z = std::clamp(b0 >= 0.0 ? 2.0 * c0 / (-b0 - root) : (root - b0) / (2.0 * a0), 0.0, 1.0);
    return {x_ + width() * z, -log_slope(place(z))};
  }

  /// Adds nothing: writes dL/draw. @return dL/dx
  template <class T>
  double pull_back(double x, double y_bar, double log_bar, T* raw_bar) {
    std::fill(raw_bar, raw_bar + 3 * bins_ + 1, T(0));
    if (!inside(x)) return y_bar;
    find(x, widths_, x_, heights_, y_);
    const Bars bars = bars_at(place((x - x_) / width()), y_bar, log_bar);
    write(bars, raw_bar);
    return bars.x;
  }

  /// @return d ln q/dy; the gradient of ln q(y) at fixed y is written.
  template <class T>
  double carry_score(double x, double score, T* raw_bar) {
    std::fill(raw_bar, raw_bar + 3 * bins_ + 1, T(0));
    if (!inside(x)) return score;
    find(x, widths_, x_, heights_, y_);
    const Place a = place((x - x_) / width());
    const double carried = (score - bars_at(a, 0.0, 1.0).x) * a.d * a.d / (a.s * a.s * a.p);
    write(bars_at(a, -carried, -1.0), raw_bar);
    return carried;
  }

 private:
  /// At the fraction z of the bin's width: y = Y + h n / d, dy/dx = s^2 p / d^2.
  struct Place {
    double z, mixed, s, bend, n, d, p;
  };
  /// dL of x, of the lower knots, and of the bin.
  struct Bars {
    double x, knot_y, width, height, left, right;
  };

  bool inside(double value) const { return value >= range_.lower && value < range_.upper; }
  double width() const { return widths_[bin_] * shared_ + smallest_; }
  double height() const { return heights_[bin_] * shared_ + smallest_; }

  template <class T>
  void shares(const T* raw, std::vector<double>& result) const {
    const double largest = static_cast<double>(*std::max_element(raw, raw + bins_));
    double sum = 0.0;
    for (std::size_t k = 0; k < result.size(); ++k) {
      result[k] = std::exp(static_cast<double>(raw[k]) - largest);
      sum += result[k];
    }
    for (double& share : result) share /= sum;
  }

  /// Walks to the bin of a value on one axis; the lower knots of both are kept.
  void find(double value, const std::vector<double>& own, double& own_knot, const std::vector<double>& other,
            double& other_knot) {
    own_knot = other_knot = range_.lower;
    for (bin_ = 0; bin_ + 1 < own.size(); ++bin_) {
      const double next = own_knot + own[bin_] * shared_ + smallest_;
      if (value < next) break;
      own_knot = next;
      other_knot += other[bin_] * shared_ + smallest_;
    }
    left_ = slope(bin_);
    right_ = slope(bin_ + 1);
  }

  bool is_end(std::size_t knot) const { return knot == 0 || knot == widths_.size(); }
  /// The raw number of a knot's slope; the ends of a circle share the first.
  std::size_t source(std::size_t knot) const { return knot == widths_.size() ? 0 : knot; }
  double slope(std::size_t knot) const {
    if (range_.ends == SplineEnds::identity && is_end(knot)) return 1.0;
    const double x = slopes_[source(knot)] + slope_offset_;
    return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))) + kSmallestSlope;
  }
  double slope_derivative(std::size_t knot) const {
    if (range_.ends == SplineEnds::identity && is_end(knot)) return 0.0;
    return 1.0 / (1.0 + std::exp(-(slopes_[source(knot)] + slope_offset_)));
  }

  Place place(double fraction) const {
    Place a{};
    a.z = std::clamp(fraction, 0.0, 1.0);
    const double rest = 1.0 - a.z;
    a.mixed = a.z * rest;
    a.s = height() / width();
    a.bend = right_ + left_ - 2.0 * a.s;
    a.n = a.s * a.z * a.z + left_ * a.mixed;
    a.d = a.s + a.bend * a.mixed;
    a.p = right_ * a.z * a.z + 2.0 * a.s * a.mixed + left_ * rest * rest;
    return a;
  }
  static double log_slope(const Place& a) { return std::log(a.s * a.s * a.p / (a.d * a.d)); }

  Bars bars_at(const Place& a, double y_bar, double log_bar) const {
    const double rest = 1.0 - a.z;
    const double h = height() / (a.d * a.d);
    const double d_s = 1.0 - 2.0 * a.mixed;
    const double p_z = 2.0 * (right_ * a.z + a.s * (rest - a.z) - left_ * rest);
    const double z_bar = y_bar * h * a.s * a.p + log_bar * (p_z / a.p - 2.0 * a.bend * (rest - a.z) / a.d);
    const double s_bar = y_bar * h * (a.z * a.z * a.d - a.n * d_s) +
                         log_bar * 2.0 * (1.0 / a.s + a.mixed / a.p - d_s / a.d);
    Bars bars{};
    bars.x = z_bar / width();
    bars.knot_y = y_bar;
    bars.width = -s_bar * a.s / width() - bars.x * a.z;
    bars.height = y_bar * a.n / a.d + s_bar / width();
    bars.left = y_bar * h * a.mixed * (a.d - a.n) + log_bar * (rest * rest / a.p - 2.0 * a.mixed / a.d);
    bars.right = log_bar * (a.z * a.z / a.p - 2.0 * a.mixed / a.d) - y_bar * h * a.mixed * a.n;
    return bars;
  }

  /// Through the sums of the knots and softmax: a share before the bin moves its lower knot, that of the bin its size.
  template <class T>
  void write_shares(const std::vector<double>& given, double knot_bar, double size_bar, T* raw_bar) const {
    double mean = given[bin_] * size_bar;
    for (std::size_t k = 0; k < bin_; ++k) mean += given[k] * knot_bar;
    for (std::size_t k = 0; k < given.size(); ++k) {
      const double bar = k < bin_ ? knot_bar : k == bin_ ? size_bar : 0.0;
      raw_bar[k] = static_cast<T>(shared_ * given[k] * (bar - mean));
    }
  }

  template <class T>
  void write(const Bars& bars, T* raw_bar) const {
    write_shares(widths_, -bars.x, bars.width, raw_bar);
    write_shares(heights_, bars.knot_y, bars.height, raw_bar + bins_);
    T* slope_bar = raw_bar + 2 * bins_;
    slope_bar[source(bin_)] += static_cast<T>(bars.left * slope_derivative(bin_));
    slope_bar[source(bin_ + 1)] += static_cast<T>(bars.right * slope_derivative(bin_ + 1));
  }

  SplineRange range_;
  std::int64_t bins_;
  double smallest_, shared_, slope_offset_;
  std::vector<double> widths_, heights_, slopes_;
  std::size_t bin_ = 0;
  double x_ = 0, y_ = 0, left_ = 1, right_ = 1;
};

std::int64_t bins_of(const Tensor& raw, const SplineRange& range) {
  const std::int64_t bins = (raw.size(-1) - 1) / 3;
  if (bins < 1 || raw.size(-1) != 3 * bins + 1 || !(range.lower < range.upper))
    throw ShapeError("spline: needs 3 K + 1 raw numbers and lower < upper");
  return bins;
}

/// f(spline, i, raw of T) for each number i.
template <class F>
void each_spline(const Tensor& raw, const SplineRange& range, const F& f) {
  Spline spline(range, bins_of(raw, range));
  const std::int64_t width = raw.size(-1);
  const std::int64_t count = raw.numel() / width;
  const auto all = [&](const auto* numbers) {
    for (std::int64_t i = 0; i < count; ++i) {
      spline.read(numbers + i * width);
      f(spline, i);
    }
  };
  if (raw.scalar_type() == at::kFloat) return all(raw.data_ptr<float>());
  all(raw.data_ptr<double>());
}

using Map = Spline::Moved (Spline::*)(double);

SplineValue apply(Map map, const Tensor& raw, const SplineRange& range, const Tensor& given) {
  const Tensor x = given.contiguous();
  const SplineValue result{at::empty_like(x), at::empty_like(x)};
  const double* in = x.data_ptr<double>();
  double* value = result.value.data_ptr<double>();
  double* log_derivative = result.log_derivative.data_ptr<double>();
  each_spline(raw.contiguous(), range, [&](Spline& spline, std::int64_t i) {
    const Spline::Moved moved = (spline.*map)(in[i]);
    value[i] = moved.value;
    log_derivative[i] = moved.log_derivative;
  });
  return result;
}

/// f(spline, x, bar, raw_bar) for each number gives what is moved and writes the bars of its raw numbers.
template <class F>
SplineDerivatives derivatives_of(const Tensor& given_raw, const SplineRange& range, const Tensor& given_x,
                                 const Tensor& given_bar, const F& f) {
  const Tensor raw = given_raw.contiguous(), x = given_x.contiguous(), bar = given_bar.contiguous();
  const SplineDerivatives result{at::empty_like(x), at::empty_like(raw)};
  const double* in = x.data_ptr<double>();
  const double* bars = bar.data_ptr<double>();
  double* out = result.moved.data_ptr<double>();
  const auto all = [&](auto* raw_bar) {
    each_spline(raw, range, [&](Spline& spline, std::int64_t i) {
      out[i] = f(spline, in[i], bars[i], raw_bar + i * raw.size(-1));
    });
  };
  if (raw.scalar_type() == at::kFloat) {
    all(result.raw.data_ptr<float>());
  } else {
    all(result.raw.data_ptr<double>());
  }
  return result;
}

}  // namespace

SplineValue direct_spline_forward(const Tensor& raw, const SplineRange& range, const Tensor& x) {
  return apply(&Spline::forward, raw, range, x);
}

SplineValue direct_spline_inverse(const Tensor& raw, const SplineRange& range, const Tensor& y) {
  return apply(&Spline::inverse, raw, range, y);
}

SplineDerivatives direct_spline_pull_back(const Tensor& raw, const SplineRange& range, const Tensor& x,
                                          const Tensor& y_bar, double log_derivative_bar) {
  return derivatives_of(raw, range, x, y_bar, [&](Spline& spline, double at, double bar, auto* raw_bar) {
    return spline.pull_back(at, bar, log_derivative_bar, raw_bar);
  });
}

SplineDerivatives direct_spline_carry_score(const Tensor& raw, const SplineRange& range, const Tensor& x,
                                            const Tensor& score) {
  return derivatives_of(raw, range, x, score, [](Spline& spline, double at, double bar, auto* raw_bar) {
    return spline.carry_score(at, bar, raw_bar);
  });
}

Tensor DirectSplineCoupling::forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const {
  const Tensor raw = conditioner_->raw(part_of(x, given_), own(parameters));
  const SplineValue moved = direct_spline_forward(raw, range_, part_of(x, moved_));
  log_det = log_det + sum_of_sample(moved.log_derivative);
  return with_part(x, moved_, moved.value);
}

Tensor DirectSplineCoupling::inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const {
  const Tensor raw = conditioner_->raw(part_of(y, given_), own(parameters));
  const SplineValue moved = direct_spline_inverse(raw, range_, part_of(y, moved_));
  log_det = log_det + sum_of_sample(moved.log_derivative);
  return with_part(y, moved_, moved.value);
}

// The splines give what the network is to be pulled back by.
template <class Derivatives>
Tensor DirectSplineCoupling::derive(const Derivatives& derivatives, const Tensor& x, const Tensor& parameters,
                                    const Tensor& bar, Tensor* gradient) const {
  const at::AutoGradMode with_grad(true);
  const Tensor given = part_of(x, given_).detach().clone().requires_grad_(true);
  Tensor weights = own(parameters).detach();
  if (gradient != nullptr) weights = weights.clone().requires_grad_(true);
  const Tensor raw = conditioner_->raw(given, weights);
  const SplineDerivatives of_spline = derivatives(raw.detach(), part_of(x, moved_), part_of(bar, moved_));
  std::vector<Tensor> leaves{given};
  if (gradient != nullptr) leaves.push_back(weights);
  const auto bars = torch::autograd::grad({raw}, leaves, {of_spline.raw});
  const at::NoGradGuard no_grad;
  if (gradient != nullptr) own(*gradient).add_(bars[1]);
  return with_part(with_part(bar, moved_, of_spline.moved), given_, part_of(bar, given_) + bars[0]);
}

Tensor DirectSplineCoupling::pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar,
                                       double log_det_bar, Tensor* gradient) const {
  const auto derivatives = [&](const Tensor& raw, const Tensor& moved, const Tensor& bar) {
    return direct_spline_pull_back(raw, range_, moved, bar, log_det_bar);
  };
  return derive(derivatives, x, parameters, y_bar, gradient);
}

Tensor DirectSplineCoupling::carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score,
                                         Tensor* gradient) const {
  const auto derivatives = [&](const Tensor& raw, const Tensor& moved, const Tensor& bar) {
    return direct_spline_carry_score(raw, range_, moved, bar);
  };
  return derive(derivatives, x, parameters, score, gradient);
}

}  // namespace bgw::flows
