#include "runtime/physics/site_lookup.h"

#include <algorithm>
#include <cmath>

namespace bgw::physics {

using crystal::Vector3;

SiteLookup::SiteLookup(std::vector<Vector3> sites, const crystal::Cell& cell, double tolerance)
    : sites_(std::move(sites)), cell_(cell), tolerance_(tolerance) {
  const Vector3 heights = cell_.heights();
  const double spacing = std::cbrt(cell_.volume() / static_cast<double>(sites_.size()));
  for (std::size_t k = 0; k < 3; ++k) {
    count_[k] = std::max<std::int64_t>(1, static_cast<std::int64_t>(heights[k] / spacing));
    margin_[k] = tolerance_ / heights[k] * static_cast<double>(count_[k]);
  }
  const auto bins = static_cast<std::size_t>(count_[0] * count_[1] * count_[2]);
  std::vector<std::size_t> bin_of;
  for (const Vector3& site : sites_) {
    const Vector3 s = wrapped(site);
    Bin bin{};
    for (std::size_t k = 0; k < 3; ++k) bin[k] = std::min(static_cast<std::int64_t>(s[k]), count_[k] - 1);
    bin_of.push_back(flat(bin));
  }
  begin_.assign(bins + 1, 0);
  for (const std::size_t bin : bin_of) ++begin_[bin + 1];
  for (std::size_t bin = 0; bin < bins; ++bin) begin_[bin + 1] += begin_[bin];
  std::vector<std::int32_t> next(begin_.begin(), begin_.end() - 1);
  members_.resize(sites_.size());
  for (std::size_t i = 0; i < sites_.size(); ++i)
    members_[static_cast<std::size_t>(next[bin_of[i]]++)] = static_cast<std::int32_t>(i);
}

/// Position in units of bins, in [0, count).
Vector3 SiteLookup::wrapped(const Vector3& position) const {
  Vector3 s = cell_.fractional(position);
  for (std::size_t k = 0; k < 3; ++k) s[k] = (s[k] - std::floor(s[k])) * static_cast<double>(count_[k]);
  return s;
}

std::size_t SiteLookup::flat(const Bin& bin) const {
  return static_cast<std::size_t>((bin[0] * count_[1] + bin[1]) * count_[2] + bin[2]);
}

std::int64_t SiteLookup::find_in(std::size_t bin, const Vector3& position) const {
  for (std::int32_t m = begin_[bin]; m < begin_[bin + 1]; ++m) {
    const std::int32_t atom = members_[static_cast<std::size_t>(m)];
    const Vector3& site = sites_[static_cast<std::size_t>(atom)];
    Vector3 s = cell_.fractional({position[0] - site[0], position[1] - site[1], position[2] - site[2]});
    for (double& x : s) x -= std::nearbyint(x);
    const Vector3 d = cell_.cartesian(s);
    if (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < tolerance_ * tolerance_) return atom;
  }
  return -1;
}

// A place near the face of its bin may belong to a site in the next one.
std::int64_t SiteLookup::find(const Vector3& position) const {
  const Vector3 s = wrapped(position);
  std::array<std::array<std::int64_t, 2>, 3> range{};
  for (std::size_t k = 0; k < 3; ++k) {
    range[k] = {static_cast<std::int64_t>(std::floor(s[k] - margin_[k])),
                static_cast<std::int64_t>(std::floor(s[k] + margin_[k]))};
  }
  const auto into = [&](std::int64_t bin, std::size_t k) { return (bin % count_[k] + count_[k]) % count_[k]; };
  for (std::int64_t x = range[0][0]; x <= range[0][1]; ++x) {
    for (std::int64_t y = range[1][0]; y <= range[1][1]; ++y) {
      for (std::int64_t z = range[2][0]; z <= range[2][1]; ++z) {
        const std::int64_t found = find_in(flat({into(x, 0), into(y, 1), into(z, 2)}), position);
        if (found >= 0) return found;
      }
    }
  }
  return -1;
}

}  // namespace bgw::physics
