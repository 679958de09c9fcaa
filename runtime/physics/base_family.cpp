#include "runtime/physics/base_family.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/array.h"

namespace bgw::physics {
namespace {

/// Lagrange's polynomials on the nodes, at x.
std::vector<double> lagrange(const std::vector<double>& nodes, double x) {
  std::vector<double> weights(nodes.size(), 1.0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      if (j != i) weights[i] *= (x - nodes[j]) / (nodes[i] - nodes[j]);
    }
  }
  return weights;
}

/// Their products over the coordinates, the last one fastest.
std::vector<double> node_weights(const BaseFamily& family, const std::vector<double>& state) {
  const std::vector<double> nodes = chebyshev_nodes(family.nodes);
  std::vector<double> weights{1.0};
  for (const double x : state) {
    const std::vector<double> own = lagrange(nodes, x);
    std::vector<double> products;
    for (const double before : weights) {
      for (const double weight : own) products.push_back(before * weight);
    }
    weights = std::move(products);
  }
  return weights;
}

/// One node after the other, so that threads change no digit.
Tensor combined(const Tensor& kept, const std::vector<double>& weights) {
  Tensor sum = at::zeros_like(kept[0]);
  for (std::size_t k = 0; k < weights.size(); ++k) sum.add_(kept[static_cast<std::int64_t>(k)], weights[k]);
  return sum;
}

}  // namespace

std::vector<double> chebyshev_nodes(std::int64_t nodes) {
  std::vector<double> places(static_cast<std::size_t>(nodes));
  for (std::size_t i = 0; i < places.size(); ++i) {
    places[places.size() - 1 - i] = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(nodes));
  }
  // The middle one exactly, and the others as opposites.
  for (std::size_t i = 0; i < places.size() / 2; ++i) places[i] = -places[places.size() - 1 - i];
  if (places.size() % 2 == 1) places[places.size() / 2] = 0.0;
  return places;
}

std::vector<std::vector<double>> node_grid(std::int64_t axes, std::int64_t nodes) {
  std::vector<std::vector<double>> grid{{}};
  for (std::int64_t a = 0; a < axes; ++a) {
    std::vector<std::vector<double>> finer;
    for (const std::vector<double>& state : grid) {
      for (const double x : chebyshev_nodes(nodes)) {
        finer.push_back(state);
        finer.back().push_back(x);
      }
    }
    grid = std::move(finer);
  }
  return grid;
}

FamilyMember interpolated(const BaseFamily& family, const std::vector<double>& state) {
  if (std::ssize(state) != family.axes) throw ShapeError("a state of a base needs a number for each of its coordinates");
  const std::vector<double> weights = node_weights(family, state);
  return {{family.group, combined(family.constants, weights)}, combined(family.shift, weights)};
}

void add_to(artifacts::Artifact& artifact, const BaseFamily& family) {
  const TranslationGroup& group = family.group;
  Tensor atoms = at::empty({group.cells(), group.basis}, at::kLong);
  std::copy(group.atoms.begin(), group.atoms.end(), atoms.data_ptr<std::int64_t>());
  artifact.arrays["nodes/periods"] =
      tensor::to_array(at::tensor({group.periods[0], group.periods[1], group.periods[2]}, at::kLong));
  artifact.arrays["nodes/atoms"] = tensor::to_array(atoms);
  artifact.arrays["nodes/constants"] = tensor::to_array(family.constants, "eV/angstrom^2");
  artifact.arrays["nodes/shift"] = tensor::to_array(family.shift, "angstrom");
}

BaseFamily base_family_from(const artifacts::Artifact& artifact, std::int64_t axes) {
  BaseFamily family;
  family.axes = axes;
  const std::vector<std::int64_t>& d = artifact.array("nodes/periods").integers;
  family.group = translation_group({d.at(0), d.at(1), d.at(2)}, artifact.array("nodes/atoms").integers);
  family.constants = tensor::to_tensor(artifact.array("nodes/constants"));
  family.shift = tensor::to_tensor(artifact.array("nodes/shift"));
  const auto states = static_cast<double>(family.constants.size(0));
  family.nodes = std::llround(std::pow(states, 1.0 / static_cast<double>(axes)));
  return family;
}

}  // namespace bgw::physics
