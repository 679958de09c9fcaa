#include "runtime/sampling/basin.h"

#include <vector>

#include "runtime/crystal/neighbours.h"

namespace bgw::sampling {
namespace {

std::vector<crystal::Vector3> points_of(const Tensor& sites) {
  const Tensor dense = sites.contiguous();
  const double* x = dense.data_ptr<double>();
  std::vector<crystal::Vector3> points;
  for (std::int64_t i = 0; i < dense.size(0); ++i, x += 3) points.push_back({x[0], x[1], x[2]});
  return points;
}

}  // namespace

Basin::Basin(const Tensor& sites, const crystal::Cell& cell)
    : Basin(crystal::closest_pair(cell, points_of(sites)).distance) {}

Excursion Basin::excursion(const Tensor& displacements) const {
  const Tensor squares = (displacements - displacements.mean(1, true)).square().sum(2);
  return {squares.amax(1).sqrt(), squares.mean(1).sqrt() / nearest_neighbour_};
}

Tensor Basin::holds(const Excursion& excursion) const {
  return (excursion.furthest <= furthest_limit()).logical_and(excursion.lindemann <= lindemann_limit());
}

}  // namespace bgw::sampling
