#include "runtime/sampling/box.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "runtime/foundation/errors.h"

namespace bgw::sampling {
namespace {

constexpr std::int64_t kSlots = 6;  // xx, yy, zz, xy, xz, yz

/// Which coordinate moves a component of F, by slot; -1: none.
std::vector<std::int64_t> coordinate_of_slots(BoxShape shape) {
  switch (shape) {
    case BoxShape::isotropic: return {0, 0, 0, -1, -1, -1};
    case BoxShape::a_eq_b: return {0, 0, 1, -1, -1, -1};
    case BoxShape::orthorhombic: return {0, 1, 2, -1, -1, -1};
    case BoxShape::triclinic: break;
  }
  return {0, 1, 2, 3, 4, 5};
}

/// The diagonal of ln F, [B, 3].
Tensor log_edges(BoxShape shape, const Tensor& coordinates) {
  const std::vector<std::int64_t> slots = coordinate_of_slots(shape);
  return coordinates.index_select(1, at::tensor({slots[0], slots[1], slots[2]}, at::kLong));
}

/// epsilon with dF = epsilon F for each slot, [B, 6, 3, 3].
Tensor strains_of_slots(const Tensor& deformation) {
  const std::int64_t batch = deformation.size(0);
  Tensor changes = at::zeros({batch, kSlots, 3, 3}, at::kDouble);
  for (std::int64_t k = 0; k < 3; ++k)
    changes.select(1, k).select(1, k).select(1, k).copy_(deformation.select(1, k).select(1, k));
  const std::vector<std::pair<std::int64_t, std::int64_t>> shears{{0, 1}, {0, 2}, {1, 2}};
  for (std::int64_t s = 0; s < 3; ++s) {
    const auto [row, column] = shears[static_cast<std::size_t>(s)];
    changes.select(1, 3 + s).select(1, row).select(1, column).fill_(1.0);
  }
  return at::matmul(changes, at::inverse(deformation).unsqueeze(1));
}

constexpr double kMostLogVolume = 1.3862943611198906;  // ln 4
constexpr double kDifference = 1e-4;
constexpr double kLongestStep = 0.05;
constexpr int kMostIterations = 60;

/// Enthalpy and its gradient of a batch of boxes with the atoms on their sites.
struct Enthalpy {
  Tensor value;     // [B], eV
  Tensor gradient;  // [B, d], eV
};

class StaticEnthalpy {
 public:
  StaticEnthalpy(const physics::EnergyModel& model, BoxShape shape, double pressure, double volume)
      : model_(model), shape_(shape), pressure_volume_(pressure * volume) {}

  Enthalpy at(const Tensor& coordinates) const {
    const Tensor sites = at::zeros({coordinates.size(0), model_.particles(), 3}, at::kDouble);
    const physics::EnergyGradientStrain value =
        model_.energy_gradient_and_strain(sites, deformation_of(shape_, coordinates));
    return {value.energy + pressure_volume_ * log_volume_ratio(shape_, coordinates).exp(),
            enthalpy_gradient(shape_, coordinates, value.strain_gradient, pressure_volume_)};
  }

