#include "runtime/sampling/descent.h"

#include <algorithm>
#include <cmath>

namespace bgw::sampling {
namespace {

constexpr std::size_t kRemembered = 24;
constexpr double kFractionOfPromise = 1e-4;
constexpr double kRounding = 1e-13;  // of a height that is a sum over atoms
constexpr int kMostShortened = 15;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void add(std::vector<double>& to, double factor, const std::vector<double>& what) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * what[i];
}

double largest(const std::vector<double>& numbers) {
  double most = 0;
  for (const double x : numbers) most = std::max(most, std::abs(x));
  return most;
}

}  // namespace

Descent::Descent(std::vector<double> start, double stiffness, double longest_step)
    : stiffness_(stiffness), longest_step_(longest_step), point_(std::move(start)), trial_(point_) {}

double Descent::largest_slope() const { return largest(slope_); }

void Descent::tell(double height, const double* slope) {
  if (begun_) {
    const double allowed = height_ + kFractionOfPromise * length_ * descent_ + kRounding * (std::abs(height_) + 1.0);
    if (!(height <= allowed)) return shorten(height);
    remember(slope);
  }
  begun_ = true;
  point_ = trial_;
  height_ = height;
  slope_.assign(slope, slope + point_.size());
  propose();
}

/// What the step from the point to the trial has shown of the curvature, where it curves upward.
void Descent::remember(const double* slope) {
  Correction made{trial_, std::vector<double>(slope, slope + point_.size()), 0.0};
  add(made.step, -1.0, point_);
  add(made.change, -1.0, slope_);
  made.curvature = dot(made.step, made.change);
  const double squared = dot(made.change, made.change);
  if (!(made.curvature > 1e-8 * squared / stiffness_)) return;
  corrections_.push_back(std::move(made));
  if (corrections_.size() > kRemembered) corrections_.pop_front();
}

void Descent::propose() {
  direction_ = slope_;
  std::vector<double> shares(corrections_.size());
  for (std::size_t k = corrections_.size(); k-- > 0;) {
    const Correction& c = corrections_[k];
    shares[k] = dot(c.step, direction_) / c.curvature;
    add(direction_, -shares[k], c.change);
  }
  const double softness = corrections_.empty() ? 1.0 / stiffness_ : corrections_.back().curvature / dot(corrections_.back().change, corrections_.back().change);
  for (double& x : direction_) x *= softness;
  for (std::size_t k = 0; k < corrections_.size(); ++k) {
    const Correction& c = corrections_[k];
    add(direction_, shares[k] - dot(c.change, direction_) / c.curvature, c.step);
  }
  for (double& x : direction_) x = -x;
  descent_ = dot(direction_, slope_);
  if (!(descent_ < 0) && !corrections_.empty()) {
    corrections_.clear();
    return propose();
  }
  const double longest = largest(direction_);
  length_ = longest > longest_step_ ? longest_step_ / longest : 1.0;
  shortened_ = 0;
  trial_ = point_;
  add(trial_, length_, direction_);
}

/// To where the parabola through the height, the slope and the height met is least, within bounds.
void Descent::shorten(double height) {
  if (++shortened_ > kMostShortened) {
    stuck_ = corrections_.empty();
    corrections_.clear();
    return propose();
  }
  const double miss = height - height_ - length_ * descent_;
  const double best = std::isfinite(miss) ? -0.5 * length_ * descent_ / miss : 0.1;
  length_ *= std::clamp(best, 0.1, 0.5);
  trial_ = point_;
  add(trial_, length_, direction_);
}

}  // namespace bgw::sampling
