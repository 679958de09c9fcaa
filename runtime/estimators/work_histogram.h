#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// Densities of the work of both sides on one grid. They cross where the work is the free energy difference (Crooks), and
/// where they do not overlap no estimate is possible.
struct WorkHistograms {
  Tensor work;     // [bins], centres, kT
  Tensor forward;  // [bins], per kT; the density integrates to one, or to the share of works that are finite
  Tensor reverse;  // [bins]; undefined for one side alone
};

/// In equal bins from the smallest work of both to the largest; where all are equal, of width one around them.
/// @param forward  [n], kT; infinity where the crystal has no density
/// @param reverse  [m], kT, or undefined; minus infinity where the model has none
/// @throws NumericalError when a number is something else, or a side has none that is finite
/// @source Crooks, Phys. Rev. E 60, 2721 (1999)
WorkHistograms work_histograms(const Tensor& forward, const Tensor& reverse, std::int64_t bins = 60);

}  // namespace bgw::estimators
