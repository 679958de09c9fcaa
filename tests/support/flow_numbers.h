#pragma once
// Random numbers for tests of flows, and how far two tensors are apart.

#include <cstdint>

#include "compiler/plan/plan.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::tests {

inline plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

inline Tensor normal(std::int64_t rows, std::int64_t width, std::uint8_t seed = 1) {
  return tensor::RandomStream(key(seed), "test").normal(0, 0, rows, width);
}

inline double largest(const Tensor& difference) { return difference.abs().max().item<double>(); }

}  // namespace bgw::tests
