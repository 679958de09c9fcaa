#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "compiler/plan/plan.h"
#include "runtime/tensor/tensor.h"

namespace bgw::tensor {

/// One block of Philox 4x32-10: 128 random bits from a 128-bit counter and a 64-bit key. Exposed for its known answers.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// Counter-based random numbers (Philox 4x32-10): a value is a pure function of (stream key, purpose, step,
/// global sample, position within the sample). So the numbers do not depend on batch size, threads, order or
/// restarts.
/// @source Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011
class RandomStream {
 public:
  /// @param key      stream key of the task (plan::TaskSpec::stream_key)
  /// @param purpose  what the numbers are for, e.g. "latent", "momentum"
  RandomStream(const plan::Key& key, std::string_view purpose);

  /// Standard normal numbers, [samples, width], float64, CPU. Row r holds the numbers of global sample
  /// first_sample + r at `step`.
  Tensor normal(std::int64_t step, std::int64_t first_sample, std::int64_t samples, std::int64_t width) const;
  /// Uniform numbers in [0, 1), [samples, width], float64, CPU.
  Tensor uniform(std::int64_t step, std::int64_t first_sample, std::int64_t samples, std::int64_t width) const;
  /// A random permutation of 0..n-1 (Fisher-Yates), int64, CPU.
  Tensor permutation(std::int64_t step, std::int64_t n) const;
  /// Integers in [0, bound), [count], for bootstrap resampling; int64, CPU.
  Tensor integers(std::int64_t step, std::int64_t count, std::int64_t bound) const;

 private:
  std::array<std::uint32_t, 2> key_;  // Philox key: from SHA-256(stream key, purpose)
  std::uint32_t tag_;                 // upper counter word, from the same: 96 bits tell streams apart
};

}  // namespace bgw::tensor
