#include "runtime/flows/mode_split.h"

#include <string>

#include "compiler/plan/plan.h"
#include "runtime/flows/differentiable_operations.h"
#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::flows {
namespace {

// Up to this much, the sub-matrices of all splits are kept; above, they are gathered when a batch passes through.
constexpr std::int64_t kKeptBytes = std::int64_t{512} << 20;

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

Tensor gather_rows(const Tensor& rows, const Tensor& indices) { return rows.index_select(0, indices); }

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
    splits_.push_back({order, order.argsort(), Tensor(), Tensor()});
  }
  if (spec.splits * target.transposed_modes().numel() * 8 <= kKeptBytes) {
    for (std::int64_t l = 0; l < spec.splits; ++l) splits_[static_cast<std::size_t>(l)] = with_modes(l);
  }
}

ModeSplitFlow::Split ModeSplitFlow::with_modes(std::int64_t split) const {
  Split result = splits_[static_cast<std::size_t>(split)];
  if (!result.modes_a.defined()) {
    const std::int64_t m = dimension();
    result.modes_a = gather_rows(target_.transposed_modes(), result.order.slice(0, 0, m / 2));
    result.modes_b = gather_rows(target_.transposed_modes(), result.order.slice(0, m / 2, m));
  }
  return result;
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

Tensor ModeSplitFlow::shift(const Tensor& y_c, const Tensor& modes_c, const Tensor& modes_u, const Scalars& p,
                            bool look) const {
  const auto force = [&](const Tensor& field) { return reduced_gradient(target_.model(), target_.beta(), field); };
  const Tensor amplified = p.h * y_c;
  const Tensor field = constant_product(amplified, modes_c);
  const Tensor gradient = force(field);
  const Tensor f_u = constant_product(gradient, modes_u.t());
  const Tensor first_order = p.a / static_cast<double>(spec_.splits) * f_u;
  if (!look) return first_order;

  const Tensor d_u = -p.lambda * f_u;
  const Tensor d_c = -p.lambda * (constant_product(gradient, modes_c.t()) - amplified);
  const Tensor probe = field + constant_product(d_u, modes_u) + constant_product(d_c, modes_c);
  const Tensor f2_u = constant_product(force(probe), modes_u.t()) - d_u;
  return first_order + p.a2 / static_cast<double>(look_ahead_splits_) * (f2_u - f_u);
}

Tensor ModeSplitFlow::forward(const Tensor& z, const Tensor& parameters) const {
  const Scalars p = scalars(parameters);
  const std::int64_t half = dimension() / 2;
  Tensor y = p.s0.exp() * z;
  for (std::int64_t l = 0; l < spec_.splits; ++l) {
    const Split s = with_modes(l);
    const Tensor ordered = permute_columns(y, s.order, s.inverse);
    Tensor y_a = ordered.slice(1, 0, half);
    Tensor y_b = ordered.slice(1, half, dimension());
    y_b = y_b - shift(y_a, s.modes_a, s.modes_b, p, looks_ahead(l));
    y_a = y_a - shift(y_b, s.modes_b, s.modes_a, p, looks_ahead(l));
    y = permute_columns(at::cat({y_a, y_b}, 1), s.inverse, s.order);
  }
  return y;
}

Tensor ModeSplitFlow::inverse(const Tensor& y, const Tensor& parameters) const {
  const Scalars p = scalars(parameters);
  const std::int64_t half = dimension() / 2;
  Tensor z = y;
  for (std::int64_t l = spec_.splits - 1; l >= 0; --l) {
    const Split s = with_modes(l);
    const Tensor ordered = permute_columns(z, s.order, s.inverse);
    Tensor y_a = ordered.slice(1, 0, half);
    Tensor y_b = ordered.slice(1, half, dimension());
    y_a = y_a + shift(y_b, s.modes_b, s.modes_a, p, looks_ahead(l));
    y_b = y_b + shift(y_a, s.modes_a, s.modes_b, p, looks_ahead(l));
    z = permute_columns(at::cat({y_a, y_b}, 1), s.inverse, s.order);
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
