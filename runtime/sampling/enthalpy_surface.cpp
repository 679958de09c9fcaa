#include "runtime/sampling/enthalpy_surface.h"

#include <cmath>
#include <limits>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

constexpr double kFurthest = 2.772588722239781;  // ln 16, of a coordinate of the box
constexpr int kPowerIterations = 24;
constexpr double kDifference = 1e-4;  // of the spacing of atoms

/// The root of how many edges each coordinate moves; one for a shear.
Tensor lengths_of(BoxShape shape) {
  return log_volume_ratio(shape, at::eye(freedom_of(shape), at::kDouble)).clamp_min(1.0).sqrt();
}

}  // namespace

EnthalpySurface::EnthalpySurface(const physics::EnergyModel& model, double volume, BoxShape shape, double pressure, bool sites_move)
    : model_(model), shape_(shape), pressure_volume_(pressure * volume), spacing_(std::cbrt(volume / static_cast<double>(model.particles()))),
      box_lengths_(lengths_of(shape) * std::sqrt(static_cast<double>(model.particles())) * spacing_), sites_move_(sites_move) {}

EnthalpySurface EnthalpySurface::keeping(const physics::CrystalSymmetry& symmetry) const {
  EnthalpySurface kept = *this;
  if (shape_ != BoxShape::triclinic) kept.symmetry_ = &symmetry;
  return kept;
}

Tensor EnthalpySurface::displacements(const Tensor& points) const {
  if (points.dim() != 2 || points.size(1) != width()) throw ShapeError("points of an enthalpy surface must have the shape [batch, width]");
  return points.narrow(1, 0, 3 * particles()).reshape({points.size(0), particles(), 3});
}

Tensor EnthalpySurface::box(const Tensor& points) const {
  if (points.dim() != 2 || points.size(1) != width()) throw ShapeError("points of an enthalpy surface must have the shape [batch, width]");
  return points.narrow(1, 3 * particles(), freedom_of(shape_)) / box_lengths_;
}

// The slope by the metric C = F^T F is F^-1 S F^-T / 2, with S that by a strain on top of F; a rotation of the crystal takes it
// to R of it R^T, as it takes a slope by the sites to R of it.
void EnthalpySurface::symmetrise(const Tensor& deformation, physics::EnergyGradientStrain& value) const {
  const Tensor inverse = at::inverse(deformation);
  const Tensor by_metric = at::matmul(inverse, at::matmul(value.strain_gradient, inverse.transpose(1, 2)));
  Tensor mean = at::zeros_like(by_metric);
  for (const physics::PointOperation& operation : symmetry_->rotations) {
    mean += at::matmul(operation.rotation, at::matmul(by_metric, operation.rotation.t()));
  }
  mean /= static_cast<double>(symmetry_->rotations.size());
  value.strain_gradient = at::matmul(deformation, at::matmul(mean, deformation.transpose(1, 2)));
  for (std::int64_t b = 0; b < value.gradient.size(0); ++b) value.gradient[b].copy_(symmetry_->average(value.gradient[b]));
}

HeightAndSlope EnthalpySurface::at(const Tensor& points) const {
  const Tensor q = box(points);
  const Tensor far = q.abs().amax(1) > kFurthest;
  const Tensor inside = at::where(far.unsqueeze(1), at::zeros_like(q), q);
  const Tensor deformation = deformation_of(shape_, inside);
  physics::EnergyGradientStrain value = model_.energy_gradient_and_strain(displacements(points), deformation);
  if (symmetry_ != nullptr) symmetrise(deformation, value);

  const Tensor ratio = sampling::log_volume_ratio(shape_, inside).exp();
  Tensor height = value.energy + pressure_volume_ * ratio;
  Tensor slope = at::zeros_like(points);
  if (sites_move_) slope.narrow(1, 0, 3 * particles()).copy_(value.gradient.flatten(1));
  slope.narrow(1, 3 * particles(), freedom_of(shape_))
      .copy_(enthalpy_gradient(shape_, inside, value.strain_gradient, pressure_volume_) / box_lengths_);
  height.masked_fill_(far, std::numeric_limits<double>::infinity());
  slope.masked_fill_(far.unsqueeze(1), 0.0);
  return {height, slope};
}

double stiffest_curvature(const EnthalpySurface& surface, const Tensor& point) {
  Tensor direction = tensor::RandomStream(plan::Key{}, "stiffest").normal(0, 0, 1, surface.width());
  if (!surface.sites_move()) direction.narrow(1, 0, 3 * surface.particles()).zero_();
  const double step = kDifference * surface.spacing();
  double curvature = 0;
  for (int k = 0; k < kPowerIterations; ++k) {
    direction /= direction.norm().item<double>();
    const Tensor slopes = surface.at(at::cat({point + step * direction, point - step * direction})).slope;
    direction = (slopes.narrow(0, 0, 1) - slopes.narrow(0, 1, 1)) / (2 * step);
    curvature = direction.norm().item<double>();
    if (!(curvature > 0) || !std::isfinite(curvature)) throw NumericalError("the enthalpy of the crystal has no curvature");
  }
  return curvature;
}

}  // namespace bgw::sampling
