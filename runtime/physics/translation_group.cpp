#include "runtime/physics/translation_group.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "runtime/foundation/errors.h"
#include "runtime/physics/site_lookup.h"

namespace bgw::physics {
namespace {

using crystal::Cell;
using crystal::Vector3;
using Integers = std::array<std::int64_t, 3>;

constexpr double kTolerance = 1e-5;  // of the mean distance of atoms

Vector3 sum(const Vector3& a, const Vector3& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }
Vector3 difference(const Vector3& a, const Vector3& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }

/// All translations by the places to which they carry atom 0.
class Search {
 public:
  Search(const std::vector<Vector3>& sites, const SiteLookup& lookup) : sites_(sites), lookup_(lookup) {
    reached_.assign(sites.size(), false);
    reached_[0] = true;
    elements_.push_back({0, 0, 0});
  }

  void run() {
    for (std::size_t j = 1; j < sites_.size(); ++j) {
      if (reached_[j]) continue;
      const Vector3 t = difference(sites_[j], sites_[0]);
      if (maps_sites(t)) add(t);
    }
  }

  std::int64_t order() const { return static_cast<std::int64_t>(elements_.size()); }
  const std::vector<Vector3>& generators() const { return generators_; }

 private:
  bool maps_sites(const Vector3& t) const {
    return std::all_of(sites_.begin(), sites_.end(), [&](const Vector3& r) { return lookup_.find(sum(r, t)) >= 0; });
  }

  /// The group that the new translation generates with those known.
  void add(const Vector3& t) {
    generators_.push_back(t);
    const std::vector<Vector3> known = elements_;
    for (Vector3 multiple = t; !reached_[image(multiple)]; multiple = sum(multiple, t)) {
      for (const Vector3& element : known) {
        const Vector3 both = sum(element, multiple);
        reached_[image(both)] = true;
        elements_.push_back(both);
      }
    }
  }

  std::size_t image(const Vector3& t) const {
    const std::int64_t found = lookup_.find(sum(sites_[0], t));
    return found < 0 ? 0 : static_cast<std::size_t>(found);
  }

