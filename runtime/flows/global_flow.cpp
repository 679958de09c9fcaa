#include "runtime/flows/global_flow.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/flows/circular_shift.h"
#include "runtime/flows/direct_spline.h"
#include "runtime/flows/global_ends.h"
#include "runtime/flows/sample_blocks.h"
#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

constexpr StatePart kFirst{2, 0, 1};
constexpr StatePart kOthers{2, 1, 2};
constexpr SplineRange kCell{0.0, 1.0, SplineEnds::circular};

// Sixteen samples fill vector registers of any width. Narrow networks of small crystals take up to four times as many, so
// that matrices are worth the call.
constexpr std::int64_t kBlockStep = 16;
constexpr std::int64_t kMostSteps = 4;
constexpr std::int64_t kBlockNumbers = 448 * 64;  // rows times width

std::int64_t block_of(std::int64_t rows, std::int64_t width) {
  return kBlockStep * std::clamp<std::int64_t>(kBlockNumbers / (kBlockStep * rows * width), 1, kMostSteps);
}

/// Turns of the axes at the end of a layer.
std::int64_t turns_after(std::int64_t layer, std::int64_t layers) {
  return layer + 1 < layers ? 1 : (3 - (layers - 1) % 3) % 3;
}

/// Adds layers to a layout, and to a chain where there is one.
class Builder {
 public:
  explicit Builder(const GlobalFlowSpec& spec)
      : spec_(spec),
        from_first_(std::make_shared<AttentionConditioner>(spec.network, 1, 2)),
        from_others_(std::make_shared<AttentionConditioner>(spec.network, 2, 1)) {
    if (spec.layers < 1) throw InputError(fmt::format("global flow: {} layers; it needs at least 1", spec.layers));
  }

  ParameterLayout build(StepChain* steps, std::int64_t block) const {
    ParameterLayout layout;
    for (std::int64_t l = 0; l < spec_.layers; ++l) {
      const std::string name = fmt::format("layer_{}.", l);
      add_coupling(layout, name + "others", from_first_, kFirst, kOthers, steps, block);
      add_coupling(layout, name + "first", from_others_, kOthers, kFirst, steps, block);
      const std::int64_t offset = layout.size();
      layout.add(name + "shift", {3});
      if (steps != nullptr) steps->add(std::make_unique<CircularShift>(offset, turns_after(l, spec_.layers)));
    }
    return layout;
  }

 private:
  static void add_coupling(ParameterLayout& layout, const std::string& name,
                           const std::shared_ptr<const AttentionConditioner>& network, const StatePart& given,
                           const StatePart& moved, StepChain* steps, std::int64_t block) {
    const std::int64_t offset = layout.append(name, network->layout());
    if (steps == nullptr) return;
    auto coupling = std::make_unique<DirectSplineCoupling>(network, 0, given, moved, kCell);
    steps->add(std::make_unique<SampleBlocks>(std::move(coupling), offset, network->layout().size(), block));
  }

  GlobalFlowSpec spec_;
  std::shared_ptr<const AttentionConditioner> from_first_, from_others_;  // parameters are apart, layer by layer
};

}  // namespace

ParameterLayout global_flow_layout(const GlobalFlowSpec& spec) { return Builder(spec).build(nullptr, 0); }

std::unique_ptr<CouplingFlow> make_global_flow(const GlobalFlowSpec& spec, const physics::WhitenedTarget& target,
                                               const Tensor& sites, const crystal::Cell& cell, at::ScalarType type) {
  const Builder builder(spec);
  auto ends = std::make_unique<GlobalEnds>(target, sites, cell);
  const std::int64_t fitting = block_of(target.particles() - 1, spec.network.width);
  const std::int64_t block = spec.batch > 0 ? std::min(spec.batch, fitting) : fitting;
  StepChain steps;
  ParameterLayout layout = builder.build(&steps, block);
  // A block is a portion of a batch too: threads take portions, and within one there is nothing left to share.
  return std::make_unique<CouplingFlow>(std::move(ends), std::move(steps), std::move(layout), type, block);
}

}  // namespace bgw::flows
