#include "runtime/sampling/basin.h"

#include <fmt/format.h>

#include <vector>

#include "runtime/crystal/neighbours.h"
#include "runtime/foundation/errors.h"

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

void refuse_melted(const Basin& basin, const Excursion& excursion, const Tensor& outside, const std::string& where) {
  const Tensor furthest = at::where(outside, excursion.furthest, at::full_like(excursion.furthest, -1.0));
  const std::int64_t chain = furthest.argmax().item<std::int64_t>();
  throw NumericalError(fmt::format(
      "the crystal melts or leaves its structure: {} {} of {} chains have left its basin; in chain {} an atom is "
      "now "
      "{:.4g} angstrom from its site, the limit is {:.4g} (half the distance of nearest neighbours), the Lindemann "
      "ratio is "
      "{:.3g}, the limit {:.2g}; take a lower temperature or a higher density",
      where, outside.sum().item<std::int64_t>(), outside.numel(), chain, excursion.furthest[chain].item<double>(),
      basin.furthest_limit(), excursion.lindemann[chain].item<double>(), Basin::lindemann_limit()));
}

}  // namespace bgw::sampling
