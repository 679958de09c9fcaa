#include "runtime/crystal/space_group.h"

#include <spglib.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "runtime/crystal/neighbours.h"
#include "runtime/foundation/errors.h"

namespace bgw::crystal {
namespace {

constexpr double kTolerance = 1e-4;  // of the nearest distance
// The search grows with the square of the atoms: a second for a thousand, two minutes for ten thousand.
constexpr std::size_t kMostSearched = 1000;

using IntegerVector = std::array<std::int64_t, 3>;
using IntegerMatrix = std::array<IntegerVector, 3>;

struct FreeDataset {
  void operator()(SpglibDataset* dataset) const { spg_free_dataset(dataset); }
};
using Dataset = std::unique_ptr<SpglibDataset, FreeDataset>;

/// A cell with its atoms as spglib takes it: vectors are columns, positions fractional.
struct Problem {
  double lattice[3][3];
  std::vector<std::array<double, 3>> positions;
  std::vector<int> types;
  double tolerance = 0.0;

  Problem(const Matrix3& rows, std::vector<Vector3> fractional, double symmetry_tolerance)
      : positions(std::move(fractional)), types(positions.size(), 1), tolerance(symmetry_tolerance) {
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t d = 0; d < 3; ++d) lattice[d][k] = rows[k][d];
    }
  }
  double (*places())[3] { return reinterpret_cast<double(*)[3]>(positions.data()); }
  int size() const { return static_cast<int>(positions.size()); }
};

Cell unit_cell(const Crystal& crystal) {
  Cell cell = crystal.cell;
  for (std::size_t k = 0; k < 3; ++k) {
    for (double& x : cell.vectors[k]) x /= crystal.repeats[k];
  }
  return cell;
}

std::vector<Vector3> unit_sites(const Crystal& crystal) {
  const auto cells = static_cast<std::size_t>(crystal.repeats[0]) * static_cast<std::size_t>(crystal.repeats[1]) *
                     static_cast<std::size_t>(crystal.repeats[2]);
  return {crystal.sites.begin(), crystal.sites.begin() + static_cast<std::ptrdiff_t>(crystal.sites.size() / cells)};
}

double tolerance_in(const Cell& cell, const std::vector<Vector3>& sites) {
  return kTolerance * closest_pair(cell, sites).distance;
}

Problem unit_problem(const Crystal& crystal) {
  const Cell cell = unit_cell(crystal);
  const std::vector<Vector3> sites = unit_sites(crystal);
  std::vector<Vector3> fractional;
  for (const Vector3& site : sites) fractional.push_back(cell.fractional(site));
  return {cell.vectors, std::move(fractional), tolerance_in(cell, sites)};
}

Dataset analysed(Problem& problem) {
  Dataset dataset(spg_get_dataset(problem.lattice, problem.places(), problem.types.data(), problem.size(), problem.tolerance));
  if (!dataset) throw NumericalError(std::string("the symmetry of the crystal was not found: ") + spg_get_error_message(spg_get_error_code()));
  return dataset;
}

int sites_in_primitive(const SpglibDataset& dataset) {
  return *std::max_element(dataset.mapping_to_primitive, dataset.mapping_to_primitive + dataset.n_atoms) + 1;
}

/// The smallest cell, its vectors as spglib chose them, and one atom of each kind of place.
struct Primitive {
  Cell cell;
  std::vector<Vector3> sites;
  std::vector<Vector3> fractional;  // of the sites, in the smallest cell
  std::vector<int> site_of;         // of each atom of the unit cell
  double tolerance = 0.0;
};

/// A cell too large to be searched, as it is.
Primitive whole_cell(const Crystal& crystal) {
  Primitive primitive;
  primitive.cell = unit_cell(crystal);
  primitive.sites = unit_sites(crystal);
  primitive.tolerance = tolerance_in(primitive.cell, primitive.sites);
  for (const Vector3& site : primitive.sites) {
    primitive.fractional.push_back(primitive.cell.fractional(site));
    primitive.site_of.push_back(static_cast<int>(primitive.site_of.size()));
  }
  return primitive;
}

Primitive primitive_of(const Crystal& crystal) {
  if (unit_sites(crystal).size() > kMostSearched) return whole_cell(crystal);
  Problem problem = unit_problem(crystal);
  const Dataset dataset = analysed(problem);
  Primitive primitive;
  primitive.tolerance = problem.tolerance;
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t d = 0; d < 3; ++d) primitive.cell.vectors[k][d] = dataset->primitive_lattice[d][k];
  }
  if (primitive.cell.signed_volume() < 0.0) {
    for (Vector3& row : primitive.cell.vectors) {
      for (double& x : row) x = -x;
    }
  }
  primitive.site_of.assign(dataset->mapping_to_primitive, dataset->mapping_to_primitive + dataset->n_atoms);
  primitive.sites.resize(static_cast<std::size_t>(sites_in_primitive(*dataset)));
  for (std::size_t i = primitive.site_of.size(); i-- > 0;)  // the first of each kind stays
    primitive.sites[static_cast<std::size_t>(primitive.site_of[i])] = crystal.sites[i];
  for (const Vector3& site : primitive.sites) primitive.fractional.push_back(primitive.cell.fractional(site));
  return primitive;
}

