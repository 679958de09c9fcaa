#include "runtime/phases/surface.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "runtime/foundation/errors.h"
#include "runtime/phases/thermal.h"

namespace bgw::phases {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

std::size_t box_variables_of(BoxFreedom freedom) {
  return freedom == BoxFreedom::isotropic ? 1 : freedom == BoxFreedom::a_eq_b ? 2 : 3;
}

std::vector<double> logarithms(const BoxState& state, BoxFreedom freedom) {
  std::vector<double> result{std::log(state.volume)};
  if (freedom != BoxFreedom::isotropic) result.push_back(std::log(state.c_over_a));
  if (freedom == BoxFreedom::orthorhombic) result.push_back(std::log(state.b_over_a));
  return result;
}

Variable range_of(const char* name, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {name, *low, *high};
}

/// The temperature first, then the variables of the box.
std::vector<Variable> variables_of(const std::vector<BoxState>& states, BoxFreedom freedom) {
  if (states.empty()) throw InputError("a free-energy surface needs measured states, there are none");
  const char* names[] = {"ln v", "ln c/a", "ln b/a"};
  std::vector<std::vector<double>> values(1 + box_variables_of(freedom));
  for (const BoxState& state : states) {
    values[0].push_back(state.temperature);
    const std::vector<double> box = logarithms(state, freedom);
    for (std::size_t d = 0; d < box.size(); ++d) values[d + 1].push_back(box[d]);
  }
  std::vector<Variable> result{range_of("T", values[0])};
  for (std::size_t d = 1; d < values.size(); ++d) result.push_back(range_of(names[d - 1], values[d]));
  return result;
}

Polynomial polynomial_of(std::vector<Variable> variables, const SurfaceDegrees& degrees) {
  std::vector<int> wanted;
  for (std::size_t d = 0; d < variables.size(); ++d) {
    const int degree = d == 0 ? degrees.temperature : d == 1 ? degrees.volume : degrees.shape;
    const bool one_value = !(variables[d].low < variables[d].high);
    if (one_value && d > 0) throw InputError("all measured states have one " + variables[d].name + ": vary it, or hold it fixed");
    wanted.push_back(one_value ? 0 : degree);
  }
  return {std::move(variables), wanted, degrees.total};
}

Tensor matrix_of(const std::vector<std::vector<double>>& rows) {
  Tensor result = at::empty({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows.front().size())}, at::kDouble);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy(rows[i].begin(), rows[i].end(), result[static_cast<std::int64_t>(i)].data_ptr<double>());
  }
  return result;
}

/// Whether equations whose coefficients are scaled to one length have one solution.
bool determined(const Tensor& design) {
  if (design.size(0) < design.size(1)) return false;
  const Tensor scaled = design / at::linalg_vector_norm(design, 2, {0}).clamp_min(1e-300);
  const Tensor spectrum = at::linalg_eigvalsh(at::matmul(scaled.t(), scaled), "L");
  return spectrum[0].item<double>() > 1e-12 * spectrum[-1].item<double>();
}

/// Whether values at the states, without derivatives, tell all coefficients.
bool told_by_values(const Polynomial& polynomial, const std::vector<BoxState>& states, BoxFreedom freedom) {
  if (polynomial.size() > states.size()) return false;
  std::vector<std::vector<double>> rows;
  for (const BoxState& state : states) {
    std::vector<double> at = logarithms(state, freedom);
    at.insert(at.begin(), state.temperature);
    rows.push_back(polynomial.row(at, Polynomial::Powers(at.size(), 0)));
  }
  return determined(matrix_of(rows));
}

/// The polynomial of most terms that energies at the measured states tell, which come without derivatives; of two with as many the one
/// of higher degree in the volume.
Polynomial energy_polynomial_of(const std::vector<BoxState>& states, BoxFreedom freedom, const SurfaceDegrees& degrees) {
  const auto of = [&](int volume, int shape) {
    SurfaceDegrees lower = degrees;
    lower.volume = volume;
    lower.shape = shape;
    return polynomial_of(variables_of(states, freedom), lower);
  };
  Polynomial best = of(0, 0);
  for (int volume = degrees.volume; volume >= 0; --volume) {
    for (int shape = freedom == BoxFreedom::isotropic ? 0 : degrees.shape; shape >= 0; --shape) {
      Polynomial polynomial = of(volume, shape);
      if (polynomial.size() > best.size() && told_by_values(polynomial, states, freedom)) best = std::move(polynomial);
    }
  }
  return best;
}

}  // namespace

/// A x = B y + c: A multiplies the coefficients, B picks numbers of the measurements.
struct Surface::Equations {
  std::size_t coefficients, numbers;
  std::vector<std::vector<double>> design, picks;
  std::vector<double> offset;

  void add(std::vector<double> row, std::vector<std::pair<std::size_t, double>> of_numbers, double less = 0.0) {
    row.resize(coefficients, 0.0);
    design.push_back(std::move(row));
    std::vector<double> pick(numbers, 0.0);
    for (const auto& [number, factor] : of_numbers) pick[number] += factor;
    picks.push_back(std::move(pick));
    offset.push_back(-less);
  }
};

