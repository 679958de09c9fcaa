#pragma once

#include "compiler/schema/value.h"

namespace bgw::tasks {

/// What a task process has to work with, measured in half a second: {"torch", "parallel", "threads", "blas",
/// "matrix_gflops", "cuda_devices"}. `blas` is the file in which matrix products are computed, "" where they are inside
/// LibTorch; `matrix_gflops` is the rate of float64 products on one thread. After set_up_torch().
schema::Value about();

}  // namespace bgw::tasks