std::int64_t nearest_integer(double x, double tolerance) {
  const double n = std::nearbyint(x);
  if (std::abs(x - n) > tolerance) throw NumericalError("the box is no block of primitive cells");
  return static_cast<std::int64_t>(n);
}

/// Whole-number coordinates of vectors (rows) of a lattice in its basis. Rounding of the file shows in long vectors.
IntegerMatrix coordinates(const Cell& basis, const Matrix3& vectors) {
  IntegerMatrix result{};
  for (std::size_t k = 0; k < 3; ++k) {
    const Vector3 fraction = basis.fractional(vectors[k]);
    for (std::size_t d = 0; d < 3; ++d) result[k][d] = nearest_integer(fraction[d], 0.1);
  }
  return result;
}

/// Rows that span the same lattice, lower triangular with a positive diagonal (Hermite's form): row operations alone.
IntegerMatrix hermite(IntegerMatrix rows) {
  for (std::size_t column = 3; column-- > 0;) {
    for (;;) {  // Euclid's algorithm on the rows that are not fixed yet
      std::size_t pivot = 3;
      std::size_t others = 0;
      for (std::size_t r = 0; r <= column; ++r) {
        if (rows[r][column] == 0) continue;
        ++others;
        if (pivot == 3 || std::abs(rows[r][column]) < std::abs(rows[pivot][column])) pivot = r;
      }
      if (pivot == 3) throw NumericalError("the cell has no volume");
      if (others == 1) {
        std::swap(rows[pivot], rows[column]);
        break;
      }
      for (std::size_t r = 0; r <= column; ++r) {
        if (r == pivot) continue;
        const std::int64_t times = rows[r][column] / rows[pivot][column];
        for (std::size_t d = 0; d < 3; ++d) rows[r][d] -= times * rows[pivot][d];
      }
    }
    if (rows[column][column] < 0) {
      for (std::int64_t& x : rows[column]) x = -x;
    }
  }
  return rows;
}

/// The whole-number vectors modulo those of the box: each has one representative within the diagonal.
struct BoxOfCells {
  IntegerMatrix rows{};

  IntegerVector reduced(IntegerVector n) const {
    for (std::size_t k = 3; k-- > 0;) {
      const std::int64_t d = rows[k][k];
      const std::int64_t times = (n[k] >= 0 ? n[k] : n[k] - d + 1) / d;
      for (std::size_t j = 0; j < 3; ++j) n[j] -= times * rows[k][j];
    }
    return n;
  }
  std::size_t index(const IntegerVector& n) const {
    return static_cast<std::size_t>((n[0] * rows[1][1] + n[1]) * rows[2][2] + n[2]);
  }
};

/// Which atom of the primitive cell stands at a place, and in which cell.
struct Label {
  IntegerVector cell{};
  std::int32_t basis = -1;
};

/// How far a place, in fractional coordinates, is from the images of a site of the primitive cell, and the nearest of them.
double distance_to(const Primitive& primitive, const Vector3& place, std::size_t site, IntegerVector& cell) {
  Vector3 apart{};
  for (std::size_t k = 0; k < 3; ++k) {
    apart[k] = place[k] - primitive.fractional[site][k];
    cell[k] = std::llround(apart[k]);
    apart[k] -= static_cast<double>(cell[k]);
  }
  const Vector3 way = primitive.cell.cartesian(apart);
  return std::hypot(way[0], way[1], way[2]);
}

void expect_near(const Primitive& primitive, double distance) {
  if (distance > 10.0 * primitive.tolerance) throw NumericalError("an atom stands on no site of the primitive cell");
}

Label label_of(const Primitive& primitive, const Vector3& place) {
  Label best;
  double nearest = INFINITY;
  for (std::size_t b = 0; b < primitive.sites.size(); ++b) {
    IntegerVector cell{};
    const double distance = distance_to(primitive, place, b, cell);
    if (distance >= nearest) continue;
    nearest = distance;
    best = {cell, static_cast<std::int32_t>(b)};
  }
  expect_near(primitive, nearest);
  return best;
}

