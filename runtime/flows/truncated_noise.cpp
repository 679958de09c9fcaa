#include "runtime/flows/truncated_noise.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>

namespace bgw::flows {
namespace {

const double kDensityFactor = std::sqrt(2.0 / std::numbers::pi);
constexpr double kMiddle = 1.5;  // below it P is the small number of the two, above it 1 - P
constexpr int kMostIterations = 60;
constexpr std::int64_t kGrain = 1024;

// P(r) / sqrt(2/pi) = exp(-r^2/2) r^3 (1/3 + r^2/15 + r^4/105 + ...), without a difference of near-equal numbers.
double small_below(double r) {
  double term = 1.0 / 3.0;
  double sum = term;
  for (int k = 5; term > sum * 1e-17; k += 2) {
    term *= r * r / k;
    sum += term;
  }
  return kDensityFactor * std::exp(-0.5 * r * r) * r * r * r * sum;
}

// Newton's method for P(x)^(1/3) = p^(1/3): near the origin that function is almost straight.
double solve_below(double p, double start) {
  const double root = std::cbrt(p);
  double x = start;
  for (int i = 0; i < kMostIterations; ++i) {
    const double below = chi3_below(x);
    const double step = 3.0 * below * (1.0 - root / std::cbrt(below)) / chi3_density(x);
    x -= step;
    if (std::abs(step) <= 4e-16 * x) break;
  }
  return x;
}

// Newton's method for ln(1 - P(x)) = ln q, which is concave: from the right it never overshoots.
double solve_above(double q, double start) {
  double x = start;
  for (int i = 0; i < kMostIterations; ++i) {
    const double above = chi3_above(x);
    const double step = above * std::log(q / above) / chi3_density(x);
    x -= step;
    if (std::abs(step) <= 4e-16 * x) break;
  }
  return x;
}

}  // namespace

double chi3_below(double r) { return r < kMiddle ? small_below(r) : 1.0 - chi3_above(r); }

double chi3_above(double r) {
  if (r < kMiddle) return 1.0 - small_below(r);
  return std::erfc(r / std::numbers::sqrt2) + kDensityFactor * r * std::exp(-0.5 * r * r);
}

double chi3_density(double r) { return kDensityFactor * r * r * std::exp(-0.5 * r * r); }

TruncatedNoise::TruncatedNoise(double width, double radius) : width_(width), cut_(radius / width) {
  if (!(width > 0.0) || !(radius > 0.0)) throw std::logic_error("truncated noise needs a positive width and radius");
}

double TruncatedNoise::length_of(double r) const {
  const double outside = chi3_above(cut_);
  if (r <= 0.0 || outside == 0.0) return r;
  if (r < kMiddle) {
    const double inside = chi3_below(cut_);
    return solve_below(chi3_below(r) * inside, r * std::cbrt(inside));
  }
  const double above = chi3_above(r);
  return std::min(cut_, solve_above(above + outside * (1.0 - above), std::min(r, cut_)));
}

Tensor TruncatedNoise::displacements(const Tensor& normal) const {
  const Tensor length = at::linalg_vector_norm(normal, 2, {2}, true);
  const Tensor cut_length = length.clone();
  double* r = cut_length.data_ptr<double>();
  at::parallel_for(0, cut_length.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) r[i] = length_of(r[i]);
  });
  return width_ * normal * (cut_length / length.clamp_min(std::numeric_limits<double>::min()));
}

// Across the direction lengths scale by r'/r, along it by dr'/dr = P(cut) p(r) / p(r').
Tensor TruncatedNoise::pull_back(const Tensor& normal, const Tensor& displacement_bar) const {
  const Tensor n = normal.contiguous();
  const Tensor bar = displacement_bar.contiguous();
  const Tensor result = at::empty_like(n);
  const double inside = chi3_below(cut_);
  const double* at_n = n.data_ptr<double>();
  const double* at_bar = bar.data_ptr<double>();
  double* out = result.data_ptr<double>();
  at::parallel_for(0, n.numel() / 3, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double* z = at_n + 3 * i;
      const double* b = at_bar + 3 * i;
      const double square = z[0] * z[0] + z[1] * z[1] + z[2] * z[2];
      const double r = std::sqrt(square);
      const double cut_length = length_of(r);
      const double across = r > 0.0 ? cut_length / r : std::cbrt(inside);
      // dr'/dr written with the squares apart: their quotient stays finite at the origin.
      const double along = inside * std::exp(0.5 * (cut_length * cut_length - square)) / (across * across);
      const double radial = r > 0.0 ? (along - across) * (z[0] * b[0] + z[1] * b[1] + z[2] * b[2]) / square : 0.0;
      for (int c = 0; c < 3; ++c) out[3 * i + c] = width_ * (across * b[c] + radial * z[c]);
    }
  });
  return result;
}

Tensor TruncatedNoise::log_density(const Tensor& displacements) const {
  const Tensor square = displacements.square().sum(2) / (width_ * width_);
  const double of_atom =
      1.5 * std::log(2.0 * std::numbers::pi * width_ * width_) + std::log1p(-chi3_above(cut_));
  const Tensor value = -0.5 * square.sum(1) - of_atom * static_cast<double>(displacements.size(1));
  // A latent number far out comes back with the rounding of its last bits: it lies on the edge, not beyond it.
  const Tensor too_long = (square > cut_ * cut_ * (1.0 + 1e-9)).any(1);
  return value.masked_fill(too_long, -std::numeric_limits<double>::infinity());
}

Tensor TruncatedNoise::score(const Tensor& displacements) const { return displacements / (-width_ * width_); }

}  // namespace bgw::flows
