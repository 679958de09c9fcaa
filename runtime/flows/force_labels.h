#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "runtime/flows/generator.h"
#include "runtime/flows/trainer.h"
#include "runtime/physics/force_constants.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::flows {

struct ForceLabelOptions {
  // Fields are draws of the Gaussian base times an amplitude between these two, uniformly.
  double smallest = 0.75;
  double largest = 1.1;
  std::optional<std::int64_t> count = {};  // so many fields, which are learned from again and again; new ones always if absent
  friend bool operator==(const ForceLabelOptions&, const ForceLabelOptions&) = default;
};

/// The true force on random fields: what a learned force is matched to, one gradient call of the crystal's energy a field.
///
/// Numbered fields are computed when they are first asked for, and kept. Each time such a field is learned from, it is
/// turned with its force by a random symmetry operation of the crystal: a field of cubic ice then teaches as 24 or 48 do.
/// Field and operation are functions of the stream key, step and sample. Holds a reference to the target, which must outlive it.
class ForceLabels {
 public:
  /// @param operations  of the crystal in its box, the identity first
  ForceLabels(const physics::WhitenedTarget& target, std::vector<physics::PointOperation> operations,
              const ForceLabelOptions& options, const plan::Key& stream_key);

  const physics::WhitenedTarget& target() const { return target_; }
  const ForceLabelOptions& options() const { return options_; }

  /// Called from several threads at once.
  LabelledFields of(const Portion& portion) const;

  /// Gradients of the numbered fields known so far, for a checkpoint: [count, N, 3], and which those are, int64 [count].
  /// Empty where fields are not numbered.
  struct Known {
    Tensor gradients, numbers;
  };
  Known known() const;
  /// @throws ShapeError for those of other options
  void restore(const Known& known);

 private:
  Tensor field(std::int64_t step, std::int64_t first, std::int64_t count) const;  // [count, N, 3]
  LabelledFields labelled(const Tensor& fields, const Tensor& gradients) const;
  void compute_missing(const std::vector<std::int64_t>& numbers) const;

  const physics::WhitenedTarget& target_;
  std::vector<physics::PointOperation> operations_;
  ForceLabelOptions options_;
  tensor::RandomStream latent_, amplitude_, choice_;
  mutable std::mutex mutex_;
  mutable Tensor gradients_;               // [count, N, 3]
  mutable std::vector<std::int64_t> is_known_;  // [count], 1 or 0
};

}  // namespace bgw::flows
