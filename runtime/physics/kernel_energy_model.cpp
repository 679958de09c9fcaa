#include "runtime/physics/kernel_energy_model.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>

#include "runtime/foundation/errors.h"

namespace bgw::physics {
namespace {

using kernels::kLanes;

struct Free {
  void operator()(double* p) const { std::free(p); }
};
using AlignedDoubles = std::unique_ptr<double[], Free>;

AlignedDoubles aligned_doubles(std::int64_t count) {
  const auto bytes = static_cast<std::size_t>((count * 8 + 63) / 64 * 64);
  void* memory = std::aligned_alloc(64, std::max<std::size_t>(bytes, 64));
  if (memory == nullptr) throw std::bad_alloc();
  return AlignedDoubles(static_cast<double*>(memory));
}

/// Puts one configuration into a lane of a transposed block, or takes it out.
void to_lane(const double* row, std::int64_t width, int lane, double* block) {
  for (std::int64_t c = 0; c < width; ++c) block[c * kLanes + lane] = row[c];
}
void from_lane(const double* block, std::int64_t width, int lane, double* row) {
  for (std::int64_t c = 0; c < width; ++c) row[c] = block[c * kLanes + lane];
}

/// Coordinates beyond this are no crystal, and cells would be counted in numbers that do not hold them.
double far_away(const crystal::Cell& cell) {
  const crystal::Vector3 heights = cell.heights();
  return 1e6 * std::min({heights[0], heights[1], heights[2]});
}

constexpr double kThinnest = 0.02;  // of the cutoff; below it an atom has too many images to list

void scatter_block(const double* b, std::int64_t centre, std::int64_t j, std::int64_t k, std::int64_t width,
                   double* h) {
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t d = 0; d < 3; ++d) {
      const double x = b[3 * c + d];
      h[(3 * j + c) * width + 3 * k + d] += x;
      h[(3 * centre + c) * width + 3 * k + d] -= x;
      h[(3 * j + c) * width + 3 * centre + d] -= x;
      h[(3 * centre + c) * width + 3 * centre + d] += x;
    }
  }
}

void scatter_transposed(const double* b, std::int64_t centre, std::int64_t j, std::int64_t k, std::int64_t width,
                        double* h) {
  const double t[9] = {b[0], b[3], b[6], b[1], b[4], b[7], b[2], b[5], b[8]};
  scatter_block(t, centre, k, j, width, h);
}

}  // namespace

/// Rows of the results; gradient and product may be null.
struct KernelEnergyModel::Outputs {
  double* energy;
  double* gradient;
  double* product;
  bool with_product() const { return product != nullptr; }
  bool with_gradient() const { return gradient != nullptr; }
};

/// Transposed memory for one block, reused from block to block.
class KernelEnergyModel::Workspace {
 public:
  Workspace(std::int64_t atoms, std::int64_t widest_row)
      : width_(3 * atoms),
        memory_(aligned_doubles(4 * width_ * kLanes + kLanes + kernels::scratch_doubles(widest_row))) {}
  double* displacement() { return memory_.get(); }
  double* tangent() { return memory_.get() + width_ * kLanes; }
  double* gradient() { return memory_.get() + 2 * width_ * kLanes; }
  double* product() { return memory_.get() + 3 * width_ * kLanes; }
  double* energy() { return memory_.get() + 4 * width_ * kLanes; }
  double* scratch() { return energy() + kLanes; }
  void clear_inputs() { std::fill_n(displacement(), 2 * width_ * kLanes, 0.0); }
  void clear_outputs() { std::fill_n(gradient(), 2 * width_ * kLanes, 0.0); }

 private:
  std::int64_t width_;
  AlignedDoubles memory_;
};

