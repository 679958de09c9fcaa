#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::flows {

// The operations of a transformer that cost more in a chain of library calls than in one loop, as autograd functions,
// derivable once. Float32 or float64, on the CPU; a row of a batch does not depend on the others.

/// gelu in its tanh form, x (1 + tanh(u)) / 2 = x / (1 + exp(-2 u)) with u = sqrt(2 / pi) (x + 0.044715 x^3): one
/// exponential, none in the backward pass.
Tensor tanh_gelu(const Tensor& x);

/// Attention of every atom to all: softmax(q k^T / sqrt(size)) v for each head.
/// @param all  [B, rows, 3 heads size], query, key and value one after the other, each of them head by head
/// @return     [B, rows, heads size]
Tensor self_attention(const Tensor& all, std::int64_t heads);

/// The same by matrix products of the library: what self_attention does where rows are many.
Tensor self_attention_by_products(const Tensor& all, std::int64_t heads);

}  // namespace bgw::flows