 private:
  const physics::EnergyModel& model_;
  BoxShape shape_;
  double pressure_volume_;
};

/// Downhill by Newton's step where the surface curves upward; elsewhere along the slope, as far as the curvature's
/// size says. No coordinate moves further than kLongestStep.
Tensor downhill(const Tensor& gradient, const Tensor& hessian) {
  const auto [curvature, axes] = at::linalg_eigh(0.5 * (hessian + hessian.t()), "L");
  const Tensor size = curvature.abs().clamp_min(1e-6 * curvature.abs().max().item<double>() + 1e-300);
  const Tensor step = -axes.matmul(axes.t().matmul(gradient) / size);
  const double longest = step.abs().max().item<double>();
  return longest > kLongestStep ? step * (kLongestStep / longest) : step;
}

[[noreturn]] void refuse_box(double pressure, const Tensor& q, BoxShape shape) {
  throw NumericalError(fmt::format(
      "no box has the least enthalpy at a pressure of {:.6g} eV/angstrom^3: the search is at {:.4g} times the "
      "lattice's volume, the limit is a factor of 4; take a density nearer to that of the crystal at this pressure",
      pressure, std::exp(log_volume_ratio(shape, q.unsqueeze(0)).item<double>())));
}

}  // namespace

BoxShape box_shape(const std::string& word) {
  if (word == "isotropic") return BoxShape::isotropic;
  if (word == "a_eq_b") return BoxShape::a_eq_b;
  if (word == "orthorhombic") return BoxShape::orthorhombic;
  if (word == "triclinic") return BoxShape::triclinic;
  throw InputError("no box moves '" + word + "'; known are isotropic, a_eq_b, orthorhombic and triclinic");
}

std::int64_t freedom_of(BoxShape shape) {
  std::int64_t highest = 0;
  for (const std::int64_t coordinate : coordinate_of_slots(shape)) highest = std::max(highest, coordinate);
  return highest + 1;
}

Tensor deformation_of(BoxShape shape, const Tensor& coordinates) {
  if (coordinates.dim() != 2 || coordinates.size(1) != freedom_of(shape))
    throw ShapeError("coordinates of a box must have the shape [batch, freedom]");
  Tensor deformation = at::diag_embed(log_edges(shape, coordinates).exp());
  if (shape != BoxShape::triclinic) return deformation;
  deformation.select(1, 0).select(1, 1).copy_(coordinates.select(1, 3));
  deformation.select(1, 0).select(1, 2).copy_(coordinates.select(1, 4));
  deformation.select(1, 1).select(1, 2).copy_(coordinates.select(1, 5));
  return deformation;
}

Tensor coordinates_of(BoxShape shape, const Tensor& deformation) {
  const auto entry = [&](std::int64_t i, std::int64_t j) { return deformation.select(1, i).select(1, j); };
  const std::vector<Tensor> by_slot{entry(0, 0).log(), entry(1, 1).log(), entry(2, 2).log(),
                                    entry(0, 1),       entry(0, 2),       entry(1, 2)};
  const std::vector<std::int64_t> slots = coordinate_of_slots(shape);
  std::vector<Tensor> coordinates;
  for (std::int64_t k = 0; k < freedom_of(shape); ++k) {
    std::vector<Tensor> alike;
    for (std::size_t s = 0; s < slots.size(); ++s) {
      if (slots[s] == k) alike.push_back(by_slot[s]);
    }
    coordinates.push_back(at::stack(alike).mean(0));
  }
  return at::stack(coordinates, 1);
}

Tensor log_volume_ratio(BoxShape shape, const Tensor& coordinates) { return log_edges(shape, coordinates).sum(1); }

Tensor log_measure(BoxShape shape, const Tensor& coordinates, std::int64_t particles) {
  const Tensor log_ratio = log_volume_ratio(shape, coordinates);
  const auto n = static_cast<double>(particles);
  if (shape != BoxShape::triclinic) return (n + 1.0) * log_ratio;
  return (n - 1.0) * log_ratio + 2.0 * coordinates.select(1, 0) + coordinates.select(1, 1);
}

Tensor log_measure_gradient(BoxShape shape, std::int64_t particles) {
  const Tensor points =
      at::cat({at::zeros({1, freedom_of(shape)}, at::kDouble), at::eye(freedom_of(shape), at::kDouble)});
  const Tensor heights = log_measure(shape, points, particles);
  return heights.slice(0, 1) - heights[0];
}

Tensor enthalpy_gradient(BoxShape shape, const Tensor& coordinates, const Tensor& strain_gradient,
                         double pressure_volume) {
  const Tensor pressure_part =
      (pressure_volume * log_volume_ratio(shape, coordinates).exp()).view({-1, 1, 1}) * at::eye(3, at::kDouble);
  const Tensor strains = strains_of_slots(deformation_of(shape, coordinates));
  const Tensor by_slot = (strains * (strain_gradient + pressure_part).unsqueeze(1)).sum(3).sum(2);  // [B, 6]
  Tensor gradient = at::zeros_like(coordinates);
  const std::vector<std::int64_t> slots = coordinate_of_slots(shape);
  for (std::int64_t s = 0; s < kSlots; ++s) {
    const std::int64_t coordinate = slots[static_cast<std::size_t>(s)];
    if (coordinate >= 0) gradient.select(1, coordinate) += by_slot.select(1, s);
  }
  return gradient;
}

Tensor box_stiffness(const physics::EnergyModel& model, BoxShape shape, double pressure, double volume,
                     const Tensor& q) {
  const Tensor steps = kDifference * at::eye(freedom_of(shape), at::kDouble);
  const Enthalpy around = StaticEnthalpy(model, shape, pressure, volume).at(at::cat({q + steps, q - steps}));
  const std::vector<Tensor> sides = around.gradient.chunk(2, 0);
  return (sides[0] - sides[1]) / (2 * kDifference);
}

Tensor relaxed_box(const physics::EnergyModel& model, BoxShape shape, double pressure, double volume) {
  const std::int64_t freedom = freedom_of(shape);
  const StaticEnthalpy enthalpy(model, shape, pressure, volume);
  const Tensor steps = kDifference * at::eye(freedom, at::kDouble);
  Tensor q = at::zeros({freedom}, at::kDouble);
  for (int iteration = 0; iteration < kMostIterations; ++iteration) {
    const Enthalpy around = enthalpy.at(at::cat({q.unsqueeze(0), q + steps, q - steps}));
    const Tensor hessian =
        (around.gradient.narrow(0, 1, freedom) - around.gradient.narrow(0, 1 + freedom, freedom)) / (2 * kDifference);
    Tensor step = downhill(around.gradient[0], hessian);
    const double here = around.value[0].item<double>();
    // Rounding of the energy hides the last and smallest improvements.
    const double noise = 1e-13 * (std::abs(here) + 1.0);
    for (int halving = 0; halving < 8 && !(enthalpy.at((q + step).unsqueeze(0)).value.item<double>() <= here + noise);
         ++halving) {
      step = 0.5 * step;
    }
    q = q + step;
    if (std::abs(log_volume_ratio(shape, q.unsqueeze(0)).item<double>()) > kMostLogVolume) break;
    if (step.abs().max().item<double>() < 1e-9) return q;
  }
  refuse_box(pressure, q, shape);
}

}  // namespace bgw::sampling