Matrix3 multiplied(const Matrix3& a, const Matrix3& b) {
  Matrix3 product{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t j = 0; j < 3; ++j) product[i][j] += a[i][k] * b[k][j];
    }
  }
  return product;
}

/// Cofactors: the inverse transposed, times the determinant.
Matrix3 cofactors(const Matrix3& m) {
  const auto minor = [&](std::size_t i, std::size_t j) {
    const std::size_t a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;
    return m[a][c] * m[b][d] - m[a][d] * m[b][c];
  };
  Matrix3 result{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) result[i][j] = minor(i, j);
  }
  return result;
}

/// The orthogonal matrix next to one that is nearly so, by Newton's iteration.
Matrix3 orthogonalised(Matrix3 m) {
  for (int step = 0; step < 8; ++step) {
    const Matrix3 c = cofactors(m);
    const double determinant = m[0][0] * c[0][0] + m[0][1] * c[0][1] + m[0][2] * c[0][2];
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) m[i][j] = 0.5 * (m[i][j] + c[i][j] / determinant);
    }
  }
  return m;
}

/// Of x -> W x in fractional coordinates of a cell with these row vectors h: h^T W h^-T, up to the rounding of h.
Matrix3 cartesian_rotation(const Cell& cell, const int w[3][3]) {
  Matrix3 moved{};  // column k is the image of vector k
  for (std::size_t k = 0; k < 3; ++k) {
    const Vector3 image = cell.cartesian({static_cast<double>(w[0][k]), static_cast<double>(w[1][k]), static_cast<double>(w[2][k])});
    for (std::size_t d = 0; d < 3; ++d) moved[d][k] = image[d];
  }
  Matrix3 inverse{};  // row k takes the k-th fractional coordinate
  for (std::size_t d = 0; d < 3; ++d) {
    Vector3 axis{};
    axis[d] = 1.0;
    const Vector3 fraction = cell.fractional(axis);
    for (std::size_t k = 0; k < 3; ++k) inverse[k][d] = fraction[k];
  }
  return orthogonalised(multiplied(moved, inverse));
}

/// An operation in whole coordinates of the primitive cell: cell n, atom b -> cell W n + shift[b], atom image[b].
struct LatticeOperation {
  int w[3][3];
  std::vector<Label> image;
  IntegerVector times(const IntegerVector& n) const {
    IntegerVector result{};
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t k = 0; k < 3; ++k) result[i] += w[i][k] * n[k];
    }
    return result;
  }
};

bool maps_box(const BoxOfCells& box, const LatticeOperation& operation) {
  return std::all_of(box.rows.begin(), box.rows.end(), [&](const IntegerVector& row) {
    const IntegerVector rest = box.reduced(operation.times(row));
    return rest == IntegerVector{};
  });
}

}  // namespace

SpaceGroup space_group(const Crystal& crystal) {
  const std::size_t atoms = unit_sites(crystal).size();
  if (atoms > kMostSearched) return {1, "P1", "1", static_cast<int>(atoms)};
  Problem problem = unit_problem(crystal);
  const Dataset dataset = analysed(problem);
  return {dataset->spacegroup_number, dataset->international_symbol, dataset->pointgroup_symbol, sites_in_primitive(*dataset)};
}

namespace {

/// All that the box is in whole numbers.
struct Numbered {
  Primitive primitive;
  BoxOfCells box;
  std::vector<Label> atoms;            // with the cell reduced to the box
  std::vector<std::int32_t> atom_at;   // [cells * n_p]
  std::size_t slot(const IntegerVector& cell, std::int32_t basis) const {
    return box.index(cell) * primitive.sites.size() + static_cast<std::size_t>(basis);
  }
};

/// Labels of the atoms of the unit cell.
std::vector<Label> unit_labels(const Crystal& crystal, const Primitive& primitive) {
  std::vector<Label> labels;
  for (std::size_t i = 0; i < primitive.site_of.size(); ++i) {
    Label label{{}, primitive.site_of[i]};
    const Vector3 place = primitive.cell.fractional(crystal.sites[i]);
    expect_near(primitive, distance_to(primitive, place, static_cast<std::size_t>(label.basis), label.cell));
    labels.push_back(label);
  }
  return labels;
}

Numbered numbered(const Crystal& crystal) {
  Numbered result{primitive_of(crystal), {}, {}, {}};
  const std::size_t places = result.primitive.sites.size();
  const IntegerMatrix unit = coordinates(result.primitive.cell, unit_cell(crystal).vectors);
  IntegerMatrix rows = unit;
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::int64_t& x : rows[k]) x *= crystal.repeats[k];
  }
  result.box.rows = hermite(rows);
  const IntegerMatrix& d = result.box.rows;
  if (static_cast<std::size_t>(d[0][0] * d[1][1] * d[2][2]) * places != crystal.sites.size())
    throw NumericalError("the box is no block of primitive cells");
  const std::vector<Label> labels = unit_labels(crystal, result.primitive);
  result.atom_at.assign(crystal.sites.size(), -1);
  // In the order of Crystal::sites.
  for (int x = 0; x < crystal.repeats[0]; ++x) {
    for (int y = 0; y < crystal.repeats[1]; ++y) {
      for (int z = 0; z < crystal.repeats[2]; ++z) {
        for (Label label : labels) {
          for (std::size_t k = 0; k < 3; ++k) label.cell[k] += x * unit[0][k] + y * unit[1][k] + z * unit[2][k];
          label.cell = result.box.reduced(label.cell);
          std::int32_t& place = result.atom_at[result.slot(label.cell, label.basis)];
          if (place != -1) throw NumericalError("two atoms stand on one site of the primitive cell");
          place = static_cast<std::int32_t>(result.atoms.size());
          result.atoms.push_back(label);
        }
      }
    }
  }
  return result;
}

