#include "runtime/physics/neighbour_list.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace bgw::physics {
namespace {

using crystal::Cell;
using crystal::Matrix3;
using crystal::Vector3;

Vector3 difference(const Vector3& a, const Vector3& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
double norm(const Vector3& a) { return std::sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]); }

struct Neighbour {
  std::int32_t atom;
  std::array<int, 3> image;  // lattice vectors added to the site difference
  Vector3 offset;
  double distance;
};

/// Atoms sorted into bins at least as wide as the search radius, or one bin where the cell is narrower.
class Bins {
 public:
  Bins(const std::vector<Vector3>& sites, const Cell& cell, double radius)
      : sites_(sites), cell_(cell), radius_(radius) {
    const Vector3 heights = cell.heights();
    const int most = std::max(1, static_cast<int>(std::cbrt(static_cast<double>(sites.size()))) + 1);
    for (std::size_t k = 0; k < 3; ++k) {
      count_[k] = std::clamp(static_cast<int>(std::min(heights[k] / radius, 1e6)), 1, most);
      reach_[k] = static_cast<int>(std::ceil(radius / (heights[k] / count_[k])));
    }
    members_.resize(static_cast<std::size_t>(count_[0]) * count_[1] * count_[2]);
    for (std::size_t i = 0; i < sites.size(); ++i) sort_in(i);
  }

  /// Calls visit(Neighbour) for every image of every atom within the radius of atom i, itself at zero left out.
  template <class Visit>
  void around(std::size_t i, Visit visit) const {
    for (int x = -reach_[0]; x <= reach_[0]; ++x) {
      for (int y = -reach_[1]; y <= reach_[1]; ++y) {
        for (int z = -reach_[2]; z <= reach_[2]; ++z) visit_bin(i, {x, y, z}, visit);
      }
    }
  }

 private:
  void sort_in(std::size_t i) {
    const Vector3 s = cell_.fractional(sites_[i]);
    std::array<int, 3> home{};
    std::array<int, 3> bin{};
    for (std::size_t k = 0; k < 3; ++k) {
      const double whole = std::floor(s[k]);
      home[k] = static_cast<int>(whole);
      bin[k] = std::min(static_cast<int>((s[k] - whole) * count_[k]), count_[k] - 1);
    }
    home_.push_back(home);
    bin_.push_back(bin);
    members_[flat(bin)].push_back(static_cast<std::int32_t>(i));
  }

  std::size_t flat(const std::array<int, 3>& bin) const {
    return (static_cast<std::size_t>(bin[0]) * count_[1] + bin[1]) * count_[2] + bin[2];
  }

  template <class Visit>
  void visit_bin(std::size_t i, const std::array<int, 3>& step, Visit& visit) const {
    std::array<int, 3> bin{};
    std::array<int, 3> image{};
    for (std::size_t k = 0; k < 3; ++k) {
      const int target = bin_[i][k] + step[k];
      image[k] = static_cast<int>(std::floor(static_cast<double>(target) / count_[k]));
      bin[k] = target - image[k] * count_[k];
    }
    for (const std::int32_t j : members_[flat(bin)]) {
      std::array<int, 3> total{};
      for (std::size_t k = 0; k < 3; ++k) total[k] = image[k] + home_[i][k] - home_[static_cast<std::size_t>(j)][k];
      if (static_cast<std::size_t>(j) == i && total == std::array<int, 3>{0, 0, 0}) continue;
      const Vector3 shift = cell_.cartesian({double(total[0]), double(total[1]), double(total[2])});
      Vector3 d = difference(sites_[static_cast<std::size_t>(j)], sites_[i]);
      for (std::size_t k = 0; k < 3; ++k) d[k] += shift[k];
      const double r = norm(d);
      if (r < radius_) visit(Neighbour{j, total, d, r});
    }
  }

  const std::vector<Vector3>& sites_;
  const Cell& cell_;
  double radius_;
  std::array<int, 3> count_{};
  std::array<int, 3> reach_{};
  std::vector<std::array<int, 3>> home_;
  std::vector<std::array<int, 3>> bin_;
  std::vector<std::vector<std::int32_t>> members_;
};

