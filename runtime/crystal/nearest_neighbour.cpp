#include "runtime/crystal/nearest_neighbour.h"

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"

namespace bgw::crystal {
namespace {

/// No arrangement of points keeps them further apart than the densest packing of spheres does.
double largest_nearest_distance(std::size_t sites, double volume) {
  return std::pow(2.0, 1.0 / 6.0) * std::cbrt(volume / static_cast<double>(sites)) * (1.0 + 1e-9);
}

/// Sites in boxes of at least `reach` between opposite faces.
class Boxes {
 public:
  Boxes(const std::vector<Vector3>& sites, const Cell& cell, double reach) : cell_(cell) {
    const Vector3 heights = cell.heights();
    for (std::size_t k = 0; k < 3; ++k) {
      count_[k] = std::max(1, static_cast<int>(heights[k] / reach));
      reach_[k] = std::max(1, static_cast<int>(std::ceil(reach * count_[k] / heights[k])));
    }
    members_.resize(static_cast<std::size_t>(count_[0] * count_[1] * count_[2]));
    for (std::size_t i = 0; i < sites.size(); ++i) {
      std::array<int, 3> box{};
      Vector3 wrap{};
      const Vector3 s = cell.fractional(sites[i]);
      for (std::size_t k = 0; k < 3; ++k) {
        const double inside = s[k] - std::floor(s[k]);
        box[k] = std::min(count_[k] - 1, static_cast<int>(inside * count_[k]));
        wrap[k] = std::floor(s[k]);
      }
      const Vector3 shift = cell.cartesian(wrap);
      wrapped_.push_back({sites[i][0] - shift[0], sites[i][1] - shift[1], sites[i][2] - shift[2]});
      boxes_.push_back(box);
      members_[index(box)].push_back(i);
    }
  }

  /// Squared distance from site i to the nearest other one around it.
  double nearest_squared(std::size_t i) const {
    double least = HUGE_VAL;
    for (int x = -reach_[0]; x <= reach_[0]; ++x) {
      for (int y = -reach_[1]; y <= reach_[1]; ++y) {
        for (int z = -reach_[2]; z <= reach_[2]; ++z) least = std::min(least, nearest_in(i, {x, y, z}));
      }
    }
    return least;
  }

 private:
  std::size_t index(const std::array<int, 3>& box) const {
    return (static_cast<std::size_t>(box[0]) * static_cast<std::size_t>(count_[1]) + static_cast<std::size_t>(box[1])) *
               static_cast<std::size_t>(count_[2]) +
           static_cast<std::size_t>(box[2]);
  }

  double nearest_in(std::size_t i, const std::array<int, 3>& offset) const {
    std::array<int, 3> box{};
    Vector3 images{};
    for (std::size_t k = 0; k < 3; ++k) {
      const int place = boxes_[i][k] + offset[k];
      images[k] = std::floor(static_cast<double>(place) / count_[k]);
      box[k] = place - static_cast<int>(images[k]) * count_[k];
    }
    const Vector3 shift = cell_.cartesian(images);
    const bool home = images == Vector3{};
    double least = HUGE_VAL;
    for (const std::size_t j : members_[index(box)]) {
      if (home && j == i) continue;
      double squared = 0;
      for (std::size_t d = 0; d < 3; ++d) {
        const double delta = wrapped_[j][d] + shift[d] - wrapped_[i][d];
        squared += delta * delta;
      }
      least = std::min(least, squared);
    }
    return least;
  }

  const Cell& cell_;
  std::array<int, 3> count_{}, reach_{};
  std::vector<Vector3> wrapped_;
  std::vector<std::array<int, 3>> boxes_;
  std::vector<std::vector<std::size_t>> members_;
};

}  // namespace

double nearest_neighbour_distance(const std::vector<Vector3>& sites, const Cell& cell) {
  if (sites.empty()) throw InputError("a crystal without sites has no nearest neighbours");
  const double volume = cell.volume();
  if (!(volume > 0) || !std::isfinite(volume)) throw InputError("the cell of the crystal has no volume");
  const Boxes boxes(sites, cell, largest_nearest_distance(sites.size(), volume));
  double least = HUGE_VAL;
  for (std::size_t i = 0; i < sites.size(); ++i) least = std::min(least, boxes.nearest_squared(i));
  return std::sqrt(least);
}

}  // namespace bgw::crystal
