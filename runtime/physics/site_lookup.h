#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/crystal/cell.h"

namespace bgw::physics {

/// Finds the atom of a periodic crystal that stands at a place, in constant time.
class SiteLookup {
 public:
  /// @param tolerance  how far from a site a place may be, well below half the distance of two sites
  SiteLookup(std::vector<crystal::Vector3> sites, const crystal::Cell& cell, double tolerance);

  /// The atom at `position` or one of its periodic images; -1 where none stands.
  std::int64_t find(const crystal::Vector3& position) const;

 private:
  using Bin = std::array<std::int64_t, 3>;
  crystal::Vector3 wrapped(const crystal::Vector3& position) const;
  std::size_t flat(const Bin& bin) const;
  std::int64_t find_in(std::size_t bin, const crystal::Vector3& position) const;

  std::vector<crystal::Vector3> sites_;
  crystal::Cell cell_;
  double tolerance_;
  crystal::Vector3 margin_{};  // the tolerance in bins
  Bin count_{1, 1, 1};
  std::vector<std::int32_t> begin_, members_;  // atoms bin after bin
};

}  // namespace bgw::physics