/// How far each atom is displaced, less the mean displacement.
std::vector<double> deviations(const double* u, std::size_t atoms) {
  double mean[3] = {0, 0, 0};
  for (std::size_t i = 0; i < atoms; ++i) {
    for (std::size_t d = 0; d < 3; ++d) mean[d] += u[3 * i + d] / static_cast<double>(atoms);
  }
  std::vector<double> found(atoms);
  for (std::size_t i = 0; i < atoms; ++i) {
    const double x = u[3 * i] - mean[0], y = u[3 * i + 1] - mean[1], z = u[3 * i + 2] - mean[2];
    found[i] = std::sqrt(x * x + y * y + z * z);
  }
  return found;
}

/// The sum of the two largest; infinite where one is not a number.
double largest_two(const std::vector<double>& deviation) {
  double largest = 0;
  double second = 0;
  for (const double x : deviation) {
    if (!(x <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::infinity();
    second = std::max(second, std::min(x, largest));
    largest = std::max(largest, x);
  }
  return largest + second;
}

/// A bound from below on |F x| / |x|: the root of the smallest eigenvalue of F^T F, that of a cubic, less its rounding.
double smallest_stretch(const Matrix3& f) {
  double c[3][3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) c[i][j] += f[k][i] * f[k][j];
    }
  }
  const double mean = (c[0][0] + c[1][1] + c[2][2]) / 3.0;
  const double off = c[0][1] * c[0][1] + c[0][2] * c[0][2] + c[1][2] * c[1][2];
  const double x = c[0][0] - mean, y = c[1][1] - mean, z = c[2][2] - mean;
  const double spread = std::sqrt((x * x + y * y + z * z + 2.0 * off) / 6.0);
  if (spread < 1e-8 * mean) return std::sqrt(mean * (1.0 - 1e-7));
  const double determinant = x * (y * z - c[1][2] * c[1][2]) - c[0][1] * (c[0][1] * z - c[1][2] * c[0][2]) +
                             c[0][2] * (c[0][1] * c[1][2] - y * c[0][2]);
  const double angle = std::acos(std::clamp(determinant / (2.0 * spread * spread * spread), -1.0, 1.0)) / 3.0;
  const double least = mean + 2.0 * spread * std::cos(angle + 2.0 * std::numbers::pi / 3.0);
  return std::sqrt(std::max(least - 1e-7 * mean, 0.0));
}

kernels::NearestImages nearest_images(const Cell& cell) {
  const Cell reduced = cell.reduced();
  const Matrix3 reciprocal = reduced.reciprocal();
  kernels::NearestImages images{};
  for (std::size_t k = 0; k < 3; ++k) {
    std::copy(reduced.vectors[k].begin(), reduced.vectors[k].end(), images.cell + 3 * k);
    std::copy(reciprocal[k].begin(), reciprocal[k].end(), images.reciprocal + 3 * k);
  }
  images.orthorhombic = reduced.is_orthorhombic();
  return images;
}

/// One of the two entries of a pair is its owner: the one at the lower atom, or at the positive image of itself.
bool owns(std::size_t i, const Neighbour& n) {
  const auto self = static_cast<std::int32_t>(i);
  return n.atom != self ? self < n.atom : n.image > std::array<int, 3>{0, 0, 0};
}

}  // namespace

double default_skin(double volume_per_atom, double cutoff) {
  return 0.3 * std::min(std::cbrt(volume_per_atom), cutoff);
}

void NeighbourList::append(std::int32_t j, const Vector3& offset) {
  index_.push_back(j);
  offset_.insert(offset_.end(), offset.begin(), offset.end());
}

void NeighbourList::close_row() {
  widest_row_ = std::max(widest_row_, entries() - begin_.back());
  begin_.push_back(entries());
}

