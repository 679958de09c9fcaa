#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::flows {

// The operations of a transformer that cost more in a chain of library calls than in one loop, as autograd functions,
// derivable once. Float32 or float64, on the CPU; a row of a batch does not depend on the others.

/// gelu in its tanh form, x (1 + tanh(u)) / 2 = x / (1 + exp(-2 u)) with u = sqrt(2 / pi) (x + 0.044715 x^3): one
/// exponential, none in the backward pass.
Tensor tanh_gelu(const Tensor& x);

/// Which rows of a matrix are atoms: each sample has `stride` rows, of which the first are its atoms.
struct Atoms {
  std::int64_t samples = 0;
  std::int64_t rows = 0;    // atoms of a sample
  std::int64_t stride = 0;  // at least as many
};

/// Attention of every atom to all of its sample: softmax(q k^T / sqrt(size)) v for each head.
/// @param all  [T, 3 heads size], query, key and value one after the other, each of them head by head; T = samples stride
/// @return     [T, heads size]; zero in the rows of no atom
/// @throws ShapeError for other sizes
Tensor self_attention(const Tensor& all, const Atoms& atoms, std::int64_t heads);

/// The same by matrix products of the library: what self_attention does where the rows of a sample are many.
Tensor self_attention_by_products(const Tensor& all, const Atoms& atoms, std::int64_t heads);

}  // namespace bgw::flows