namespace {

/// Edges that are not free keep one ratio: along a line of shapes f has other slopes than the pressures tell.
void refuse_other_ratios(const std::vector<BoxState>& states, BoxFreedom freedom) {
  const BoxState& first = states.front();
  const auto differ = [](double a, double b) { return std::abs(a - b) > 1e-9 * std::abs(b); };
  for (const BoxState& state : states) {
    if (freedom == BoxFreedom::isotropic && differ(state.c_over_a, first.c_over_a)) {
      throw InputError(fmt::format("c/a is {:.6g} in one state and {:.6g} in another: let it be free with `box = a_eq_b`, or give all states one", first.c_over_a, state.c_over_a));
    }
    if (freedom != BoxFreedom::orthorhombic && differ(state.b_over_a, first.b_over_a)) {
      throw InputError(fmt::format("b/a is {:.6g} in one state and {:.6g} in another: let it be free with `box = orthorhombic`, or give all states one", first.b_over_a, state.b_over_a));
    }
  }
}

}  // namespace

Surface::Surface(const Measurements& measured, BoxFreedom freedom, const SurfaceDegrees& degrees)
    : box_freedom_(freedom),
      polynomial_(polynomial_of(variables_of(measured.states, freedom), degrees)),
      energy_polynomial_(energy_polynomial_of(measured.states, freedom, degrees)) {
  if (measured.numbers.size() != Measurements::kNumbers * measured.states.size()) {
    throw std::logic_error("five numbers are measured at each state");
  }
  refuse_other_ratios(measured.states, freedom);
  lowest_temperature_ = polynomial_.variables()[0].low;
  highest_temperature_ = polynomial_.variables()[0].high;
  over_temperatures_ = lowest_temperature_ < highest_temperature_;
  c_over_a_ = measured.states.front().c_over_a;
  b_over_a_ = measured.states.front().b_over_a;
  solve(equations(measured), measured.numbers);
}

std::size_t Surface::shape_variables() const { return box_variables_of(box_freedom_); }

std::vector<double> Surface::point(double temperature, const std::vector<double>& box) const {
  std::vector<double> result{temperature};
  result.insert(result.end(), box.begin(), box.end());
  return result;
}

Polynomial::Powers Surface::derivative(int by_temperature, std::size_t first, std::size_t second) const {
  Polynomial::Powers powers(1 + shape_variables(), 0);
  powers[0] = by_temperature;
  if (first != kNone) ++powers[1 + first];
  if (second != kNone) ++powers[1 + second];
  return powers;
}

Surface::Equations Surface::equations(const Measurements& measured) const {
  const std::size_t coefficients = polynomial_.size() + (over_temperatures_ ? 0 : energy_polynomial_.size());
  Equations result{coefficients, measured.numbers.size(), {}, {}, {}};
  for (const BoxState& state : measured.states) add_state(state, result);
  return result;
}

void Surface::add_state(const BoxState& state, Equations& equations) const {
  const std::size_t first = Measurements::kNumbers * (equations.design.size() / (2 + shape_variables()));
  const std::size_t f = first, u = first + 1, xx = first + 2, yy = first + 3, zz = first + 4;
  const double t = state.temperature, v = state.volume;
  const std::vector<double> at = point(t, logarithms(state, box_freedom_));
  const auto row = [&](int by_temperature, std::size_t by_box, double factor) {
    std::vector<double> result = polynomial_.row(at, derivative(by_temperature, by_box, kNone));
    for (double& number : result) number *= factor;
    return result;
  };

  equations.add(row(0, kNone, 1.0), {{f, 1.0}}, over_temperatures_ ? thermal_free_energy(t) : 0.0);
  if (over_temperatures_) {
    std::vector<double> energy = row(0, kNone, 1.0);
    const std::vector<double> slope = row(1, kNone, t);
    for (std::size_t k = 0; k < energy.size(); ++k) energy[k] -= slope[k];
    equations.add(std::move(energy), {{u, 1.0}}, thermal_energy(t));
  } else {
    std::vector<double> energy(polynomial_.size(), 0.0);
    const std::vector<double> own = energy_polynomial_.row(at, derivative(0, kNone, kNone));
    energy.insert(energy.end(), own.begin(), own.end());
    equations.add(std::move(energy), {{u, 1.0}});
  }
  equations.add(row(0, 0, -1.0 / v), {{xx, 1.0 / 3}, {yy, 1.0 / 3}, {zz, 1.0 / 3}});
  if (shape_variables() > 1) equations.add(row(0, 1, -1.0 / v), {{xx, -1.0 / 3}, {yy, -1.0 / 3}, {zz, 2.0 / 3}});
  if (shape_variables() > 2) equations.add(row(0, 2, -1.0 / v), {{xx, -1.0 / 3}, {yy, 2.0 / 3}, {zz, -1.0 / 3}});
}

