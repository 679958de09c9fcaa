#pragma once

#include <atomic>
#include <vector>

#include "runtime/physics/kernel_energy_model.h"
#include "runtime/physics/mode_transform.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// Gradients of a crystal's energy in its modes, in float32: M^T dU/du at u = M v, and M^T (d2U/du2) M w. Sixteen rows at
/// once stay side by side, one in each lane of a vector, from the modes to the atoms and back. For forces that need not be
/// exact; of energies there is nothing here. Rows come in float64, are rounded, and go out as float64. A row that has
/// outgrown the model's neighbour list gets its gradient from the model, in float64. A row's numbers depend neither on the
/// rows beside it nor on the processor. Holds references to both, which must outlive it.
class SingleModes {
 public:
  static constexpr std::int64_t kRows = kernels::kSingleLanes;

  SingleModes(const ModeTransform& modes, const KernelEnergyModel& model,
              const kernels::SingleKernelTable& kernels = kernels::single_kernels(),
              const kernels::SingleModeKernels& mode_kernels = kernels::single_mode_kernels());
  // The kernels' views point into this object.
  SingleModes(const SingleModes&) = delete;
  SingleModes& operator=(const SingleModes&) = delete;

  /// M v of up to kRows rows [rows, m]: float32 [3N, kRows], where the rows that are missing are at rest.
  Tensor field(const Tensor& v) const;
  /// The gradient at a field, in the modes of its first rows. [rows, m]
  Tensor gradient(const Tensor& field, std::int64_t rows) const;
  struct Answer {
    Tensor gradient, product;  // [rows, m]
  };
  /// @param direction  M w, as `field` gives it
  Answer gradient_and_product(const Tensor& field, const Tensor& direction, std::int64_t rows) const;

  /// Calls so far, beside those that the model has made for rows that outgrew its list.
  CallCount calls() const { return {0, gradient_calls_, hessian_calls_}; }

 private:
  std::int64_t width() const { return 3 * modes_.particles(); }
  std::vector<std::int64_t> outgrown(const float* field, std::int64_t rows) const;
  void call(const Tensor& field, const float* tangent, float* gradient, float* product) const;
  void put_outgrown(std::int64_t lane, const Tensor& field, const Tensor* direction, Tensor& gradient,
                    Tensor* product) const;
  Tensor in_modes(const Tensor& found, std::int64_t rows) const;

  const ModeTransform& modes_;
  const KernelEnergyModel& model_;
  const kernels::SingleKernelTable& kernels_;
  const kernels::SingleModeKernels& mode_kernels_;
  std::vector<float> roots_[3], numbers_, offset_;
  std::vector<kernels::ModeBlockOf<float>> blocks_;
  kernels::ModeViewOf<float> view_{};
  kernels::SingleNeighbourView list_{};
  mutable std::atomic<std::int64_t> gradient_calls_{0}, hessian_calls_{0};
};

}  // namespace bgw::physics
