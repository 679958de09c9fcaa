#pragma once

#include <cstdint>

#include "runtime/tensor/tensor.h"

namespace bgw::sampling {

/// What a length of moves is multiplied with after its n-th adaptation, from the probabilities [chains] with which its
/// moves were accepted and the acceptance aimed at: ever nearer to one, and sixteen moves can change it tenfold.
/// @source Robbins and Monro, Ann. Math. Stat. 22, 400 (1951)
double adaptation_factor(std::int64_t n, const Tensor& probability, double aim);

}  // namespace bgw::sampling