namespace {

Tensor vector_of(const std::vector<double>& numbers) {
  return at::tensor(numbers, at::TensorOptions().dtype(at::kDouble));
}

/// L^-1, L L^T the covariance: what makes the errors of equations independent and of size one.
Tensor whitening(const Tensor& covariance) {
  const Tensor scale = covariance.diagonal().sqrt();
  if (!(scale > 0).all().item<bool>()) throw InputError("a measured number has no error: surfaces are fitted to numbers with errors");
  const Tensor correlation = covariance / (scale.unsqueeze(0) * scale.unsqueeze(1));
  // Errors of few replicates may be bound together more tightly than rounding can tell.
  const Tensor lifted = correlation + 1e-10 * at::eye(correlation.size(0), at::kDouble);
  const Tensor lower = at::linalg_cholesky(lifted);
  const Tensor inverse = at::linalg_solve(lower, at::eye(lower.size(0), at::kDouble));
  return inverse / scale.unsqueeze(0);
}

}  // namespace

void Surface::solve(const Equations& equations, const JointNormal& numbers) {
  const Tensor picks = matrix_of(equations.picks);
  const Tensor measured = at::matmul(picks, vector_of(numbers.mean)) + vector_of(equations.offset);
  const Tensor whitener = whitening(at::matmul(picks, at::matmul(numbers.covariance, picks.t())));
  const Tensor design = at::matmul(whitener, matrix_of(equations.design));
  freedom_ = static_cast<int>(design.size(0) - design.size(1));
  if (freedom_ < 0) {
    throw InputError(fmt::format("{} numbers cannot determine the {} coefficients of a surface: measure more states, or lower its degrees",
                                 design.size(0), design.size(1)));
  }
  const Tensor scale = at::linalg_vector_norm(design, 2, {0});
  const Tensor scaled = design / scale;
  const Tensor normal = at::matmul(scaled.t(), scaled);
  if (!determined(scaled)) {
    throw InputError("the measured states do not determine the surface: vary them in every variable of it, or lower its degrees");
  }
  const Tensor inverse = at::linalg_inv(normal);
  const Tensor target = at::matmul(whitener, measured);
  const Tensor found = at::matmul(inverse, at::matmul(scaled.t(), target)) / scale;
  chi_square_ = (target - at::matmul(design, found)).square().sum().item<double>();
  coefficients_.mean.assign(found.data_ptr<double>(), found.data_ptr<double>() + found.numel());
  coefficients_.covariance = inverse / (scale.unsqueeze(0) * scale.unsqueeze(1)) * std::pow(widening(), 2);
}

double Surface::widening() const { return freedom_ > 0 ? std::sqrt(std::max(1.0, chi_square_ / freedom_)) : 1.0; }

double Surface::free_energy(double temperature, const std::vector<double>& box,
                            const std::vector<double>& coefficients) const {
  const double value = polynomial_.value(point(temperature, box), derivative(0, kNone, kNone), coefficients);
  return over_temperatures_ ? value + thermal_free_energy(temperature) : value;
}

std::vector<double> Surface::gradient(double temperature, const std::vector<double>& box,
                                      const std::vector<double>& coefficients) const {
  std::vector<double> result;
  for (std::size_t d = 0; d < shape_variables(); ++d) {
    result.push_back(polynomial_.value(point(temperature, box), derivative(0, d, kNone), coefficients));
  }
  return result;
}

Tensor Surface::curvature(double temperature, const std::vector<double>& box,
                          const std::vector<double>& coefficients) const {
  const std::size_t count = shape_variables();
  Tensor result = at::empty({static_cast<std::int64_t>(count), static_cast<std::int64_t>(count)}, at::kDouble);
  auto entries = result.accessor<double, 2>();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      entries[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(j)] =
          polynomial_.value(point(temperature, box), derivative(0, i, j), coefficients);
    }
  }
  return result;
}

double Surface::energy(double temperature, const std::vector<double>& box,
                       const std::vector<double>& coefficients) const {
  const std::vector<double> at = point(temperature, box);
  if (!over_temperatures_) {
    const std::vector<double> own(coefficients.begin() + static_cast<std::ptrdiff_t>(polynomial_.size()), coefficients.end());
    return energy_polynomial_.value(at, derivative(0, kNone, kNone), own);
  }
  return polynomial_.value(at, derivative(0, kNone, kNone), coefficients) -
         temperature * polynomial_.value(at, derivative(1, kNone, kNone), coefficients) + thermal_energy(temperature);
}

std::vector<double> Surface::box_variables(const BoxState& state) const { return logarithms(state, box_freedom_); }

BoxState Surface::state_of(double temperature, const std::vector<double>& box) const {
  BoxState state{temperature, std::exp(box[0]), c_over_a_, b_over_a_};
  if (box.size() > 1) state.c_over_a = std::exp(box[1]);
  if (box.size() > 2) state.b_over_a = std::exp(box[2]);
  return state;
}

bool Surface::holds(double temperature, const std::vector<double>& box) const {
  const double slack = 1e-9 * highest_temperature_;
  if (temperature < lowest_temperature_ - slack || temperature > highest_temperature_ + slack) return false;
  std::vector<double> at = point(temperature, box);
  at[0] = lowest_temperature_;
  return polynomial_.holds(at);
}

const Variable& Surface::box_range(std::size_t variable) const { return polynomial_.variables()[1 + variable]; }

}  // namespace bgw::phases
