#pragma once

#include <string>

#include "runtime/artifacts/artifact.h"
#include "runtime/tensor/tensor.h"

namespace bgw::tensor {

/// The torch-free form of a tensor (float64 or int64; other types are converted), for artifacts and checkpoints.
artifacts::Array to_array(const Tensor& tensor, std::string unit = "");
/// A tensor that owns a copy of the array's numbers, float64 or int64, on the CPU.
Tensor to_tensor(const artifacts::Array& array);

}  // namespace bgw::tensor
