#include "runtime/crystal/neighbours.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace bgw::crystal {
namespace {

std::int64_t floor_divided(std::int64_t n, std::int64_t by) { return n >= 0 ? n / by : -((by - 1 - n) / by); }

double shortest_vector(const Cell& cell) {
  const Vector3 lengths = cell.lengths();
  return *std::min_element(lengths.begin(), lengths.end());
}

double room_of(const Cell& cell, std::size_t sites) { return std::cbrt(cell.volume() / static_cast<double>(sites)); }

/// Sites in boxes along the cell vectors. A box is as wide as the cutoff where the cell is wide enough, else the search
/// goes through several images of the cell.
class Grid {
 public:
  /// @param short_cell  reduced: a crooked cell is thinner than its vectors are long, and a search through its images
  ///                    would not end
  Grid(const Cell& short_cell, const std::vector<Vector3>& sites, double cutoff) : cell_(short_cell), cutoff_(cutoff) {
    const Vector3 heights = cell_.heights();
    const auto most = static_cast<std::int64_t>(std::cbrt(static_cast<double>(sites.size()))) + 1;
    for (std::size_t k = 0; k < 3; ++k) {
      const double fitting = std::floor(heights[k] / cutoff);
      boxes_[k] = fitting < 1.0 ? 1 : std::min(most, static_cast<std::int64_t>(std::min(fitting, 1e6)));
      reach_[k] = static_cast<std::int64_t>(std::ceil(cutoff * static_cast<double>(boxes_[k]) / heights[k] * (1.0 + 1e-12)));
    }
    for (const Vector3& site : sites) {
      Vector3 f = cell_.fractional(site);
      for (double& x : f) x -= std::floor(x);
      inside_.push_back(cell_.cartesian(f));
      for (std::size_t k = 0; k < 3; ++k)
        box_of_.push_back(std::min(boxes_[k] - 1, static_cast<std::int64_t>(f[k] * static_cast<double>(boxes_[k]))));
    }
    sort_into_boxes();
  }

  /// visit(j, squared distance) for every image of every site within the cutoff of site i, i itself left out.
  template <class Visit>
  void around(std::size_t i, Visit visit) const {
    const std::int64_t* home = &box_of_[3 * i];
    for (std::int64_t x = home[0] - reach_[0]; x <= home[0] + reach_[0]; ++x) {
      for (std::int64_t y = home[1] - reach_[1]; y <= home[1] + reach_[1]; ++y) {
        for (std::int64_t z = home[2] - reach_[2]; z <= home[2] + reach_[2]; ++z) visit_box(i, {x, y, z}, visit);
      }
    }
  }

 private:
  void sort_into_boxes() {
    first_.assign(static_cast<std::size_t>(boxes_[0] * boxes_[1] * boxes_[2]) + 1, 0);
    for (std::size_t i = 0; i < inside_.size(); ++i) ++first_[box_number(&box_of_[3 * i]) + 1];
    for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
    sorted_.resize(inside_.size());
    std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
    for (std::size_t i = 0; i < inside_.size(); ++i) sorted_[next[box_number(&box_of_[3 * i])]++] = i;
  }

  std::size_t box_number(const std::int64_t* box) const {
    return static_cast<std::size_t>((box[0] * boxes_[1] + box[1]) * boxes_[2] + box[2]);
  }

  template <class Visit>
  void visit_box(std::size_t i, std::array<std::int64_t, 3> box, Visit& visit) const {
    Vector3 image{};
    for (std::size_t k = 0; k < 3; ++k) {
      const std::int64_t turns = floor_divided(box[k], boxes_[k]);
      image[k] = static_cast<double>(turns);
      box[k] -= turns * boxes_[k];
    }
    const Vector3 shift = cell_.cartesian(image);
    const bool home = image == Vector3{};
    const std::size_t number = box_number(box.data());
    for (std::size_t at = first_[number]; at < first_[number + 1]; ++at) {
      const std::size_t j = sorted_[at];
      if (home && j == i) continue;
      const double dx = inside_[j][0] + shift[0] - inside_[i][0];
      const double dy = inside_[j][1] + shift[1] - inside_[i][1];
      const double dz = inside_[j][2] + shift[2] - inside_[i][2];
      const double squared = dx * dx + dy * dy + dz * dz;
      if (squared <= cutoff_ * cutoff_) visit(j, squared);
    }
  }

  Cell cell_;
  double cutoff_;
  std::array<std::int64_t, 3> boxes_{1, 1, 1}, reach_{1, 1, 1};
  std::vector<Vector3> inside_;          // the sites moved into the cell
  std::vector<std::int64_t> box_of_;     // [sites * 3]
  std::vector<std::size_t> first_, sorted_;
};

}  // namespace

Pair closest_pair(const Cell& cell, const std::vector<Vector3>& sites) {
  if (sites.empty()) throw std::logic_error("closest_pair: no sites");
  const Cell lattice = cell.reduced();
  const double densest = std::pow(2.0, 1.0 / 6.0) * room_of(cell, sites.size());
  const Grid grid(lattice, sites, std::min(densest, shortest_vector(lattice)) * (1.0 + 1e-9));
  Pair closest{0, 0, INFINITY};
  for (std::size_t i = 0; i < sites.size(); ++i) {
    grid.around(i, [&](std::size_t j, double squared) {
      const double distance = std::sqrt(squared);
      if (distance < closest.distance * (1.0 - 1e-9)) closest = {i, j, distance};
    });
  }
  return closest;
}

Vector3 nearest_image(const Cell& reduced, const Vector3& displacement) {
  const Vector3 rounded = reduced.minimum_image(displacement);
  if (reduced.is_orthorhombic()) return rounded;
  const auto square = [](const Vector3& x) { return x[0] * x[0] + x[1] * x[1] + x[2] * x[2]; };
  Vector3 nearest = rounded;
  for (double a = -1.0; a <= 1.0; ++a) {
    for (double b = -1.0; b <= 1.0; ++b) {
      for (double c = -1.0; c <= 1.0; ++c) {
        const Vector3 shift = reduced.cartesian({a, b, c});
        const Vector3 image{rounded[0] + shift[0], rounded[1] + shift[1], rounded[2] + shift[2]};
        if (square(image) < square(nearest)) nearest = image;
      }
    }
  }
  return nearest;
}

std::vector<double> distances_from(const Cell& cell, const std::vector<Vector3>& sites, std::size_t site, double cutoff) {
  std::vector<double> found;
  const Grid grid(cell.reduced(), sites, cutoff);
  grid.around(site, [&](std::size_t, double squared) { found.push_back(std::sqrt(squared)); });
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<std::size_t> lonely_site(const Cell& cell, const std::vector<Vector3>& sites, double cutoff) {
  const Cell lattice = cell.reduced();
  std::vector<std::size_t> alone(sites.size());
  std::iota(alone.begin(), alone.end(), std::size_t{0});
  // Most atoms have a neighbour nearby: a wide search is for the few that have none.
  for (double reach = std::min(cutoff, 1.2 * room_of(cell, sites.size()));; reach = std::min(cutoff, 2.0 * reach)) {
    const Grid grid(lattice, sites, reach);
    std::erase_if(alone, [&](std::size_t i) {
      bool has_neighbour = false;
      grid.around(i, [&](std::size_t, double) { has_neighbour = true; });
      return has_neighbour;
    });
    if (alone.empty()) return std::nullopt;
    if (reach >= cutoff) return alone.front();
  }
}

}  // namespace bgw::crystal