KernelEnergyModel::KernelEnergyModel(const Potential& potential, std::vector<crystal::Vector3> sites,
                                     const crystal::Cell& cell, Images images, const kernels::KernelTable& kernels)
    : potential_(potential),
      sites_(std::move(sites)),
      cell_(cell),
      images_(images),
      kind_(std::holds_alternative<kernels::LennardJones>(potential.kernel) ? ListKind::half : ListKind::full),
      kernels_(kernels),
      constant_(0.0) {
  check_sites();
  const auto n = static_cast<double>(sites_.size());
  list_ = images_ == Images::nearest
              ? NeighbourList::of_nearest_images(sites_, cell_, kind_)
              : NeighbourList::within(sites_, cell_, potential_.cutoff,
                                      default_skin(cell_.volume() / n, potential_.cutoff), kind_);
  constant_ = n * tail_energy_per_atom(potential_, n / cell_.volume());
}

void KernelEnergyModel::check_sites() const {
  if (sites_.empty()) throw InputError("a system needs at least one atom");
  const crystal::Vector3 heights = cell_.heights();
  const double thinnest = std::min({heights[0], heights[1], heights[2]});
  if (!(thinnest > kThinnest * potential_.cutoff)) {
    throw InputError("the cell is too thin for a cutoff of " + std::to_string(potential_.cutoff) +
                     ": its faces are as near as " + std::to_string(thinnest));
  }
  const double far = far_away(cell_);
  for (const crystal::Vector3& site : sites_) {
    for (const double x : site) {
      if (!(std::abs(x) < far)) throw InputError("an atom stands at " + std::to_string(x) + ", far away from the cell");
    }
  }
}

void KernelEnergyModel::check(const Tensor& field, const char* name) const {
  if (field.dim() != 3 || field.size(1) != particles() || field.size(2) != 3) {
    throw ShapeError(std::string(name) + " must have the shape [batch, " + std::to_string(particles()) + ", 3]");
  }
  if (field.scalar_type() != at::kDouble || !field.device().is_cpu())
    throw ShapeError(std::string(name) + " must be float64 on the CPU");
}

NeighbourList KernelEnergyModel::list_at(const double* u) const {
  std::vector<crystal::Vector3> positions = sites_;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    for (std::size_t d = 0; d < 3; ++d) positions[i][d] += u[3 * i + d];
  }
  return images_ == Images::nearest ? NeighbourList::of_nearest_images(positions, cell_, kind_)
                                    : NeighbourList::within(positions, cell_, potential_.cutoff, 0.0, kind_);
}

void KernelEnergyModel::call(const NeighbourList& list, Workspace& space, const Outputs& outputs) const {
  space.clear_outputs();
  const kernels::Block block{space.displacement(), outputs.with_product() ? space.tangent() : nullptr,
                             space.energy(),       outputs.with_gradient() ? space.gradient() : nullptr,
                             space.product(),      space.scratch()};
  if (const auto* sw = std::get_if<kernels::StillingerWeber>(&potential_.kernel)) {
    kernels_.stillinger_weber(list.view(), *sw, block);
  } else {
    kernels_.lennard_jones(list.view(), std::get<kernels::LennardJones>(potential_.kernel), block);
  }
}

void KernelEnergyModel::evaluate_block(std::int64_t block, std::int64_t batch, const double* u, const double* v,
                                       const Outputs& outputs, Workspace& space) const {
  const std::int64_t width = 3 * particles();
  const std::int64_t first = block * kLanes;
  const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, batch - first));
  bool inside[kLanes] = {};
  space.clear_inputs();  // lanes that are not used stand at the sites
  for (int l = 0; l < lanes; ++l) {
    const double* row = u + (first + l) * width;
    inside[l] = list_.serves(row);
    if (!inside[l]) continue;
    to_lane(row, width, l, space.displacement());
    if (v != nullptr) to_lane(v + (first + l) * width, width, l, space.tangent());
  }
  if (std::any_of(inside, inside + kLanes, [](bool b) { return b; })) call(list_, space, outputs);
  for (int l = 0; l < lanes; ++l) {
    const std::int64_t row = first + l;
    if (!inside[l]) {
      evaluate_alone(row, u, v, outputs);
      continue;
    }
    outputs.energy[row] = space.energy()[l] + constant_;
    if (outputs.with_gradient()) from_lane(space.gradient(), width, l, outputs.gradient + row * width);
    if (outputs.with_product()) from_lane(space.product(), width, l, outputs.product + row * width);
  }
}

