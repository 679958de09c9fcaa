#include "runtime/physics/single_modes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "runtime/foundation/errors.h"

namespace bgw::physics {
namespace {

constexpr std::int64_t kRows = SingleModes::kRows;

/// Memory of ATen begins at multiples of 64 bytes, as the kernels want it.
Tensor floats(std::int64_t count) { return at::empty({count}, at::kFloat); }

std::vector<float> rounded(const double* numbers, std::int64_t count) {
  std::vector<float> result(static_cast<std::size_t>(count));
  std::transform(numbers, numbers + count, result.begin(), [](double x) { return static_cast<float>(x); });
  return result;
}

/// Lanes next to each other, read or written one coordinate after the other.
using Lane = std::array<float, kRows>;

}  // namespace

SingleModes::SingleModes(const ModeTransform& modes, const KernelEnergyModel& model,
                         const kernels::SingleKernelTable& kernels, const kernels::SingleModeKernels& mode_kernels)
    : modes_(modes), model_(model), kernels_(kernels), mode_kernels_(mode_kernels) {
  if (modes.particles() != model.particles()) throw ShapeError("the modes are those of another crystal");
  const kernels::ModeView& from = modes.view();
  view_.width = from.width;
  view_.block_count = from.block_count;
  for (std::size_t a = 0; a < 3; ++a) {
    view_.periods[a] = from.periods[a];
    roots_[a] = rounded(from.roots[a], 2 * from.periods[a]);
    view_.roots[a] = roots_[a].data();
  }
  const double* first = modes.numbers().data_ptr<double>();
  numbers_ = rounded(first, modes.numbers().numel());
  for (std::int64_t n = 0; n < from.block_count; ++n) {
    const kernels::ModeBlock& b = from.blocks[n];
    blocks_.push_back({b.place, b.partner, b.real, b.columns, b.first_mode, numbers_.data() + (b.numbers - first)});
  }
  view_.blocks = blocks_.data();

  const kernels::NeighbourView list = model.list().view();
  offset_ = rounded(list.offset, 3 * list.begin[list.atoms]);
  list_ = {list.atoms, list.begin, list.owned, list.index, offset_.data(), list.nearest, list.widest_row};
}

Tensor SingleModes::field(const Tensor& v) const {
  const std::int64_t rows = v.size(0);
  const std::int64_t m = modes_.dimension();
  if (v.dim() != 2 || v.size(1) != m || rows > kRows || !v.is_contiguous() || v.scalar_type() != at::kDouble)
    throw ShapeError("modes must be float64 and have the shape [up to " + std::to_string(kRows) + ", " + std::to_string(m) + "]");
  const std::int64_t padded = (m + 1) / 2 * 2;
  const Tensor memory = floats((padded + width()) * kRows + kernels::mode_scratch_numbers(view_));
  float* lanes = memory.data_ptr<float>();
  float* in_cells = lanes + padded * kRows;
  const double* from = v.data_ptr<double>();
  for (std::int64_t j = 0; j < m; ++j) {
    for (std::int64_t r = 0; r < rows; ++r) lanes[j * kRows + r] = static_cast<float>(from[r * m + j]);
    for (std::int64_t r = rows; r < kRows; ++r) lanes[j * kRows + r] = 0.0F;
  }
  mode_kernels_.synthesise(view_, lanes, in_cells, in_cells + width() * kRows);
  Tensor field = at::empty({width(), kRows}, at::kFloat);
  auto* to = reinterpret_cast<Lane*>(field.data_ptr<float>());
  const auto* at_place = reinterpret_cast<const Lane*>(in_cells);
  const std::int64_t cells = modes_.group().cells();
  for (const std::int64_t place : modes_.places()) {
    for (std::int64_t d = 0; d < 3; ++d) *to++ = at_place[place + d * cells];
  }
  return field;
}

Tensor SingleModes::in_modes(const Tensor& found, std::int64_t rows) const {
  const std::int64_t m = modes_.dimension();
  const std::int64_t padded = (m + 1) / 2 * 2;
  const Tensor memory = floats((padded + width()) * kRows + kernels::mode_scratch_numbers(view_));
  float* lanes = memory.data_ptr<float>();
  float* in_cells = lanes + padded * kRows;
  const auto* from = reinterpret_cast<const Lane*>(found.data_ptr<float>());
  auto* at_place = reinterpret_cast<Lane*>(in_cells);
  const std::int64_t cells = modes_.group().cells();
  for (const std::int64_t place : modes_.places()) {
    for (std::int64_t d = 0; d < 3; ++d) at_place[place + d * cells] = *from++;
  }
  mode_kernels_.analyse(view_, in_cells, lanes, in_cells + width() * kRows);
  Tensor result = at::empty({rows, m}, at::kDouble);
  double* to = result.data_ptr<double>();
  for (std::int64_t j = 0; j < m; ++j) {
    for (std::int64_t r = 0; r < rows; ++r) to[r * m + j] = static_cast<double>(lanes[j * kRows + r]);
  }
  return result;
}

/// The rows that may have a pair within the cutoff that the list lacks.
std::vector<std::int64_t> SingleModes::outgrown(const float* field, std::int64_t rows) const {
  if (model_.potential().listed_within > 0.0) return {};
  Lane largest{}, total{};
  for (std::int64_t i = 0; i < list_.atoms; ++i, field += 3 * kRows) {
    for (std::size_t l = 0; l < kRows; ++l) {
      const float x = field[l], y = field[kRows + l], z = field[2 * kRows + l];
      const float square = x * x + y * y + z * z;
      largest[l] = std::max(largest[l], square);
      total[l] += square;  // remembers what is not a number
    }
  }
  std::vector<std::int64_t> found;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto l = static_cast<std::size_t>(r);
    if (std::isfinite(total[l]) && model_.list().serves_within(1.0001 * std::sqrt(static_cast<double>(largest[l])))) continue;
    std::vector<double> row;
    for (const float* at = field - 3 * list_.atoms * kRows; at != field; at += kRows) row.push_back(static_cast<double>(at[r]));
    if (!model_.list().serves(row.data())) found.push_back(r);
  }
  return found;
}

