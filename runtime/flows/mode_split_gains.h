#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/flows/parameter_layout.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// How the gains of a mode-split flow vary from split to split and from mode to mode.
enum class GainForm {
  constant,   // five numbers for all
  polynomial  // of second order in depth x = 2 (l + 1/2) / L - 1 and stiffness v, the logarithm of a mode's kappa, less a
              // mean and over a standard deviation: 1, x, x^2, v, x v, v^2, and 1 where a split looks ahead; the
              // widening is one of v alone. Mean, deviation and range of v are those of the crystal on which training
              // began and travel with the parameters: a mode has the same gains in a crystal of any size, and one that
              // is softer or stiffer than all of those has theirs
};

/// What multiplies each mode in one split, [m] each.
struct SplitGains {
  std::vector<double> force;       // a / L
  std::vector<double> field;       // h
  std::vector<double> look_ahead;  // a2 / n_look
  std::vector<double> step;        // lambda
};

/// A loss's derivatives with respect to the gains of one split and one sample, summed over the modes with the powers
/// 0, 1, 2 of the stiffness v.
struct GainSums {
  double force[3] = {0, 0, 0}, field[3] = {0, 0, 0}, look_ahead[3] = {0, 0, 0}, step[3] = {0, 0, 0};
};

/// The parameters of a mode-split flow and the gains that they make:
/// a   weight of the force;  h   amplification of the conditioning half's field;
/// a2  weight of the look-ahead correction;  lambda  step of the look-ahead;  s0  log of the widening
/// stiffness  of a polynomial: mean and standard deviation of ln kappa, least and largest v. Constants of the model: gradients
///            leave them out, so that training leaves them as they are
class ModeSplitGains {
 public:
  /// @param look_ahead     every k-th split looks ahead, the first included; 0: none
  /// @param squared_norms  [m], 1 / kappa of each mode
  ModeSplitGains(GainForm form, std::int64_t splits, std::int64_t look_ahead, const Tensor& squared_norms);

  bool looks_ahead(std::int64_t split) const { return look_ahead_ > 0 && split % look_ahead_ == 0; }
  std::int64_t look_ahead_splits() const;  // n_look
  const ParameterLayout& layout() const { return layout_; }
  /// What training finds for ices and silicon, in the constant terms. [P], float64
  Tensor start() const;

  SplitGains at(std::int64_t split, const double* parameters) const;
  std::vector<double> log_widening(const double* parameters) const;  // [m], s

  /// [m], v on the scale that the parameters carry
  std::vector<double> stiffness(const double* parameters) const;
  /// Adds what the gains of a split contribute to the gradient [P].
  void add_gradient(std::int64_t split, const GainSums& sums, double* gradient) const;
  /// The same of the widening.
  /// @param bar        [m], the derivative with respect to s
  /// @param stiffness  [m], v
  void add_widening_gradient(const double* bar, const std::vector<double>& stiffness, double* gradient) const;

 private:
  struct Term {
    int depth, stiffness;  // powers of x and v
    bool looking = false;  // counts where a split looks ahead
  };
  /// What a term is in a split, but for its power of v.
  double at_split(const Term& term, std::int64_t split) const;
  void evaluate(std::size_t entry, const std::vector<Term>& terms, std::int64_t split, double factor,
                const double* parameters, const std::vector<double>& stiffness, std::vector<double>& gains) const;
  void add_terms(std::size_t entry, std::int64_t split, double factor, const double (&sums)[3], double* gradient) const;

  bool has_scale() const;  // stiffness counts

  std::int64_t splits_, look_ahead_;
  double per_split_, per_look_;  // 1 / L, 1 / n_look
  std::vector<Term> terms_, widening_terms_;
  std::vector<double> log_kappa_;  // [m]
  ParameterLayout layout_;
};

}  // namespace bgw::flows
