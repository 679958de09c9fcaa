#include "runtime/crystal/cell.h"

#include <algorithm>
#include <cmath>

namespace bgw::crystal {
namespace {

Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

double square(const Vector3& a) { return dot(a, a); }

/// a less the whole multiples of b and c, shorter vectors, that leave it shortest.
Vector3 remainder(const Vector3& a, const Vector3& b, const Vector3& c) {
  const double bb = square(b), cc = square(c), bc = dot(b, c), ab = dot(a, b), ac = dot(a, c);
  const double least = bb * cc - bc * bc;
  const double y = std::nearbyint((ab * cc - ac * bc) / least), z = std::nearbyint((ac * bb - ab * bc) / least);
  Vector3 best = a;
  for (double p = y - 1; p <= y + 1; ++p) {
    for (double q = z - 1; q <= z + 1; ++q) {
      const Vector3 d{a[0] - p * b[0] - q * c[0], a[1] - p * b[1] - q * c[1], a[2] - p * b[2] - q * c[2]};
      if (square(d) < square(best) * (1.0 - 1e-12)) best = d;
    }
  }
  return best;
}

/// b less the whole multiple of a that leaves it shortest.
Vector3 remainder(const Vector3& b, const Vector3& a) {
  const double p = std::nearbyint(dot(a, b) / square(a));
  const Vector3 d{b[0] - p * a[0], b[1] - p * a[1], b[2] - p * a[2]};
  return square(d) < square(b) * (1.0 - 1e-12) ? d : b;
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
  const Matrix3 rows = reciprocal();
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
  const Matrix3 rows = reciprocal();
  Vector3 result{};
  for (std::size_t k = 0; k < 3; ++k) result[k] = 1.0 / std::sqrt(dot(rows[k], rows[k]));
  return result;
}

Matrix3 Cell::reciprocal() const {
  const double volume = determinant(vectors);
  Matrix3 rows{cross(vectors[1], vectors[2]), cross(vectors[2], vectors[0]), cross(vectors[0], vectors[1])};
  for (Vector3& row : rows) {
    for (double& x : row) x /= volume;
  }
  return rows;
}

// Gauss's step for the two shorter vectors and the like for the third, until nothing becomes shorter (Semaev 2001).
Cell Cell::reduced() const {
  if (is_orthorhombic()) return *this;
  Matrix3 v = vectors;
  for (bool shorter = true; shorter;) {
    std::sort(v.begin(), v.end(), [](const Vector3& a, const Vector3& b) { return square(a) < square(b); });
    const Vector3 second = remainder(v[1], v[0]);
    const Vector3 third = second == v[1] ? remainder(v[2], v[0], v[1]) : v[2];
    shorter = second != v[1] || third != v[2];
    v = {v[0], second, third};
  }
  return Cell{v};
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
