#pragma once

#include <deque>
#include <vector>

namespace bgw::sampling {

/// The way down of one point on a smooth surface, by the quasi-Newton method with limited memory (L-BFGS): asks for height and
/// slope at `trial()`, is told them, and asks again. So many of them can be computed in one batch, and none knows of the
/// others. A step must lower the height by a fraction of what the slope promises, up to the rounding of the height; it is
/// shortened until it does.
/// @source Nocedal and Wright, Numerical Optimization (2006), algorithms 7.4 and 3.1
class Descent {
 public:
  /// @param stiffness     of the surface, roughly: the length of the first step is slope / stiffness
  /// @param longest_step  of any coordinate
  Descent(std::vector<double> start, double stiffness, double longest_step);

  /// Where height and slope are asked for.
  const std::vector<double>& trial() const { return trial_; }
  void tell(double height, const double* slope);

  const std::vector<double>& point() const { return point_; }
  double height() const { return height_; }
  double largest_slope() const;
  /// No step leads down, not even along the slope.
  bool stuck() const { return stuck_; }

 private:
  struct Correction {
    std::vector<double> step, change;
    double curvature;  // step . change
  };
  void remember(const double* slope);
  void propose();
  void shorten(double height);

  double stiffness_, longest_step_;
  std::vector<double> point_, slope_, trial_, direction_;
  std::deque<Correction> corrections_;
  double height_ = 0, length_ = 0, descent_ = 0;  // descent: the slope along the direction, negative
  bool begun_ = false, stuck_ = false;
  int shortened_ = 0;
};

}  // namespace bgw::sampling
