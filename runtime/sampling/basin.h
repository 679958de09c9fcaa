#pragma once

#include <string>

#include "runtime/crystal/cell.h"
#include "runtime/tensor/tensor.h"

namespace bgw::sampling {

/// How far configurations are from their crystal, the centre of mass removed.
struct Excursion {
  Tensor furthest;   // [B], largest distance of an atom from its own site, angstrom
  Tensor lindemann;  // [B], rms distance from the site over the nearest-neighbour distance
};

/// The basin of a crystal: every atom is nearer to its own site than to where a neighbour begins. A configuration has
/// left it when an atom is further than half the nearest-neighbour distance from its own site, or when the Lindemann
/// ratio exceeds 0.2. Crystals melt at ratios of 0.1 to 0.15, so the second says that no crystal is left.
class Basin {
 public:
  /// @param nearest_neighbour  distance of nearest sites, angstrom
  explicit Basin(double nearest_neighbour) : nearest_neighbour_(nearest_neighbour) {}
  /// @param sites [N, 3], angstrom
  Basin(const Tensor& sites, const crystal::Cell& cell);

  double nearest_neighbour() const { return nearest_neighbour_; }
  double furthest_limit() const { return 0.5 * nearest_neighbour_; }  // angstrom
  static constexpr double lindemann_limit() { return 0.2; }

  /// @param displacements [B, N, 3], angstrom
  Excursion excursion(const Tensor& displacements) const;
  /// Where a configuration is still in the basin, bool [B]; one that is not a number is not.
  Tensor holds(const Excursion& excursion) const;

 private:
  double nearest_neighbour_;
};

/// More than a quarter of some chains have left: throws NumericalError with the number that broke the limit.
/// @param where    what the chains are, "in state 2 of 3 (lambda 0.5)"
/// @param outside  bool [chains], those that have left
[[noreturn]] void refuse_melted(const Basin& basin, const Excursion& excursion, const Tensor& outside,
                                const std::string& where);
inline bool too_many_left(std::int64_t left, std::int64_t chains) { return 4 * left > chains; }

}  // namespace bgw::sampling
