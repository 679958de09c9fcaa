#include "runtime/flows/force_labels.h"

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

/// A field [N, 3] carried along: what stood at atom i stands at the image of i, rotated.
void carry(const physics::PointOperation& operation, const double* from, double* to) {
  const double* r = operation.rotation.data_ptr<double>();
  for (std::size_t i = 0; i < operation.image.size(); ++i, from += 3) {
    double* there = to + 3 * operation.image[i];
    for (int d = 0; d < 3; ++d) there[d] = r[3 * d] * from[0] + r[3 * d + 1] * from[1] + r[3 * d + 2] * from[2];
  }
}

}  // namespace

ForceLabels::ForceLabels(const physics::WhitenedTarget& target, std::vector<physics::PointOperation> operations,
                         const ForceLabelOptions& options, const plan::Key& stream_key)
    : target_(target),
      operations_(std::move(operations)),
      options_(options),
      latent_(stream_key, "train.fields"),
      amplitude_(stream_key, "train.amplitudes"),
      choice_(stream_key, "train.labels") {
  for (physics::PointOperation& operation : operations_) operation.rotation = operation.rotation.contiguous();
  if (!options_.count) return;
  gradients_ = at::zeros({*options_.count, target.particles(), 3}, at::kDouble);
  is_known_.assign(static_cast<std::size_t>(*options_.count), 0);
}

Tensor ForceLabels::field(std::int64_t step, std::int64_t first, std::int64_t count) const {
  const Tensor uniform = amplitude_.uniform(step, first, count, 1);
  const Tensor amplitude = options_.smallest + (options_.largest - options_.smallest) * uniform;
  return target_.displacements(latent_.normal(step, first, count, target_.dimension()) * amplitude);
}

LabelledFields ForceLabels::labelled(const Tensor& fields, const Tensor& gradients) const {
  const Tensor modes = target_.whiten(fields);
  return {modes, target_.modes().pull_back(gradients).mul_(target_.beta()).sub_(modes)};
}

void ForceLabels::compute_missing(const std::vector<std::int64_t>& numbers) const {
  std::vector<std::int64_t> missing;
  for (const std::int64_t n : numbers) {
    if (is_known_[static_cast<std::size_t>(n)] == 0 && std::find(missing.begin(), missing.end(), n) == missing.end())
      missing.push_back(n);
  }
  if (missing.empty()) return;
  std::vector<Tensor> fields;
  for (const std::int64_t n : missing) fields.push_back(field(0, n, 1));
  const Tensor found = target_.model().energy_and_gradient(at::cat(fields)).gradient;
  for (std::size_t i = 0; i < missing.size(); ++i) {
    gradients_.select(0, missing[i]).copy_(found.select(0, static_cast<std::int64_t>(i)));
    is_known_[static_cast<std::size_t>(missing[i])] = 1;
  }
}

LabelledFields ForceLabels::of(const Portion& p) const {
  if (!options_.count) {
    const Tensor fields = field(p.total, p.first, p.count);
    return labelled(fields, target_.model().energy_and_gradient(fields).gradient);
  }
  const Tensor uniform = choice_.uniform(p.total, p.first, p.count, 2);
  std::vector<std::int64_t> numbers;
  for (std::int64_t r = 0; r < p.count; ++r) {
    const double place = uniform.data_ptr<double>()[2 * r] * static_cast<double>(*options_.count);
    numbers.push_back(std::min(static_cast<std::int64_t>(place), *options_.count - 1));
  }
  const std::lock_guard lock(mutex_);
  compute_missing(numbers);
  const std::int64_t width = 3 * target_.particles();
  Tensor fields = at::empty({p.count, target_.particles(), 3}, at::kDouble), gradients = at::empty_like(fields);
  for (std::int64_t r = 0; r < p.count; ++r) {
    const std::int64_t n = numbers[static_cast<std::size_t>(r)];
    const double place = uniform.data_ptr<double>()[2 * r + 1] * static_cast<double>(operations_.size());
    const auto& operation = operations_[std::min(static_cast<std::size_t>(place), operations_.size() - 1)];
    const Tensor own = field(0, n, 1).contiguous();
    carry(operation, own.data_ptr<double>(), fields.data_ptr<double>() + width * r);
    carry(operation, gradients_.data_ptr<double>() + width * n, gradients.data_ptr<double>() + width * r);
  }
  return labelled(fields, gradients);
}

ForceLabels::Known ForceLabels::known() const {
  const std::lock_guard lock(mutex_);
  if (!options_.count) return {at::empty({0, target_.particles(), 3}, at::kDouble), at::empty({0}, at::kLong)};
  return {gradients_.clone(), at::tensor(at::ArrayRef<std::int64_t>(is_known_), at::kLong)};
}

void ForceLabels::restore(const Known& known) {
  const std::int64_t count = options_.count.value_or(0);
  if (known.numbers.numel() != count || known.gradients.numel() != count * 3 * target_.particles())
    throw ShapeError("the force labels of this state are those of another stage");
  if (count == 0) return;
  gradients_ = known.gradients.to(at::kDouble).contiguous().clone();
  const Tensor numbers = known.numbers.to(at::kLong).contiguous();
  is_known_.assign(numbers.data_ptr<std::int64_t>(), numbers.data_ptr<std::int64_t>() + count);
}

}  // namespace bgw::flows
