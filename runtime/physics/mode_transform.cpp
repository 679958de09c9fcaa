#include "runtime/physics/mode_transform.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <numbers>
#include <string>

#include "runtime/foundation/errors.h"

namespace bgw::physics {
namespace {

using kernels::kLanes;

std::vector<std::int64_t> columns_of(const std::vector<Tensor>& blocks) {
  std::vector<std::int64_t> columns;
  for (const Tensor& block : blocks) columns.push_back(block.size(1));
  return columns;
}

Tensor flattened(const std::vector<WaveVector>& waves, const std::vector<Tensor>& blocks) {
  if (waves.size() != blocks.size()) throw ShapeError("mode transform: one block for each wave vector is needed");
  std::vector<Tensor> parts;
  for (std::size_t n = 0; n < blocks.size(); ++n) {
    if (blocks[n].is_complex() == waves[n].real) throw ShapeError("mode transform: blocks of k = -k alone are real");
    const Tensor numbers = blocks[n].is_complex() ? at::view_as_real(blocks[n].contiguous()) : blocks[n];
    parts.push_back(numbers.reshape({-1}).to(at::kDouble));
  }
  return at::cat(parts);
}

TranslationGroup one_cell(const Tensor& modes) {
  if (modes.dim() != 2 || modes.size(0) % 3 != 0)
    throw ShapeError("the modes of a crystal need three rows for each atom, not " + std::to_string(modes.size(0)));
  return no_translations(modes.size(0) / 3, {});
}

std::vector<double> roots_of_unity(std::int64_t period) {
  std::vector<double> roots;
  for (std::int64_t j = 0; j < period; ++j) {
    // The first eighth of the circle serves all others, so that what is equal in exact arithmetic has equal bits.
    const std::int64_t eighths = 8 * j;
    const std::int64_t octant = eighths / period;
    const std::int64_t within = octant % 2 == 0 ? eighths - octant * period : (octant + 1) * period - eighths;
    const double angle = 0.25 * std::numbers::pi * static_cast<double>(within) / static_cast<double>(period);
    const double c = std::cos(angle);
    const double s = std::sin(angle);
    const std::int64_t quarter = (octant + 1) / 2 % 4;
    const double sine = octant % 2 == 0 ? s : -s;  // odd octants come down to their quarter turn
    const double turned[4][2] = {{c, sine}, {-sine, c}, {-c, -sine}, {sine, -c}};
    roots.push_back(turned[quarter][0]);
    roots.push_back(turned[quarter][1]);
  }
  return roots;
}

struct Free {
  void operator()(double* p) const { std::free(p); }
};

}  // namespace

/// Transposed memory for one block of rows, reused from block to block.
class ModeTransform::Workspace {
 public:
  explicit Workspace(const ModeTransform& transform) {
    const std::int64_t field = 3 * transform.particles() * kLanes;
    const std::int64_t modes = (transform.dimension() + 1) / 2 * 2 * kLanes;
    const auto count = static_cast<std::size_t>(field + modes + kernels::mode_scratch_numbers(transform.view_));
    memory_.reset(static_cast<double*>(std::aligned_alloc(64, (count * 8 + 63) / 64 * 64)));
    if (!memory_) throw std::bad_alloc();
    field_ = memory_.get();
    modes_ = field_ + field;
    scratch_ = modes_ + modes;
    std::fill_n(field_, field + modes, 0.0);  // lanes without a row stay zero
  }
  double* field() { return field_; }
  double* modes() { return modes_; }
  double* scratch() { return scratch_; }

