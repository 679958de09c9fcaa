#include "runtime/physics/quadratic_energy_model.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "runtime/foundation/errors.h"
#include "runtime/physics/deformation.h"
#include "runtime/physics/neighbour_list.h"

namespace bgw::physics {
namespace {

using crystal::Matrix3;
using crystal::Vector3;

constexpr Matrix3 kIdentity{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};

double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

/// strain += (a b^T + b a^T) / 2
void add_symmetric(const Vector3& a, const Vector3& b, double* strain) {
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t d = 0; d < 3; ++d) strain[3 * c + d] += 0.5 * (a[c] * b[d] + a[d] * b[c]);
  }
}

void add(double* gradient, std::int64_t i, const Vector3& g, double factor) {
  for (std::size_t d = 0; d < 3; ++d) gradient[3 * i + static_cast<std::int64_t>(d)] += factor * g[d];
}

}  // namespace

/// Rows of the results; all but the energy may be null.
struct QuadraticEnergyModel::Results {
  double* energy;
  double* gradient;
  double* strain;
};

void QuadraticEnergyModel::check(const Tensor& field, const char* name) const {
  if (field.dim() != 3 || field.size(1) != particles_ || field.size(2) != 3)
    throw ShapeError(std::string(name) + " must have the shape [batch, " + std::to_string(particles_) + ", 3]");
  if (field.scalar_type() != at::kDouble || !field.device().is_cpu())
    throw ShapeError(std::string(name) + " must be float64 on the CPU");
}

void QuadraticEnergyModel::evaluate_batch(const Tensor& u, const Tensor* deformation, const Results& out) const {
  const std::int64_t width = 3 * particles_;
  at::parallel_for(0, u.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const Matrix3 f = deformation == nullptr ? kIdentity : matrix_at(deformation->data_ptr<double>() + 9 * b);
      out.energy[b] =
          evaluate(u.data_ptr<double>() + b * width, f, out.gradient == nullptr ? nullptr : out.gradient + b * width,
                   out.strain == nullptr ? nullptr : out.strain + 9 * b);
    }
  });
}

Tensor QuadraticEnergyModel::energy(const Tensor& displacements) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  Tensor result = at::empty({u.size(0)}, at::kDouble);
  evaluate_batch(u, nullptr, {result.data_ptr<double>(), nullptr, nullptr});
  energy_calls_ += u.size(0);
  return result;
}

EnergyAndGradient QuadraticEnergyModel::energy_and_gradient(const Tensor& displacements) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  EnergyAndGradient result{at::empty({u.size(0)}, at::kDouble), at::zeros(u.sizes(), at::kDouble)};
  evaluate_batch(u, nullptr, {result.energy.data_ptr<double>(), result.gradient.data_ptr<double>(), nullptr});
  gradient_calls_ += u.size(0);
  return result;
}

// The gradient is linear: at the vectors it is the Hessian times them.
GradientAndProduct QuadraticEnergyModel::gradient_and_product(const Tensor& displacements,
                                                              const Tensor& vectors) const {
  check(displacements, "displacements");
  check(vectors, "vectors");
  if (displacements.size(0) != vectors.size(0)) throw ShapeError("displacements and vectors must have the same batch");
  const Tensor u = displacements.detach().contiguous();
  const Tensor v = vectors.detach().contiguous();
  const Tensor unused = at::empty({u.size(0)}, at::kDouble);
  GradientAndProduct result{at::zeros(u.sizes(), at::kDouble), at::zeros(u.sizes(), at::kDouble)};
  evaluate_batch(u, nullptr, {unused.data_ptr<double>(), result.gradient.data_ptr<double>(), nullptr});
  evaluate_batch(v, nullptr, {unused.data_ptr<double>(), result.product.data_ptr<double>(), nullptr});
  hessian_calls_ += u.size(0);
  return result;
}

Tensor QuadraticEnergyModel::hessian_sum(const Tensor& displacements) const {
  check(displacements, "displacements");
  const std::int64_t width = 3 * particles_;
  const Tensor unit = at::eye(width, at::kDouble).reshape({width, particles_, 3}).contiguous();
  const Tensor unused = at::empty({width}, at::kDouble);
  const Tensor hessian = at::zeros({width, width}, at::kDouble);
  evaluate_batch(unit, nullptr, {unused.data_ptr<double>(), hessian.data_ptr<double>(), nullptr});
  hessian_calls_ += displacements.size(0);
  return 0.5 * static_cast<double>(displacements.size(0)) * (hessian + hessian.t());
}