  const std::vector<Vector3>& sites_;
  const SiteLookup& lookup_;
  std::vector<bool> reached_;
  std::vector<Vector3> elements_, generators_;
};

/// Adds an integer vector to the lattice spanned by the rows of an upper triangular matrix, which holds `modulus` times
/// every unit vector.
void insert(std::array<Integers, 3>& rows, Integers v, std::int64_t modulus) {
  for (std::size_t k = 0; k < 3; ++k) {
    while (v[k] != 0) {
      const std::int64_t q = rows[k][k] / v[k];
      for (std::size_t d = k; d < 3; ++d) rows[k][d] -= q * v[d];
      std::swap(rows[k], v);
    }
    if (rows[k][k] < 0) {
      for (std::int64_t& x : rows[k]) x = -x;
    }
    for (std::size_t d = k + 1; d < 3; ++d) {
      rows[k][d] %= modulus;
      v[d] %= modulus;
    }
  }
}

/// The rows s of `modulus` times the inverse: s B = modulus e_i, for upper triangular B.
std::array<Integers, 3> box_in_primitive_vectors(const std::array<Integers, 3>& b, std::int64_t modulus) {
  std::array<Integers, 3> s{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t k = 0; k < 3; ++k) {
      std::int64_t rest = i == k ? modulus : 0;
      for (std::size_t j = 0; j < k; ++j) rest -= s[i][j] * b[j][k];
      s[i][k] = rest / b[k][k];
    }
  }
  return s;
}

/// Makes `box` diagonal by integer row and column operations; the primitive vectors follow the columns. Where it stays,
/// the diagonal is not made to divide upwards: short axes make cheap transforms.
void diagonalise(std::array<Integers, 3>& box, std::array<Integers, 3>& primitive) {
  const auto swap_columns = [&](std::size_t a, std::size_t b) {
    for (Integers& row : box) std::swap(row[a], row[b]);
    std::swap(primitive[a], primitive[b]);
  };
  for (std::size_t p = 0; p < 3; ++p) {
    while (true) {
      // The smallest entry of the remaining row and column becomes the pivot; what it leaves over is smaller still.
      std::size_t row = p, column = p;
      for (std::size_t k = p; k < 3; ++k) {
        const auto smaller = [&](std::size_t r, std::size_t c) {
          return box[r][c] != 0 && (box[row][column] == 0 || std::abs(box[r][c]) < std::abs(box[row][column]));
        };
        if (smaller(p, k)) row = p, column = k;
        if (smaller(k, p)) row = k, column = p;
      }
      if (row != p) std::swap(box[row], box[p]);
      if (column != p) swap_columns(column, p);
      bool clean = true;
      for (std::size_t k = p + 1; k < 3; ++k) {
        const std::int64_t down = box[k][p] / box[p][p];
        for (std::size_t d = 0; d < 3; ++d) box[k][d] -= down * box[p][d];
        const std::int64_t across = box[p][k] / box[p][p];
        for (Integers& r : box) r[k] -= across * r[p];
        for (std::size_t d = 0; d < 3; ++d) primitive[p][d] += across * primitive[k][d];
        clean = clean && box[k][p] == 0 && box[p][k] == 0;
      }
      if (clean) break;
    }
  }
}

/// Periods and steps of the group, ascending periods.
struct Axes {
  Integers periods{1, 1, 1};
  std::array<Vector3, 3> steps{};
};

std::optional<Axes> axes_of(const Search& search, const Cell& cell) {
  const std::int64_t order = search.order();
  std::array<Integers, 3> primitive{{{order, 0, 0}, {0, order, 0}, {0, 0, order}}};  // in box vectors / order
  for (const Vector3& t : search.generators()) {
    const Vector3 s = cell.fractional(t);
    Integers v{};
    for (std::size_t k = 0; k < 3; ++k) {
      const double exact = s[k] * static_cast<double>(order);
      if (std::abs(exact - std::nearbyint(exact)) > 0.2) return std::nullopt;
      v[k] = static_cast<std::int64_t>(std::llround(exact)) % order;
    }
    insert(primitive, v, order);
  }
  std::array<Integers, 3> box = box_in_primitive_vectors(primitive, order);
  diagonalise(box, primitive);
  std::array<std::size_t, 3> by_size{0, 1, 2};
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](std::size_t a, std::size_t b) { return std::abs(box[a][a]) < std::abs(box[b][b]); });
  Axes axes;
  for (std::size_t k = 0; k < 3; ++k) {
    const std::size_t from = by_size[k];
    axes.periods[k] = std::abs(box[from][from]);
    Vector3 s{};
    for (std::size_t d = 0; d < 3; ++d) s[d] = static_cast<double>(primitive[from][d]) / static_cast<double>(order);
    axes.steps[k] = cell.cartesian(s);
  }
  if (axes.periods[0] * axes.periods[1] * axes.periods[2] != order) return std::nullopt;
  return axes;
}

/// Numbers the atoms: the lowest one without a number begins the next place of the basis. False where an atom is
/// missing.
bool number_atoms(TranslationGroup& group, const std::vector<Vector3>& sites, const SiteLookup& lookup) {
  const auto n = static_cast<std::int64_t>(sites.size());
  const std::int64_t cells = group.cells();
  group.basis = n / cells;
  group.atoms.assign(sites.size(), -1);
  group.cell_of.assign(sites.size(), -1);
  group.basis_of.assign(sites.size(), -1);
  std::int32_t place = 0;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (group.cell_of[i] >= 0) continue;
    for (std::int64_t g = 0; g < cells; ++g) {
      const Integers index{g / (group.periods[1] * group.periods[2]), g / group.periods[2] % group.periods[1],
                           g % group.periods[2]};
      Vector3 r = sites[i];
      for (std::size_t k = 0; k < 3; ++k) {
        for (std::size_t d = 0; d < 3; ++d) r[d] += static_cast<double>(index[k]) * group.steps[k][d];
      }
      const std::int64_t atom = lookup.find(r);
      if (atom < 0 || group.cell_of[static_cast<std::size_t>(atom)] >= 0) return false;
      group.cell_of[static_cast<std::size_t>(atom)] = static_cast<std::int32_t>(g);
      group.basis_of[static_cast<std::size_t>(atom)] = place;
      group.atoms[static_cast<std::size_t>(g * group.basis + place)] = static_cast<std::int32_t>(atom);
    }
    ++place;
  }
  return true;
}

}  // namespace

