#include "runtime/trajectory/site_assignment.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/crystal/neighbours.h"
#include "runtime/foundation/errors.h"

namespace bgw::trajectory {
namespace {

using crystal::Vector3;

Vector3 minus(const Vector3& a, const Vector3& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }

double length(const Vector3& a) { return std::sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]); }

}  // namespace

SiteAssignment::SiteAssignment(std::vector<Vector3> sites, const crystal::Cell& cell) : sites_(std::move(sites)), cell_(cell) {
  limit_ = 0.5 * crystal::closest_pair(cell_, sites_).distance;
}

void SiteAssignment::check(const std::vector<Vector3>& positions, const std::string& place) const {
  if (positions.size() != sites_.size()) {
    throw InputError(fmt::format("{} has {} atoms, the crystal of the system {}", place, positions.size(), sites_.size()));
  }
  for (std::size_t i = 0; i < positions.size(); ++i) {
    for (const double x : positions[i]) {
      if (!std::isfinite(x)) throw InputError(fmt::format("{}: the position of atom {} is not finite", place, i + 1));
    }
  }
}

bool SiteAssignment::in_order(const std::vector<Vector3>& positions) const {
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    if (length(cell_.minimum_image(minus(positions[i], sites_[i]))) >= limit_) return false;
  }
  return true;
}

double SiteAssignment::distance_to_nearest_site(const Vector3& position, std::size_t& nearest) const {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < sites_.size(); ++k) {
    const double distance = length(cell_.minimum_image(minus(position, sites_[k])));
    if (distance >= least) continue;
    least = distance;
    nearest = k;
  }
  return least;
}

std::vector<std::size_t> SiteAssignment::by_nearest_site(const std::vector<Vector3>& positions, const Vector3& shift) const {
  const std::size_t none = positions.size();
  std::vector<std::size_t> atoms(sites_.size(), none);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    std::size_t site = 0;
    if (distance_to_nearest_site(minus(positions[i], shift), site) >= limit_ || atoms[site] != none) return {};
    atoms[site] = i;
  }
  return atoms;
}

void SiteAssignment::assign(const std::vector<Vector3>& positions, const std::string& place) {
  if (in_order(positions)) {
    atom_of_.resize(sites_.size());
    std::iota(atom_of_.begin(), atom_of_.end(), std::size_t{0});
    return;
  }
  atom_of_ = by_nearest_site(positions, {});
  for (std::size_t k = 0; atom_of_.empty() && k < sites_.size(); ++k) {
    drift_ = minus(positions.front(), sites_[k]);
    atom_of_ = by_nearest_site(positions, drift_);
  }
  if (!atom_of_.empty()) return;
  std::size_t worst = 0, site = 0;
  double furthest = 0;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const double distance = distance_to_nearest_site(positions[i], site);
    if (distance > furthest) {
      furthest = distance;
      worst = i;
    }
  }
  const std::string far = furthest >= limit_ ? fmt::format("atom {} is {:.3g} from the nearest site, limit {:.3g} (half the distance of nearest neighbours)", worst + 1, furthest, limit_)
                                             : "two atoms are nearest to one site";
  throw InputError(fmt::format("{} is no configuration of this crystal, wherever it is moved: {}; is it of another lattice, in another unit, or molten?", place, far));
}

std::vector<Vector3> SiteAssignment::displacements(const std::vector<Vector3>& positions, const std::string& place) {
  check(positions, place);
  if (atom_of_.empty()) assign(positions, place);
  std::vector<Vector3> u(sites_.size());
  Vector3 mean{};
  for (std::size_t k = 0; k < sites_.size(); ++k) {
    u[k] = cell_.minimum_image(minus(minus(positions[atom_of_[k]], sites_[k]), drift_));
    for (std::size_t d = 0; d < 3; ++d) mean[d] += u[k][d] / static_cast<double>(sites_.size());
  }
  for (std::size_t k = 0; k < sites_.size(); ++k) {
    u[k] = minus(u[k], mean);
    if (length(u[k]) < limit_) continue;
    throw InputError(fmt::format("{}: atom {} is {:.3g} from its site, limit {:.3g} (half the distance of nearest neighbours): the crystal has left its structure",
                                 place, atom_of_[k] + 1, length(u[k]), limit_));
  }
  for (std::size_t d = 0; d < 3; ++d) drift_[d] += mean[d];
  return u;
}

}  // namespace bgw::trajectory