NeighbourList NeighbourList::within(const std::vector<Vector3>& sites, const Cell& cell, double cutoff, double skin,
                                    ListKind kind) {
  // With a skin the search goes on to the next shells, which decide how far atoms may move before a pair is missing.
  const double reach = cutoff + skin;
  const double radius = reach + 2.0 * skin;
  NeighbourList list;
  double excluded = radius;
  const Bins bins(sites, cell, radius);
  std::vector<Neighbour> row;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    row.clear();
    bins.around(i, [&](const Neighbour& n) {
      if (n.distance < reach) {
        row.push_back(n);
        return;
      }
      excluded = std::min(excluded, n.distance);
      if (owns(i, n)) list.watched_.push_back({static_cast<std::int32_t>(i), n.atom, n.distance, n.offset});
    });
    std::sort(row.begin(), row.end(), [](const Neighbour& a, const Neighbour& b) {
      return a.atom != b.atom ? a.atom < b.atom : a.image < b.image;
    });
    const auto first =
        std::find_if(row.begin(), row.end(), [&](const Neighbour& n) { return owns(i, n); });  // and all after it
    if (kind == ListKind::full)
      std::for_each(row.begin(), first, [&](const Neighbour& n) { list.append(n.atom, n.offset); });
    list.owned_.push_back(list.entries());
    std::for_each(first, row.end(), [&](const Neighbour& n) { list.append(n.atom, n.offset); });
    list.close_row();
  }
  list.cutoff_ = cutoff;
  list.nearest_left_out_ = excluded;
  list.nearest_unwatched_ = radius;
  return list;
}

NeighbourList NeighbourList::of_nearest_images(const std::vector<Vector3>& sites, const Cell& cell, ListKind kind) {
  NeighbourList list;
  list.nearest_ = nearest_images(cell);
  list.nearest_left_out_ = std::numeric_limits<double>::infinity();
  list.nearest_unwatched_ = list.nearest_left_out_;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    const auto append = [&](std::size_t j) {
      list.append(static_cast<std::int32_t>(j), difference(sites[j], sites[i]));
    };
    for (std::size_t j = 0; j < i && kind == ListKind::full; ++j) append(j);
    list.owned_.push_back(list.entries());
    for (std::size_t j = i + 1; j < sites.size(); ++j) append(j);
    list.close_row();
  }
  return list;
}

// A pair that stands at the offset o in the list stands at F (o + du), which is no shorter than the smallest stretch of
// F times |o| - |du|, and no relative displacement du exceeds the sum of the two deviations from the mean. Where the
// two largest are too coarse a bound the watched pairs are looked at one by one, by their own deviations and at last as
// they are.
bool NeighbourList::serves(const double* u, const Matrix3* deformation) const {
  const std::vector<double> deviation = deviations(u, begin_.size() - 1);
  const double bound = largest_two(deviation);
  if (!(bound <= std::numeric_limits<double>::max()) || (nearest_ && deformation != nullptr)) return false;
  const double cutoff = deformation == nullptr ? cutoff_ : cutoff_ / smallest_stretch(*deformation);
  const auto keeps_out = [cutoff](double distance, double moved) { return moved < (distance - cutoff) * (1.0 - 1e-9); };
  if (keeps_out(nearest_left_out_, bound)) return true;
  return keeps_out(nearest_unwatched_, bound) && std::all_of(watched_.begin(), watched_.end(), [&](const Watched& w) {
           return keeps_out(w.distance,
                            deviation[static_cast<std::size_t>(w.i)] + deviation[static_cast<std::size_t>(w.j)]) ||
                  stays_out(w, u, deformation);
         });
}

bool NeighbourList::stays_out(const Watched& w, const double* u, const Matrix3* deformation) const {
  Vector3 x = w.offset;
  for (std::size_t d = 0; d < 3; ++d)
    x[d] += u[3 * static_cast<std::size_t>(w.j) + d] - u[3 * static_cast<std::size_t>(w.i) + d];
  if (deformation != nullptr) x = crystal::product(*deformation, x);
  return x[0] * x[0] + x[1] * x[1] + x[2] * x[2] > cutoff_ * cutoff_ * (1.0 + 1e-9);
}

kernels::NeighbourView NeighbourList::view() const {
  return {static_cast<std::int64_t>(begin_.size()) - 1,
          begin_.data(),
          owned_.data(),
          index_.data(),
          offset_.data(),
          nearest_ ? &*nearest_ : nullptr,
          widest_row_};
}

}  // namespace bgw::physics