/// The identity alone.
std::pair<LatticeOperation, SymmetryOperation> identity_of(const Primitive& primitive) {
  LatticeOperation whole{};
  SymmetryOperation operation;
  for (std::size_t k = 0; k < 3; ++k) whole.w[k][k] = 1;
  for (std::size_t k = 0; k < 3; ++k) operation.rotation[k][k] = 1.0;
  for (std::size_t b = 0; b < primitive.sites.size(); ++b) whole.image.push_back({{}, static_cast<std::int32_t>(b)});
  return {std::move(whole), std::move(operation)};
}

/// One operation a rotation, in the order of spglib: the identity is the first.
std::vector<std::pair<LatticeOperation, SymmetryOperation>> operations_of(const Primitive& primitive) {
  if (primitive.sites.size() > kMostSearched) return {identity_of(primitive)};
  Problem problem(primitive.cell.vectors, primitive.fractional, primitive.tolerance);
  const Dataset dataset = analysed(problem);
  std::vector<std::pair<LatticeOperation, SymmetryOperation>> found;
  for (int k = 0; k < dataset->n_operations; ++k) {
    LatticeOperation whole{};
    std::copy_n(&dataset->rotations[k][0][0], 9, &whole.w[0][0]);
    const auto same = [&](const auto& other) { return std::equal(&whole.w[0][0], &whole.w[0][0] + 9, &other.first.w[0][0]); };
    if (std::any_of(found.begin(), found.end(), same)) continue;
    SymmetryOperation operation;
    operation.rotation = cartesian_rotation(primitive.cell, whole.w);
    const double* t = dataset->translations[k];
    operation.translation = primitive.cell.cartesian({t[0], t[1], t[2]});
    for (const Vector3& f : primitive.fractional) {
      Vector3 moved{};
      for (std::size_t i = 0; i < 3; ++i) moved[i] = whole.w[i][0] * f[0] + whole.w[i][1] * f[1] + whole.w[i][2] * f[2] + t[i];
      whole.image.push_back(label_of(primitive, moved));
    }
    found.emplace_back(std::move(whole), std::move(operation));
  }
  return found;
}

}  // namespace

PrimitiveCells primitive_cells(const Crystal& crystal) {
  const Numbered whole = numbered(crystal);
  PrimitiveCells result;
  result.vectors = whole.primitive.cell.vectors;
  result.sites = whole.primitive.sites;
  for (std::size_t k = 0; k < 3; ++k) result.counts[k] = static_cast<std::int32_t>(whole.box.rows[k][k]);
  for (const Label& label : whole.atoms) {
    std::array<std::int32_t, 3> cell{};
    std::transform(label.cell.begin(), label.cell.end(), cell.begin(), [](std::int64_t n) { return static_cast<std::int32_t>(n); });
    result.cell.push_back(cell);
    result.basis.push_back(label.basis);
  }
  return result;
}

std::vector<SymmetryOperation> point_operations(const Crystal& crystal) {
  const Numbered whole = numbered(crystal);
  std::vector<SymmetryOperation> result;
  for (auto& [lattice, operation] : operations_of(whole.primitive)) {
    if (!maps_box(whole.box, lattice)) continue;
    for (const Label& atom : whole.atoms) {
      const Label& to = lattice.image[static_cast<std::size_t>(atom.basis)];
      IntegerVector cell = lattice.times(atom.cell);
      for (std::size_t k = 0; k < 3; ++k) cell[k] += to.cell[k];
      operation.image.push_back(whole.atom_at[whole.slot(whole.box.reduced(cell), to.basis)]);
    }
    result.push_back(std::move(operation));
  }
  return result;
}

}  // namespace bgw::crystal