std::int64_t TranslationGroup::difference(std::int64_t to, std::int64_t from) const {
  const std::int64_t d1 = periods[1];
  const std::int64_t d2 = periods[2];
  std::int64_t x = to / (d1 * d2) - from / (d1 * d2);
  std::int64_t y = to / d2 % d1 - from / d2 % d1;
  std::int64_t z = to % d2 - from % d2;
  x += x < 0 ? periods[0] : 0;
  y += y < 0 ? d1 : 0;
  z += z < 0 ? d2 : 0;
  return (x * d1 + y) * d2 + z;
}

TranslationGroup no_translations(std::int64_t particles, const Cell& cell) {
  TranslationGroup group;
  group.basis = particles;
  for (std::size_t k = 0; k < 3; ++k) group.steps[k] = cell.vectors[k];
  for (std::int64_t i = 0; i < particles; ++i) {
    group.atoms.push_back(static_cast<std::int32_t>(i));
    group.cell_of.push_back(0);
    group.basis_of.push_back(static_cast<std::int32_t>(i));
  }
  return group;
}

TranslationGroup translations_of(const std::vector<Vector3>& sites, const Cell& cell) {
  const auto n = static_cast<std::int64_t>(sites.size());
  if (n < 2) return no_translations(n, cell);
  const double spacing = std::cbrt(cell.volume() / static_cast<double>(n));
  const SiteLookup lookup(sites, cell, kTolerance * spacing);
  Search search(sites, lookup);
  search.run();
  const auto axes = axes_of(search, cell);
  if (!axes || n % search.order() != 0) return no_translations(n, cell);
  TranslationGroup group;
  group.periods = axes->periods;
  group.steps = axes->steps;
  return number_atoms(group, sites, lookup) ? group : no_translations(n, cell);
}

TranslationGroup translation_group(const Integers& periods, const std::vector<std::int64_t>& atoms) {
  TranslationGroup group;
  group.periods = periods;
  const auto n = static_cast<std::int64_t>(atoms.size());
  const bool positive = std::all_of(periods.begin(), periods.end(), [](std::int64_t d) { return d > 0; });
  if (!positive || n == 0 || n % group.cells() != 0) throw InputError("the translations of a base do not fit its atoms");
  group.basis = n / group.cells();
  group.cell_of.assign(atoms.size(), -1);
  group.basis_of.assign(atoms.size(), -1);
  for (std::int64_t place = 0; place < n; ++place) {
    const std::int64_t atom = atoms[static_cast<std::size_t>(place)];
    if (atom < 0 || atom >= n || group.cell_of[static_cast<std::size_t>(atom)] >= 0)
      throw InputError("the translations of a base do not number its atoms");
    group.atoms.push_back(static_cast<std::int32_t>(atom));
    group.cell_of[static_cast<std::size_t>(atom)] = static_cast<std::int32_t>(place / group.basis);
    group.basis_of[static_cast<std::size_t>(atom)] = static_cast<std::int32_t>(place % group.basis);
  }
  return group;
}

std::vector<WaveVector> wave_vectors(const Integers& periods) {
  std::vector<WaveVector> result;
  const auto opposite = [&](std::int64_t k, std::size_t axis) { return (periods[axis] - k) % periods[axis]; };
  for (std::int64_t x = 0; x < periods[0]; ++x) {
    for (std::int64_t y = 0; y < periods[1]; ++y) {
      for (std::int64_t z = 0; 2 * z <= periods[2]; ++z) {
        const Integers k{x, y, z};
        const Integers mirror{opposite(x, 0), opposite(y, 1), opposite(z, 2)};
        // Only in the planes k2 = -k2 both k and -k come by; elsewhere -k lies outside of the half that is kept.
        if (mirror[2] == z && mirror < k) continue;
        result.push_back({k, mirror == k});
      }
    }
  }
  return result;
}

}  // namespace bgw::physics