// The configuration's own positions become the sites and its displacement zero, in lane 0.
void KernelEnergyModel::evaluate_alone(std::int64_t row, const double* u, const double* v,
                                       const Outputs& outputs) const {
  const std::int64_t width = 3 * particles();
  ++outgrown_;
  const double far = far_away(cell_);
  const double* own = u + row * width;
  if (!std::all_of(own, own + width, [far](double x) { return std::abs(x) < far; })) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    outputs.energy[row] = nan;
    if (outputs.with_gradient()) std::fill_n(outputs.gradient + row * width, width, nan);
    if (outputs.with_product()) std::fill_n(outputs.product + row * width, width, nan);
    return;
  }
  const NeighbourList list = list_at(own);
  Workspace space(particles(), list.widest_row());
  space.clear_inputs();
  if (v != nullptr) to_lane(v + row * width, width, 0, space.tangent());
  call(list, space, outputs);
  outputs.energy[row] = space.energy()[0] + constant_;
  if (outputs.with_gradient()) from_lane(space.gradient(), width, 0, outputs.gradient + row * width);
  if (outputs.with_product()) from_lane(space.product(), width, 0, outputs.product + row * width);
}

void KernelEnergyModel::evaluate(const Tensor& displacements, const Tensor* vectors, const Outputs& outputs) const {
  const std::int64_t batch = displacements.size(0);
  const double* u = displacements.data_ptr<double>();
  const double* v = vectors != nullptr ? vectors->data_ptr<double>() : nullptr;
  at::parallel_for(0, (batch + kLanes - 1) / kLanes, 1, [&](std::int64_t begin, std::int64_t end) {
    Workspace space(particles(), list_.widest_row());
    for (std::int64_t block = begin; block < end; ++block) evaluate_block(block, batch, u, v, outputs, space);
  });
}

Tensor KernelEnergyModel::energy(const Tensor& displacements) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  Tensor result = at::empty({u.size(0)}, at::kDouble);
  evaluate(u, nullptr, {result.data_ptr<double>(), nullptr, nullptr});
  energy_calls_ += u.size(0);
  return result;
}

EnergyAndGradient KernelEnergyModel::energy_and_gradient(const Tensor& displacements) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  EnergyAndGradient result{at::empty({u.size(0)}, at::kDouble), at::empty(u.sizes(), at::kDouble)};
  evaluate(u, nullptr, {result.energy.data_ptr<double>(), result.gradient.data_ptr<double>(), nullptr});
  gradient_calls_ += u.size(0);
  return result;
}

GradientAndProduct KernelEnergyModel::gradient_and_product(const Tensor& displacements, const Tensor& vectors) const {
  check(displacements, "displacements");
  check(vectors, "vectors");
  if (displacements.size(0) != vectors.size(0)) throw ShapeError("displacements and vectors must have the same batch");
  const Tensor u = displacements.detach().contiguous();
  const Tensor v = vectors.detach().contiguous();
  Tensor energy = at::empty({u.size(0)}, at::kDouble);
  GradientAndProduct result{at::empty(u.sizes(), at::kDouble), at::empty(u.sizes(), at::kDouble)};
  evaluate(u, &v, {energy.data_ptr<double>(), result.gradient.data_ptr<double>(), result.product.data_ptr<double>()});
  hessian_calls_ += u.size(0);
  return result;
}