void SingleModes::put_outgrown(std::int64_t lane, const Tensor& field, const Tensor* direction, Tensor& gradient,
                               Tensor* product) const {
  const auto row = [&](const Tensor& lanes) {
    return lanes.select(1, lane).to(at::kDouble).view({1, model_.particles(), 3}).contiguous();
  };
  const auto put = [&](const Tensor& numbers, Tensor& lanes) { lanes.select(1, lane).copy_(numbers.view({-1})); };
  if (direction == nullptr) {
    put(model_.energy_and_gradient(row(field)).gradient, gradient);
    return;
  }
  const GradientAndProduct found = model_.gradient_and_product(row(field), row(*direction));
  put(found.gradient, gradient);
  put(found.product, *product);
}

void SingleModes::call(const Tensor& field, const float* tangent, float* gradient, float* product) const {
  const Tensor scratch = floats(kernels::scratch_numbers<float>(list_.widest_row));
  std::fill_n(gradient, width() * kRows, 0.0F);
  if (product != nullptr) std::fill_n(product, width() * kRows, 0.0F);
  const kernels::SingleBlock block{field.data_ptr<float>(), tangent, nullptr, gradient, product, nullptr, nullptr,
                                   scratch.data_ptr<float>()};
  if (const auto* sw = std::get_if<kernels::StillingerWeber>(&model_.potential().kernel))
    kernels_.stillinger_weber(list_, *sw, block);
  else
    kernels_.lennard_jones(list_, std::get<kernels::LennardJones>(model_.potential().kernel), block);
}

Tensor SingleModes::gradient(const Tensor& field, std::int64_t rows) const {
  Tensor gradient = at::empty_like(field);
  const std::vector<std::int64_t> alone = outgrown(field.data_ptr<float>(), rows);
  call(field, nullptr, gradient.data_ptr<float>(), nullptr);
  for (const std::int64_t lane : alone) put_outgrown(lane, field, nullptr, gradient, nullptr);
  gradient_calls_ += rows - static_cast<std::int64_t>(alone.size());
  return in_modes(gradient, rows);
}

SingleModes::Answer SingleModes::gradient_and_product(const Tensor& field, const Tensor& direction,
                                                      std::int64_t rows) const {
  Tensor gradient = at::empty_like(field);
  Tensor product = at::empty_like(field);
  const std::vector<std::int64_t> alone = outgrown(field.data_ptr<float>(), rows);
  call(field, direction.data_ptr<float>(), gradient.data_ptr<float>(), product.data_ptr<float>());
  for (const std::int64_t lane : alone) put_outgrown(lane, field, &direction, gradient, &product);
  hessian_calls_ += rows - static_cast<std::int64_t>(alone.size());
  return {in_modes(gradient, rows), in_modes(product, rows)};
}

}  // namespace bgw::physics
