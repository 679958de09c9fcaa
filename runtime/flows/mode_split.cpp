#include "runtime/flows/mode_split.h"

#include <string>

#include "compiler/plan/plan.h"
#include "runtime/flows/differentiable_operations.h"
#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::flows {
namespace {

plan::Key key_of_seed(std::uint64_t seed) {
  plan::Key key;
  for (std::size_t i = 0; i < 8; ++i) key.bytes[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  return key;
}

void check_spec(const ModeSplitSpec& spec, std::int64_t modes) {
  if (spec.splits < 1) throw InputError("mode_split: splits must be at least 1, not " + std::to_string(spec.splits));
  if (spec.look_ahead < 0) {
    throw InputError("mode_split: look_ahead must be 0 (never) or k (every k-th split), not " +
                     std::to_string(spec.look_ahead));
  }
  if (modes < 2) throw InputError("mode_split: a crystal with " + std::to_string(modes) + " mode cannot be split");
}

}  // namespace

Tensor mode_split_start() { return at::tensor({0.69, 1.41, 0.35, 0.48, 0.0125}, at::kDouble); }

ModeSplitFlow::ModeSplitFlow(const physics::WhitenedTarget& target, const ModeSplitSpec& spec)
    : target_(target), spec_(spec) {
  const std::int64_t m = target.dimension();
  check_spec(spec, m);
  look_ahead_splits_ = spec.look_ahead == 0 ? 0 : (spec.splits + spec.look_ahead - 1) / spec.look_ahead;
  const tensor::RandomStream stream(key_of_seed(spec.seed), "mode_split.halves");
  for (std::int64_t l = 0; l < spec.splits; ++l) {
    const Tensor order = stream.permutation(l, m);
    Tensor in_a = at::zeros({m}, at::kDouble);
    in_a.index_fill_(0, order.slice(0, 0, m / 2), 1.0);
    splits_.push_back({order, in_a, 1.0 - in_a});
  }
}

bool ModeSplitFlow::looks_ahead(std::int64_t split) const {
  return spec_.look_ahead > 0 && split % spec_.look_ahead == 0;
}

ModeSplitFlow::Scalars ModeSplitFlow::scalars(const Tensor& parameters) {
  if (parameters.size(-1) != 5 || parameters.dim() > 2) {
    throw ShapeError("mode_split: parameters must be [5] or [B, 5]");
  }
  const Tensor rows = parameters.dim() == 1 ? parameters.unsqueeze(0) : parameters;
  const auto column = [&](std::int64_t i) { return rows.slice(1, i, i + 1); };
  return {column(0), column(1), column(2), column(3), column(4)};
}

// A field of one half is that of all modes with the other half at zero: one transform, whichever the half.
Tensor ModeSplitFlow::shift(const Tensor& y, const Tensor& in_c, const Tensor& in_u, const Scalars& p,
                            bool look) const {
  const auto field = [&](const Tensor& modes) { return field_of_modes(target_.modes(), modes); };
  const auto whitened_force = [&](const Tensor& u) {
    return modes_of_field(target_.modes(), reduced_gradient(target_.model(), target_.beta(), u));
  };
  const Tensor amplified = p.h * (y * in_c);
  const Tensor u = field(amplified);
  const Tensor f = whitened_force(u);
  const Tensor first_order = p.a / static_cast<double>(spec_.splits) * f;
  if (!look) return first_order * in_u;

  const Tensor d = -p.lambda * (f - amplified);
  const Tensor f2 = whitened_force(u + field(d)) - d;
  return (first_order + p.a2 / static_cast<double>(look_ahead_splits_) * (f2 - f)) * in_u;
}

Tensor ModeSplitFlow::forward(const Tensor& z, const Tensor& parameters) const {
  const Scalars p = scalars(parameters);
  Tensor y = p.s0.exp() * z;
  for (std::int64_t l = 0; l < spec_.splits; ++l) {
    const Split& s = splits_[static_cast<std::size_t>(l)];
    y = y - shift(y, s.in_a, s.in_b, p, looks_ahead(l));
    y = y - shift(y, s.in_b, s.in_a, p, looks_ahead(l));
  }
  return y;
}

Tensor ModeSplitFlow::inverse(const Tensor& y, const Tensor& parameters) const {
  const Scalars p = scalars(parameters);
  Tensor z = y;
  for (std::int64_t l = spec_.splits - 1; l >= 0; --l) {
    const Split& s = splits_[static_cast<std::size_t>(l)];
    z = z + shift(z, s.in_b, s.in_a, p, looks_ahead(l));
    z = z + shift(z, s.in_a, s.in_b, p, looks_ahead(l));
  }
  return (-p.s0).exp() * z;
}

Tensor ModeSplitFlow::log_determinant(const Tensor& parameters) const {
  return static_cast<double>(dimension()) * parameters.select(-1, 4);
}

std::int64_t ModeSplitFlow::calls_per_sample() const { return 2 * spec_.splits + 2 * look_ahead_splits_; }

Tensor ModeSplitFlow::half(std::int64_t split) const {
  return splits_.at(static_cast<std::size_t>(split)).order.slice(0, 0, dimension() / 2);
}

}  // namespace bgw::flows
