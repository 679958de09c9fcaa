#pragma once

#include <cstdint>
#include <vector>

#include "runtime/physics/whitened_target.h"
#include "runtime/tensor/random_stream.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// What the mean linear answer of another energy lacks of that of the Gaussian base: R = 1 - < M^T beta H(u) M > over draws
/// u of the base and over the crystal's translations, which couples modes of one wave vector alone.
/// A force beta M^T g(M y) + R y then answers linearly as the base does, whatever the energy of g leaves out.
class LinearRemainder {
 public:
  /// Makes m Hessian-vector products on each of 16 draws.
  LinearRemainder(const physics::WhitenedTarget& target, const physics::EnergyModel& other,
                  const tensor::RandomStream& stream);

  /// Adds R x to y, [rows, m] each, contiguous.
  void add_to(Tensor& y, const Tensor& x) const;
  /// R itself, [m, m].
  Tensor dense() const;

 private:
  struct Block {
    std::int64_t first, size;      // modes
    std::vector<double> elements;  // [size, size], symmetric
  };
  std::vector<Block> blocks_;
};

}  // namespace bgw::flows
