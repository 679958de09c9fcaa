#include "compiler/units/quantity.h"

#include <cmath>
#include <stdexcept>

namespace bgw::units {
namespace {

void expect_same(const Quantity& a, const Quantity& b) {
  if (a.dimension == b.dimension) return;
  throw std::invalid_argument("cannot add " + dimension_phrase(a.dimension) + " and " + dimension_phrase(b.dimension));
}

}  // namespace

Quantity operator*(const Quantity& a, const Quantity& b) {
  return {a.value * b.value, a.dimension * b.dimension, a.reduced || b.reduced};
}
Quantity operator/(const Quantity& a, const Quantity& b) {
  return {a.value / b.value, a.dimension / b.dimension, a.reduced || b.reduced};
}
Quantity operator+(const Quantity& a, const Quantity& b) {
  expect_same(a, b);
  return {a.value + b.value, a.dimension, a.reduced || b.reduced};
}
Quantity operator-(const Quantity& a, const Quantity& b) {
  expect_same(a, b);
  return {a.value - b.value, a.dimension, a.reduced || b.reduced};
}
Quantity power(const Quantity& a, int exponent) {
  return {std::pow(a.value, exponent), power(a.dimension, exponent), a.reduced};
}

}  // namespace bgw::units
