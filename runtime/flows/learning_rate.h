#pragma once

#include <cstdint>
#include <vector>

namespace bgw::flows {

/// The learning rate as a function of the step within a stage.
struct LearningRate {
  enum class Kind {
    constant,
    one_cycle,  // up from peak/25 to the peak in the first 30 % of the steps, down to peak/2500 at the last; both by
                // half a cosine
    cosine,     // from the peak down to zero after the last step, by half a cosine
    decay       // the peak, times `factor` from each of the steps `drops` on
  };
  Kind kind = Kind::constant;
  double peak = 1e-2;  // of a constant rate: the rate
  std::vector<std::int64_t> drops = {};
  double factor = 0.1;

  /// @param step  0 .. steps-1
  double at(std::int64_t step, std::int64_t steps) const;
};

}  // namespace bgw::flows