 private:
  std::unique_ptr<double, Free> memory_;
  double* field_ = nullptr;
  double* modes_ = nullptr;
  double* scratch_ = nullptr;
};

ModeTransform::ModeTransform(TranslationGroup group, const std::vector<Tensor>& blocks,
                             const kernels::ModeKernels& kernels)
    : ModeTransform(group, columns_of(blocks), flattened(wave_vectors(group.periods), blocks), kernels) {}

ModeTransform::ModeTransform(TranslationGroup group, const std::vector<std::int64_t>& columns, const Tensor& numbers,
                             const kernels::ModeKernels& kernels)
    : group_(std::move(group)), columns_(columns), numbers_(numbers.to(at::kDouble).contiguous()), kernels_(kernels) {
  lay_out();
}

ModeTransform::ModeTransform(const Tensor& modes, const kernels::ModeKernels& kernels)
    : ModeTransform(one_cell(modes), {modes.size(1)}, modes.detach().reshape({-1}), kernels) {}

void ModeTransform::lay_out() {
  const std::vector<WaveVector> waves = wave_vectors(group_.periods);
  if (waves.size() != columns_.size()) throw ShapeError("mode transform: one block for each wave vector is needed");
  const auto& d = group_.periods;
  const std::int64_t width = 3 * group_.basis;
  const std::int64_t last = d[2] / 2 + 1;
  const auto place = [&](const std::array<std::int64_t, 3>& k) { return (k[0] * d[1] + k[1]) * last + k[2]; };
  const double* numbers = numbers_.data_ptr<double>();
  std::int64_t used = 0;
  for (std::size_t n = 0; n < waves.size(); ++n) {
    const WaveVector& wave = waves[n];
    const std::array<std::int64_t, 3> mirror{(d[0] - wave.index[0]) % d[0], (d[1] - wave.index[1]) % d[1],
                                             (d[2] - wave.index[2]) % d[2]};
    const bool mirrored = !wave.real && mirror[2] == wave.index[2];
    blocks_.push_back({place(wave.index), mirrored ? place(mirror) : -1, wave.real, columns_[n], dimension_,
                       numbers + used});
    used += width * columns_[n] * (wave.real ? 1 : 2);
    dimension_ += columns_[n] * (wave.real ? 1 : 2);
  }
  if (used != numbers_.numel()) throw ShapeError("mode transform: the blocks do not fit the crystal");

  squared_norms_ = at::empty({dimension_}, at::kDouble);
  double* norm = squared_norms_.data_ptr<double>();
  for (const kernels::ModeBlock& b : blocks_) {
    const std::int64_t parts = b.real ? 1 : 2;
    for (std::int64_t c = 0; c < b.columns; ++c) {
      double sum = 0;
      for (std::int64_t r = 0; r < width; ++r) {
        for (std::int64_t p = 0; p < parts; ++p) {
          const double w = b.numbers[parts * (r * b.columns + c) + p];
          sum += w * w;
        }
      }
      for (std::int64_t p = 0; p < parts; ++p) *norm++ = sum;
    }
  }
  for (std::size_t i = 0; i < group_.atoms.size(); ++i)
    place_.push_back(3 * std::int64_t{group_.basis_of[i]} * group_.cells() + group_.cell_of[i]);
  for (std::size_t a = 0; a < 3; ++a) {
    roots_[a] = roots_of_unity(d[a]);
    view_.periods[a] = d[a];
    view_.roots[a] = roots_[a].data();
  }
  view_.width = width;
  view_.blocks = blocks_.data();
  view_.block_count = static_cast<std::int64_t>(blocks_.size());
}

void ModeTransform::expand_row(const double* row, int lane, double* field) const {
  const std::int64_t cells = group_.cells();
  for (const std::int64_t place : place_) {
    for (std::int64_t d = 0; d < 3; ++d) field[(place + d * cells) * kLanes + lane] = *row++;
  }
}

void ModeTransform::collect_row(const double* field, int lane, double* row) const {
  const std::int64_t cells = group_.cells();
  for (const std::int64_t place : place_) {
    for (std::int64_t d = 0; d < 3; ++d) *row++ = field[(place + d * cells) * kLanes + lane];
  }
}

Tensor ModeTransform::displacements(const Tensor& y) const {
  if (y.dim() != 2 || y.size(1) != dimension_)
    throw ShapeError("modes must have the shape [batch, " + std::to_string(dimension_) + "]");
  const Tensor in = y.detach().to(at::kDouble).contiguous();
  const std::int64_t batch = in.size(0);
  Tensor result = at::empty({batch, particles(), 3}, at::kDouble);
  const double* rows = in.data_ptr<double>();
  double* out = result.data_ptr<double>();
  at::parallel_for(0, (batch + kLanes - 1) / kLanes, 1, [&](std::int64_t begin, std::int64_t end) {
    Workspace space(*this);
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t first = block * kLanes;
      const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, batch - first));
      for (int l = 0; l < lanes; ++l) {
        const double* row = rows + (first + l) * dimension_;
        for (std::int64_t j = 0; j < dimension_; ++j) space.modes()[j * kLanes + l] = row[j];
      }
      kernels_.synthesise(view_, space.modes(), space.field(), space.scratch());
      for (int l = 0; l < lanes; ++l) collect_row(space.field(), l, out + (first + l) * 3 * particles());
    }
  });
  return result;
}

Tensor ModeTransform::pull_back(const Tensor& g) const {
  const std::int64_t width = 3 * particles();
  if (g.dim() < 2 || g.size(0) * width != g.numel())
    throw ShapeError("a field must have the shape [batch, " + std::to_string(particles()) + ", 3]");
  const Tensor in = g.detach().to(at::kDouble).contiguous();
  const std::int64_t batch = in.size(0);
  Tensor result = at::empty({batch, dimension_}, at::kDouble);
  const double* rows = in.data_ptr<double>();
  double* out = result.data_ptr<double>();
  at::parallel_for(0, (batch + kLanes - 1) / kLanes, 1, [&](std::int64_t begin, std::int64_t end) {
    Workspace space(*this);
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t first = block * kLanes;
      const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, batch - first));
      for (int l = 0; l < lanes; ++l) expand_row(rows + (first + l) * width, l, space.field());
      kernels_.analyse(view_, space.field(), space.modes(), space.scratch());
      for (int l = 0; l < lanes; ++l) {
        double* row = out + (first + l) * dimension_;
        for (std::int64_t j = 0; j < dimension_; ++j) row[j] = space.modes()[j * kLanes + l];
      }
    }
  });
  return result;
}

}  // namespace bgw::physics
