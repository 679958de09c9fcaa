#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/crystal/cell.h"
#include "runtime/physics/kernels/kernel_table.h"

namespace bgw::physics {

/// full: each pair stands in the rows of both atoms; half: in one of them.
enum class ListKind { full, half };

/// Neighbours around fixed sites, periodic images included. Holds every pair whose site distance is below the reach.
/// Pairs somewhat farther apart are watched: they decide whether a displacement field outgrows the list.
class NeighbourList {
 public:
  /// All images within cutoff + skin.
  static NeighbourList within(const std::vector<crystal::Vector3>& sites, const crystal::Cell& cell, double cutoff,
                              double skin, ListKind kind);
  /// All pairs of different atoms; the kernels take the nearest image of each. For cells smaller than twice the cutoff,
  /// where the literature defines energies in this way.
  static NeighbourList of_nearest_images(const std::vector<crystal::Vector3>& sites, const crystal::Cell& cell,
                                         ListKind kind);

  /// Valid as long as this list lives and is not moved.
  kernels::NeighbourView view() const;
  std::int64_t entries() const { return static_cast<std::int64_t>(index_.size()); }
  std::int64_t widest_row() const { return widest_row_; }
  const std::vector<std::int64_t>& begin() const { return begin_; }
  const std::vector<std::int32_t>& index() const { return index_; }
  /// Whether the list holds every pair that is inside the cutoff under these displacements (3 per atom, relative ones
  /// count), and under a deformation F of the cell where one is given. False for displacements that are not finite, and
  /// for a deformed list of nearest images, which other images may replace.
  bool serves(const double* displacements, const crystal::Matrix3* deformation = nullptr) const;
  /// Whether it does so wherever atoms go by at most `length` from their sites.
  bool serves_within(double length) const { return 2.0 * length < (nearest_left_out_ - cutoff_) * (1.0 - 1e-9); }

 private:
  void append(std::int32_t j, const crystal::Vector3& offset);
  void close_row();
  struct Watched {
    std::int32_t i, j;
    double distance;
    crystal::Vector3 offset;
  };
  bool stays_out(const Watched& pair, const double* displacements, const crystal::Matrix3* deformation) const;

  std::vector<std::int64_t> begin_{0};
  std::vector<std::int32_t> index_;
  std::vector<double> offset_;
  std::vector<std::int64_t> owned_;
  std::optional<kernels::NearestImages> nearest_;
  double cutoff_ = 0;
  double nearest_left_out_ = 0;  // no pair that is nearer than this is missing
  double nearest_unwatched_ = 0;  // and none nearer than this is not even watched
  std::vector<Watched> watched_;
  std::int64_t widest_row_ = 0;
};

/// A skin after which the next shell of a crystal is well out of the cutoff's reach at ordinary temperatures: 0.3
/// interatomic distances, not above 0.3 cutoffs (28 neighbours for mW ice).
double default_skin(double volume_per_atom, double cutoff);

}  // namespace bgw::physics
