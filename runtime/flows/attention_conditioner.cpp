#include "runtime/flows/attention_conditioner.h"

#include <cmath>

#include <fmt/format.h>

#include "runtime/flows/attention_operations.h"
#include "runtime/flows/fourier_features.h"
#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

constexpr std::int64_t kExpansion = 4;  // of the width, in a block's perceptron

// Each sample begins at a multiple of so many rows: libraries multiply tiles of 4, 8 or 12 rows, and some round halves of
// a tile in different ways. An atom's numbers would depend on its place in the batch.
constexpr std::int64_t kTile = 12;

void check(const AttentionSpec& spec) {
  if (spec.width < 1 || spec.blocks < 1 || spec.heads < 1 || spec.frequencies < 1 || spec.bins < 1) {
    throw InputError(
        fmt::format("attention network: width {}, blocks {}, heads {}, frequencies {}, bins {}; each must be at least 1",
                    spec.width, spec.blocks, spec.heads, spec.frequencies, spec.bins));
  }
  if (spec.width % spec.heads != 0) {
    throw InputError(fmt::format("attention network: {} heads do not divide the width {}; write a multiple of {}",
                                 spec.heads, spec.width, spec.heads));
  }
}

}  // namespace

AttentionConditioner::AttentionConditioner(const AttentionSpec& spec, std::int64_t given, std::int64_t moved)
    : spec_(spec), moved_(moved) {
  check(spec);
  const std::int64_t width = spec.width;
  embed_ = add_linear("embed", width, 2 * spec.frequencies * given, false);
  for (std::int64_t l = 0; l < spec.blocks; ++l) {
    const std::string block = fmt::format("block_{}.", l);
    // Query, key and value in one matrix: three layers of equal input.
    const Linear query_key_value = add_linear(block + "query_key_value", 3 * width, width, false);
    const Linear attended = add_linear(block + "attended", width, width, true);
    const Linear expand = add_linear(block + "expand", kExpansion * width, width, false);
    blocks_.push_back({query_key_value, attended, expand,
                       add_linear(block + "contract", width, kExpansion * width, true)});
  }
  last_ = add_linear("last", moved * (3 * spec.bins + 1), width, true);
}

AttentionConditioner::Linear AttentionConditioner::add_linear(const std::string& name, std::int64_t out,
                                                              std::int64_t in, bool starts_at_zero) {
  Start start;
  if (!starts_at_zero) start = {Start::Kind::truncated_normal, 1.0 / std::sqrt(static_cast<double>(in))};
  const std::size_t weight = layout_.add(name + ".weight", {out, in}, start);
  return {weight, layout_.add(name + ".bias", {out})};
}

Tensor AttentionConditioner::apply(const Linear& linear, const Tensor& input, const Tensor& parameters) const {
  return at::linear(input, layout_.view(parameters, linear.weight), layout_.view(parameters, linear.bias));
}

Tensor AttentionConditioner::raw(const Tensor& part, const Tensor& parameters) const {
  const std::int64_t rows = part.size(1);
  const Atoms atoms{part.size(0), rows, (rows + kTile - 1) / kTile * kTile};
  // Features in float64 whatever the network's precision: the phase of the highest frequency is a large number.
  const Tensor features = fourier_features(part, {0.0, 1.0}, spec_.frequencies).to(parameters.scalar_type());
  const Tensor input = at::constant_pad_nd(features, {0, 0, 0, atoms.stride - rows}).flatten(0, 1);
  Tensor state = apply(embed_, input, parameters);
  for (const Block& block : blocks_) {
    const Tensor mixed = self_attention(apply(block.query_key_value, state, parameters), atoms, spec_.heads);
    state = state + apply(block.attended, mixed, parameters);
    const Tensor wide = tanh_gelu(apply(block.expand, state, parameters));
    state = state + apply(block.contract, wide, parameters);
  }
  return apply(last_, state, parameters)
      .view({atoms.samples, atoms.stride, moved_, 3 * spec_.bins + 1})
      .narrow(1, 0, rows);
}

}  // namespace bgw::flows