// Centres are worked on in parallel, a chunk at a time, and their blocks are added in the order of the centres.
void KernelEnergyModel::add_hessian(const NeighbourList& list, const std::vector<const double*>& configurations,
                                    double* hessian) const {
  const std::int64_t n = particles();
  const std::int64_t width = 3 * n;
  const auto count = static_cast<std::int64_t>(configurations.size());
  const std::int64_t blocks = (count + kLanes - 1) / kLanes;
  const AlignedDoubles transposed = aligned_doubles(blocks * width * kLanes);
  const AlignedDoubles weights = aligned_doubles(blocks * kLanes);
  std::fill_n(transposed.get(), blocks * width * kLanes, 0.0);
  for (std::int64_t c = 0; c < blocks * kLanes; ++c) {
    weights[static_cast<std::size_t>(c)] = c < count ? 1.0 : 0.0;
    if (c < count)
      to_lane(configurations[static_cast<std::size_t>(c)], width, static_cast<int>(c % kLanes),
              transposed.get() + c / kLanes * width * kLanes);
  }
  const bool many_body = std::holds_alternative<kernels::StillingerWeber>(potential_.kernel);
  const std::int64_t widest = list.widest_row();
  const std::int64_t stride = (many_body ? widest * widest : widest) * 9;
  constexpr std::int64_t kChunk = 64;
  std::vector<double> results(static_cast<std::size_t>(kChunk * stride));
  for (std::int64_t start = 0; start < n; start += kChunk) {
    const std::int64_t stop = std::min(n, start + kChunk);
    at::parallel_for(start, stop, 1, [&](std::int64_t begin, std::int64_t end) {
      const AlignedDoubles scratch = aligned_doubles(kernels::hessian_scratch_doubles(many_body ? widest : 1));
      for (std::int64_t i = begin; i < end; ++i) {
        const kernels::CentreBlocks centre{
            i, blocks, transposed.get(), weights.get(), scratch.get(), results.data() + (i - start) * stride};
        if (many_body)
          kernels_.stillinger_weber_hessian(list.view(), std::get<kernels::StillingerWeber>(potential_.kernel), centre);
        else
          kernels_.lennard_jones_hessian(list.view(), std::get<kernels::LennardJones>(potential_.kernel), centre);
      }
    });
    for (std::int64_t i = start; i < stop; ++i) {
      const std::int64_t first = list.begin()[static_cast<std::size_t>(i)];
      const std::int64_t row = list.begin()[static_cast<std::size_t>(i) + 1] - first;
      const double* found = results.data() + (i - start) * stride;
      for (std::int64_t a = 0; a < row; ++a) {
        const std::int64_t j = list.index()[static_cast<std::size_t>(first + a)];
        if (!many_body) {
          scatter_block(found + a * 9, i, j, j, width, hessian);
          continue;
        }
        for (std::int64_t b = a; b < row; ++b) {
          const std::int64_t k = list.index()[static_cast<std::size_t>(first + b)];
          scatter_block(found + (a * row + b) * 9, i, j, k, width, hessian);
          if (b != a) scatter_transposed(found + (a * row + b) * 9, i, j, k, width, hessian);
        }
      }
    }
  }
}

Tensor KernelEnergyModel::hessian_sum(const Tensor& displacements) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  const std::int64_t width = 3 * particles();
  Tensor result = at::zeros({width, width}, at::kDouble);
  std::vector<const double*> inside;
  const std::vector<double> at_rest(static_cast<std::size_t>(width), 0.0);
  for (std::int64_t b = 0; b < u.size(0); ++b) {
    const double* row = u.data_ptr<double>() + b * width;
    if (list_.serves(row)) {
      inside.push_back(row);
    } else {
      ++outgrown_;
      if (!std::all_of(row, row + width, [](double x) { return std::isfinite(x); }))
        throw NumericalError("the Hessian was asked for displacements that are not finite");
      add_hessian(list_at(row), {at_rest.data()}, result.data_ptr<double>());
    }
  }
  if (!inside.empty()) add_hessian(list_, inside, result.data_ptr<double>());
  hessian_calls_ += u.size(0);
  return 0.5 * (result + result.t());
}

CallCount KernelEnergyModel::calls() const { return {energy_calls_, gradient_calls_, hessian_calls_}; }

}  // namespace bgw::physics