Tensor QuadraticEnergyModel::energy(const Tensor& displacements, const Tensor& deformation) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  const Tensor f = deformation.detach().contiguous();
  check_deformation(f, u.size(0));
  Tensor result = at::empty({u.size(0)}, at::kDouble);
  evaluate_batch(u, &f, {result.data_ptr<double>(), nullptr, nullptr});
  energy_calls_ += u.size(0);
  return result;
}

EnergyGradientStrain QuadraticEnergyModel::energy_gradient_and_strain(const Tensor& displacements,
                                                                      const Tensor& deformation) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  const Tensor f = deformation.detach().contiguous();
  check_deformation(f, u.size(0));
  EnergyGradientStrain result{at::empty({u.size(0)}, at::kDouble), at::zeros(u.sizes(), at::kDouble),
                              at::zeros({u.size(0), 3, 3}, at::kDouble)};
  evaluate_batch(u, &f,
                 {result.energy.data_ptr<double>(), result.gradient.data_ptr<double>(),
                  result.strain_gradient.data_ptr<double>()});
  gradient_calls_ += u.size(0);
  return result;
}

double EinsteinEnergyModel::evaluate(const double* u, const Matrix3& f, double* gradient, double* strain) const {
  const std::int64_t n = particles();
  Vector3 mean{};
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::size_t d = 0; d < 3; ++d) mean[d] += u[3 * i + static_cast<std::int64_t>(d)] / static_cast<double>(n);
  }
  double sum = 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double* own = u + 3 * i;
    const Vector3 x = crystal::product(f, {own[0] - mean[0], own[1] - mean[1], own[2] - mean[2]});
    sum += dot(x, x);
    // The deviations from the mean add up to zero, so that moving the mean costs nothing.
    if (gradient != nullptr) add(gradient, i, crystal::transposed_product(f, x), spring_);
    if (strain != nullptr) add_symmetric({spring_ * x[0], spring_ * x[1], spring_ * x[2]}, x, strain);
  }
  return 0.5 * spring_ * sum;
}

HarmonicEnergyModel::HarmonicEnergyModel(double spring, double cutoff, const std::vector<Vector3>& sites,
                                         const crystal::Cell& cell)
    : QuadraticEnergyModel(static_cast<std::int64_t>(sites.size())), spring_(spring) {
  // The list ends before its cutoff; neighbours at the distance itself belong to the crystal.
  const NeighbourList list = NeighbourList::within(sites, cell, cutoff * (1.0 + 1e-9), 0.0, ListKind::half);
  const kernels::NeighbourView view = list.view();
  for (std::int64_t i = 0; i < view.atoms; ++i) {
    for (std::int64_t e = view.begin[i]; e < view.begin[i + 1]; ++e) {
      const Vector3 d{view.offset[3 * e], view.offset[3 * e + 1], view.offset[3 * e + 2]};
      const double r = std::sqrt(dot(d, d));
      if (!(r > 0.0)) throw InputError(fmt::format("two sites of the crystal are one: {} and {}", i, view.index[e]));
      springs_.push_back({static_cast<std::int32_t>(i), view.index[e], d, {d[0] / r, d[1] / r, d[2] / r}});
    }
  }
  if (springs_.empty())
    throw InputError(fmt::format("no two sites of the crystal are within {:g} angstrom: no spring is tied", cutoff));
}

double HarmonicEnergyModel::evaluate(const double* u, const Matrix3& f, double* gradient, double* strain) const {
  double sum = 0.0;
  for (const Spring& s : springs_) {
    const double* a = u + 3 * static_cast<std::int64_t>(s.i);
    const double* b = u + 3 * static_cast<std::int64_t>(s.j);
    const Vector3 moved{b[0] - a[0], b[1] - a[1], b[2] - a[2]};
    const Vector3 x =
        crystal::product(f, {s.separation[0] + moved[0], s.separation[1] + moved[1], s.separation[2] + moved[2]});
    const Vector3 rest = crystal::product(f, s.separation);
    const Vector3 bent = crystal::product(f, moved);
    // Two differences, so that small displacements do not drown in the length of the spring.
    const double stretch =
        dot(s.direction, bent) +
        dot(s.direction, {rest[0] - s.separation[0], rest[1] - s.separation[1], rest[2] - s.separation[2]});
    sum += stretch * stretch;
    const double force = spring_ * stretch;
    if (gradient != nullptr) {
      const Vector3 g = crystal::transposed_product(f, s.direction);
      add(gradient, s.i, g, -force);
      add(gradient, s.j, g, force);
    }
    if (strain != nullptr)
      add_symmetric({force * s.direction[0], force * s.direction[1], force * s.direction[2]}, x, strain);
  }
  return 0.5 * spring_ * sum;
}

}  // namespace bgw::physics
