#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/crystal/cell.h"

namespace bgw::trajectory {

/// Says of the configurations of a file which atom belongs to which site of a crystal, and where it is from there.
///
/// The first configuration decides: the order of the file is that of the sites where every atom is nearer to its site than
/// half the distance of nearest neighbours; else each atom takes the site that is within that distance. Where neither
/// fits, the crystal of the file may stand elsewhere in the box, and is moved as a whole. Afterwards atoms keep their
/// sites, whatever side of the box they are written on, and a drift of all together is followed and taken away.
class SiteAssignment {
 public:
  /// @param sites  [N], Cartesian
  SiteAssignment(std::vector<crystal::Vector3> sites, const crystal::Cell& cell);

  /// Displacements in the order of the sites; their mean is zero, as a crystal has no place.
  /// @param positions  [N], in the order of the file, the same for all configurations, in the cell of the sites
  /// @param place      of the configuration, for messages
  /// @throws InputError for another number of atoms, a position that is not finite, atoms that belong to no site or two to
  ///         one, and an atom further from its site than half the distance of nearest neighbours: with the number
  std::vector<crystal::Vector3> displacements(const std::vector<crystal::Vector3>& positions, const std::string& place);

 private:
  void check(const std::vector<crystal::Vector3>& positions, const std::string& place) const;
  void assign(const std::vector<crystal::Vector3>& positions, const std::string& place);
  bool in_order(const std::vector<crystal::Vector3>& positions) const;
  /// Atoms by nearest site after a common shift; empty where an atom is far from all, or two want one site.
  std::vector<std::size_t> by_nearest_site(const std::vector<crystal::Vector3>& positions, const crystal::Vector3& shift) const;
  double distance_to_nearest_site(const crystal::Vector3& position, std::size_t& nearest) const;

  std::vector<crystal::Vector3> sites_;
  crystal::Cell cell_;
  double limit_ = 0;                 // half the distance of nearest neighbours
  std::vector<std::size_t> atom_of_;  // of each site; empty before the first configuration
  crystal::Vector3 drift_{};          // of the crystal as a whole
};

}  // namespace bgw::trajectory
