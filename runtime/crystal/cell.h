#pragma once

#include <array>
#include <vector>

namespace bgw::crystal {

using Vector3 = std::array<double, 3>;
using Matrix3 = std::array<Vector3, 3>;  // rows are the cell vectors

/// F x
Vector3 product(const Matrix3& f, const Vector3& x);
/// F^T x
Vector3 transposed_product(const Matrix3& f, const Vector3& x);
double determinant(const Matrix3& f);

/// A periodic cell. Rows of `vectors` are the cell vectors, in angstrom (or sigma).
struct Cell {
  Matrix3 vectors{};

  static Cell orthorhombic(double a, double b, double c);
  bool is_orthorhombic() const;
  double volume() const;
  /// Negative for a left-handed cell.
  double signed_volume() const;
  Vector3 fractional(const Vector3& cartesian) const;
  Vector3 cartesian(const Vector3& fractional) const;
  /// Of the three vectors.
  Vector3 lengths() const;
  /// Distance between opposite faces, for each direction: the sphere that fits has half the smallest as its radius.
  Vector3 heights() const;
  /// The cell with the vectors F a_k: its rows are h F^T.
  Cell deformed(const Matrix3& deformation) const;
  /// Rows whose products with a position are its fractional coordinates.
  Matrix3 reciprocal() const;
  /// The same lattice by its shortest vectors: no sum or difference of some of them is shorter than the longest in it.
  Cell reduced() const;
  /// Shortest periodic image of a displacement (exact for orthorhombic cells and for vectors within the inscribed
  /// sphere).
  Vector3 minimum_image(const Vector3& displacement) const;
};

}  // namespace bgw::crystal
