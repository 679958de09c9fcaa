#pragma once

#include "compiler/units/dimension.h"

namespace bgw::units {

/// A number with its dimension, in base units (angstrom, eV, fs, K, rad, byte). `reduced` marks Lennard-Jones units,
/// which a potential's epsilon and sigma scale.
struct Quantity {
  double value = 0;
  Dimension dimension;
  bool reduced = false;
};

Quantity operator*(const Quantity& a, const Quantity& b);
Quantity operator/(const Quantity& a, const Quantity& b);
/// @throws std::invalid_argument when the dimensions differ
Quantity operator+(const Quantity& a, const Quantity& b);
Quantity operator-(const Quantity& a, const Quantity& b);
Quantity power(const Quantity& a, int exponent);

}  // namespace bgw::units
