#pragma once

#include <cstdint>
#include <vector>

#include "runtime/artifacts/artifact.h"
#include "runtime/physics/force_constants.h"

namespace bgw::physics {

/// The force constants of a crystal over a box of states, as polynomials of each coordinate of the state on [-1, 1]: kept at
/// the nodes of Chebyshev, which lie inside the box, so that the error is nearly the least there is, and the same at the
/// ends. What depends on a state smoothly, such as the self-consistent force constants on temperature and volume, is then known
/// everywhere without a call of the energy.
struct BaseFamily {
  std::int64_t axes = 0;   // coordinates of a state
  std::int64_t nodes = 0;  // of each coordinate
  TranslationGroup group;
  Tensor constants;  // [nodes^axes, n_b, 3, cells, n_b, 3], energy/length^2; the last coordinate runs fastest
  Tensor shift;      // [nodes^axes, N, 3], from the perfect sites to those of the base
};

/// One state of it.
struct FamilyMember {
  ForceConstants constants;
  Tensor shift;  // [N, 3]
};

/// cos(pi (i + 1/2) / nodes), ascending.
std::vector<double> chebyshev_nodes(std::int64_t nodes);
/// All combinations of them, the last coordinate fastest. [nodes^axes][axes]
std::vector<std::vector<double>> node_grid(std::int64_t axes, std::int64_t nodes);

/// The polynomials at a state. At a node they give what is kept there.
/// @throws ShapeError for a state of other coordinates
FamilyMember interpolated(const BaseFamily& family, const std::vector<double>& state);

/// Arrays nodes/periods, nodes/atoms, nodes/constants and nodes/shift, and back.
void add_to(artifacts::Artifact& artifact, const BaseFamily& family);
/// @param axes  coordinates of a state
BaseFamily base_family_from(const artifacts::Artifact& artifact, std::int64_t axes);

}  // namespace bgw::physics
