#include "runtime/crystal/cell.h"

#include <cmath>

namespace bgw::crystal {
namespace {

Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

/// The reciprocal vectors without 2 pi: row k times a position is its k-th fractional coordinate.
Matrix3 reciprocal(const Matrix3& h) {
  const double volume = dot(h[0], cross(h[1], h[2]));
  Matrix3 rows{cross(h[1], h[2]), cross(h[2], h[0]), cross(h[0], h[1])};
  for (Vector3& row : rows) {
    for (double& x : row) x /= volume;
  }
  return rows;
}

}  // namespace

Vector3 product(const Matrix3& f, const Vector3& x) { return {dot(f[0], x), dot(f[1], x), dot(f[2], x)}; }

Vector3 transposed_product(const Matrix3& f, const Vector3& x) {
  Vector3 result{};
  for (std::size_t d = 0; d < 3; ++d) result[d] = f[0][d] * x[0] + f[1][d] * x[1] + f[2][d] * x[2];
  return result;
}

double determinant(const Matrix3& f) { return dot(f[0], cross(f[1], f[2])); }

Cell Cell::orthorhombic(double a, double b, double c) { return Cell{{{{a, 0.0, 0.0}, {0.0, b, 0.0}, {0.0, 0.0, c}}}}; }

bool Cell::is_orthorhombic() const {
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      if (i != j && vectors[i][j] != 0.0) return false;
    }
  }
  return true;
}

double Cell::signed_volume() const { return dot(vectors[0], cross(vectors[1], vectors[2])); }

double Cell::volume() const { return std::abs(signed_volume()); }

Vector3 Cell::fractional(const Vector3& cartesian) const {
  if (is_orthorhombic()) {
    return {cartesian[0] / vectors[0][0], cartesian[1] / vectors[1][1], cartesian[2] / vectors[2][2]};
  }
  const Matrix3 rows = reciprocal(vectors);
  return {dot(rows[0], cartesian), dot(rows[1], cartesian), dot(rows[2], cartesian)};
}

Vector3 Cell::cartesian(const Vector3& fractional) const {
  Vector3 sum{};
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t d = 0; d < 3; ++d) sum[d] += fractional[k] * vectors[k][d];
  }
  return sum;
}

Vector3 Cell::lengths() const {
  Vector3 result{};
  for (std::size_t k = 0; k < 3; ++k) result[k] = std::sqrt(dot(vectors[k], vectors[k]));
  return result;
}

Vector3 Cell::heights() const {
  const Matrix3 rows = reciprocal(vectors);
  Vector3 result{};
  for (std::size_t k = 0; k < 3; ++k) result[k] = 1.0 / std::sqrt(dot(rows[k], rows[k]));
  return result;
}

Cell Cell::deformed(const Matrix3& deformation) const {
  return Cell{{product(deformation, vectors[0]), product(deformation, vectors[1]), product(deformation, vectors[2])}};
}

Vector3 Cell::minimum_image(const Vector3& displacement) const {
  Vector3 s = fractional(displacement);
  for (double& x : s) x = std::nearbyint(x);
  const Vector3 shift = cartesian(s);
  return {displacement[0] - shift[0], displacement[1] - shift[1], displacement[2] - shift[2]};
}

}  // namespace bgw::crystal
