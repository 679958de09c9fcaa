#pragma once

#include <functional>
#include <memory>

#include "runtime/flows/step.h"

namespace bgw::flows {

/// A step worked on in blocks of so many samples, in parallel. A network's activations exist for the blocks at work
/// only, so that memory does not grow with the batch. Each block runs on one thread, and results by sample come from
/// blocks that are full (the last is filled up with copies), so that matrix products and loops have one shape whatever
/// the batch: a sample's numbers depend neither on the others nor on the number of threads.
class SampleBlocks : public Step {
 public:
  /// @param step    its parameters begin at zero
  /// @param offset  where they begin in those of the flow
  /// @param size    how many there are
  /// @param block   samples
  SampleBlocks(std::unique_ptr<Step> step, std::int64_t offset, std::int64_t size, std::int64_t block)
      : step_(std::move(step)), offset_(offset), size_(size), block_(block) {}

  Tensor forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const override;
  Tensor inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const override;
  Tensor pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                   Tensor* gradient) const override;
  Tensor carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score, Tensor* gradient) const override;

 private:
  using Map = Tensor (Step::*)(const Tensor&, const Tensor&, Tensor&) const;
  using Derivative = std::function<Tensor(const Tensor& x, const Tensor& bar, Tensor* gradient)>;
  Tensor apply(Map map, const Tensor& x, const Tensor& parameters, Tensor& log_det) const;
  Tensor derive(const Derivative& derivative, const Tensor& x, const Tensor& bar, const Tensor& parameters,
                Tensor* gradient) const;
  Tensor own(const Tensor& flat) const { return flat.narrow(0, offset_, size_); }

  std::unique_ptr<Step> step_;
  std::int64_t offset_;
  std::int64_t size_;
  std::int64_t block_;
};

}  // namespace bgw::flows
