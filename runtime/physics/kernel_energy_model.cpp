#include "runtime/physics/kernel_energy_model.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "runtime/foundation/errors.h"
#include "runtime/physics/deformation.h"

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

using Rows = std::array<double*, kLanes>;
using ConstRows = std::array<const double*, kLanes>;

/// Puts configurations into the lanes of a transposed block, or takes them out. Coordinates are the outer loop: memory
/// is met in its order on both sides.
void to_lanes(const ConstRows& rows, std::int64_t width, double* block) {
  for (std::int64_t c = 0; c < width; ++c) {
    for (std::size_t l = 0; l < kLanes; ++l) block[c * kLanes + static_cast<std::int64_t>(l)] = rows[l][c];
  }
}
void from_lanes(const double* block, std::int64_t width, const Rows& rows) {
  for (std::int64_t c = 0; c < width; ++c) {
    for (std::size_t l = 0; l < kLanes; ++l) rows[l][c] = block[c * kLanes + static_cast<std::int64_t>(l)];
  }
}

double thickness(const crystal::Cell& cell) {
  const crystal::Vector3 heights = cell.heights();
  return std::min({heights[0], heights[1], heights[2]});
}

/// Coordinates beyond this are no crystal, and cells would be counted in numbers that do not hold them.
double far_away(const crystal::Cell& cell) { return 1e6 * thickness(cell); }

constexpr double kThinnest = 0.02;  // of the cutoff; below it an atom has too many images to list

}  // namespace

/// Rows of the arguments; vectors and deformations may be null.
struct KernelEnergyModel::Inputs {
  const double* displacements;
  const double* vectors;
  const double* deformations;
};

/// Rows of the results; all but the energy may be null.
struct KernelEnergyModel::Outputs {
  double* energy;
  double* gradient;
  double* product;
  double* strain;
  bool with_product() const { return product != nullptr; }
  bool with_gradient() const { return gradient != nullptr; }
};

/// Where the 3x3 blocks of a Hessian are added up: in the matrix [3N, 3N], or, folded by translations, in the rows of
/// one primitive cell, [3 n_b, 3N].
class KernelEnergyModel::HessianSum {
 public:
  HessianSum(double* numbers, std::int64_t particles, const TranslationGroup* group)
      : numbers_(numbers), width_(3 * particles), group_(group) {
    if (group_ == nullptr) return;
    const auto& d = group_->periods;
    for (const std::int64_t g : group_->cell_of) cell_.push_back({g / (d[1] * d[2]), g / d[2] % d[1], g % d[2]});
  }

  /// d2E/(d d_j d d_k) = b for the separations of j and k from the centre.
  void add(const double* b, std::int64_t centre, std::int64_t j, std::int64_t k) const {
    double* jk = place(j, k);
    double* ck = place(centre, k);
    double* jc = place(j, centre);
    double* cc = place(centre, centre);
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t d = 0; d < 3; ++d) {
        const std::int64_t at = c * width_ + d;
        const double x = b[3 * c + d];
        jk[at] += x;
        ck[at] -= x;
        jc[at] -= x;
        cc[at] += x;
      }
    }
  }
  void add_transposed(const double* b, std::int64_t centre, std::int64_t j, std::int64_t k) const {
    const double t[9] = {b[0], b[3], b[6], b[1], b[4], b[7], b[2], b[5], b[8]};
    add(t, centre, k, j);
  }

 private:
  double* place(std::int64_t i, std::int64_t j) const {
    if (group_ == nullptr) return numbers_ + 3 * (i * width_ + j);
    const auto row = static_cast<std::size_t>(i);
    const auto column = static_cast<std::size_t>(j);
    std::int64_t g = 0;
    for (std::size_t a = 0; a < 3; ++a) {
      const std::int64_t steps = cell_[column][a] - cell_[row][a];
      g = g * group_->periods[a] + (steps < 0 ? steps + group_->periods[a] : steps);
    }
    return numbers_ + 3 * (group_->basis_of[row] * width_ + g * group_->basis + group_->basis_of[column]);
  }

  double* numbers_;
  std::int64_t width_;
  const TranslationGroup* group_;
  std::vector<std::array<std::int64_t, 3>> cell_;  // of each atom, in steps: divisions would take longer than the sums
};

/// Transposed memory for one block, reused from block to block.
class KernelEnergyModel::Workspace {
 public:
  Workspace(std::int64_t atoms, std::int64_t widest_row)
      : width_(3 * atoms),
        memory_(aligned_doubles((4 * width_ + 1 + 9 + 6) * kLanes + kernels::scratch_numbers<double>(widest_row))),
        at_rest_(static_cast<std::size_t>(width_), 0.0),
        unused_(static_cast<std::size_t>(width_)) {}
  double* displacement() const { return memory_.get(); }
  double* tangent() const { return memory_.get() + width_ * kLanes; }
  double* gradient() const { return memory_.get() + 2 * width_ * kLanes; }
  double* product() const { return memory_.get() + 3 * width_ * kLanes; }
  double* energy() const { return memory_.get() + 4 * width_ * kLanes; }
  double* deformation() const { return energy() + kLanes; }
  double* strain() const { return deformation() + 9 * kLanes; }
  double* scratch() const { return strain() + 6 * kLanes; }
  /// What lanes that are not used read, and where their results go.
  const double* at_rest() const { return at_rest_.data(); }
  double* unused() { return unused_.data(); }

 private:
  std::int64_t width_;
  AlignedDoubles memory_;
  std::vector<double> at_rest_, unused_;
};

/// The rows of the batch that the lanes of a block hold; -1 where a lane is not used.
struct KernelEnergyModel::LaneRows {
  std::array<std::int64_t, kLanes> row;
};

KernelEnergyModel::KernelEnergyModel(const Potential& potential, std::vector<crystal::Vector3> sites,
                                     const crystal::Cell& cell, Images images, const kernels::KernelTable& kernels)
    : potential_(potential),
      sites_(std::move(sites)),
      cell_(cell),
      images_(images),
      kind_(std::holds_alternative<kernels::LennardJones>(potential.kernel) ? ListKind::half : ListKind::full),
      kernels_(kernels),
      tail_energy_(0.0),
      tail_virial_(0.0) {
  check_sites();
  const auto n = static_cast<double>(sites_.size());
  list_ = potential_.listed_within > 0.0 ? NeighbourList::within(sites_, cell_, potential_.listed_within, 0.0, kind_)
          : images_ == Images::nearest
              ? NeighbourList::of_nearest_images(sites_, cell_, kind_)
              : NeighbourList::within(sites_, cell_, potential_.cutoff,
                                      default_skin(cell_.volume() / n, potential_.cutoff), kind_);
  if (potential_.listed_within > 0.0 && list_.entries() == 0)
    throw InputError(fmt::format("no two atoms of the crystal stand within {:g} angstrom of each other; reach further", potential_.listed_within));
  tail_energy_ = n * tail_energy_per_atom(potential_, n / cell_.volume());
  tail_virial_ = cell_.volume() * tail_pressure(potential_, n / cell_.volume());
}

void KernelEnergyModel::check_sites() const {
  if (sites_.empty()) throw InputError("a system needs at least one atom");
  const double thinnest = thickness(cell_);
  if (!(thinnest > kThinnest * potential_.cutoff)) {
    throw InputError(
        fmt::format("the cell is too thin for a cutoff of {:g} angstrom: its faces are as near as {:g}; repeat it",
                    potential_.cutoff, thinnest));
  }
  const double far = far_away(cell_);
  for (const crystal::Vector3& site : sites_) {
    for (const double x : site) {
      if (!(std::abs(x) < far)) throw InputError(fmt::format("an atom stands at {:g}, far away from the cell", x));
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

void KernelEnergyModel::check_cells(const Tensor& deformation, std::int64_t batch) const {
  check_deformation(deformation, batch);
  for (std::int64_t b = 0; b < batch; ++b) {
    const double thinnest = thickness(cell_.deformed(matrix_at(deformation.data_ptr<double>() + 9 * b)));
    if (!(thinnest > kThinnest * potential_.cutoff))
      throw NumericalError(fmt::format(
          "deformation {} of the batch makes the cell too thin for a cutoff of {:g}: its faces are as near as {:g}", b,
          potential_.cutoff, thinnest));
  }
}

NeighbourList KernelEnergyModel::list_at(const double* u, const double* deformation) const {
  std::vector<crystal::Vector3> positions = sites_;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    for (std::size_t d = 0; d < 3; ++d) positions[i][d] += u[3 * i + d];
    if (deformation != nullptr) positions[i] = crystal::product(matrix_at(deformation), positions[i]);
  }
  const crystal::Cell cell = deformation != nullptr ? cell_.deformed(matrix_at(deformation)) : cell_;
  return images_ == Images::nearest ? NeighbourList::of_nearest_images(positions, cell, kind_)
                                    : NeighbourList::within(positions, cell, potential_.cutoff, 0.0, kind_);
}

void KernelEnergyModel::call(const NeighbourList& list, bool deformed, Workspace& space, const Outputs& outputs) const {
  const std::int64_t size = 3 * particles() * kLanes;
  if (outputs.with_gradient()) std::fill_n(space.gradient(), size, 0.0);
  if (outputs.with_product()) std::fill_n(space.product(), size, 0.0);
  std::fill_n(space.strain(), 6 * kLanes, 0.0);
  const kernels::Block block{space.displacement(), outputs.with_product() ? space.tangent() : nullptr,
                             space.energy(),       outputs.with_gradient() ? space.gradient() : nullptr,
                             space.product(),      deformed ? space.deformation() : nullptr,
                             space.strain(),       space.scratch()};
  if (const auto* sw = std::get_if<kernels::StillingerWeber>(&potential_.kernel)) {
    kernels_.stillinger_weber(list.view(), *sw, block);
  } else {
    kernels_.lennard_jones(list.view(), std::get<kernels::LennardJones>(potential_.kernel), block);
  }
}

bool KernelEnergyModel::is_listed(std::int64_t row, const Inputs& in) const {
  const double* u = in.displacements + row * 3 * particles();
  if (potential_.listed_within > 0.0) return true;
  if (in.deformations == nullptr) return list_.serves(u);
  const crystal::Matrix3 f = matrix_at(in.deformations + 9 * row);
  return list_.serves(u, &f);
}

void KernelEnergyModel::load(const LaneRows& lanes, const Inputs& in, Workspace& space) const {
  static constexpr double kIdentity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const auto put = [&](const double* from, std::int64_t width, const double* otherwise, double* block) {
    ConstRows rows{};
    for (std::size_t l = 0; l < kLanes; ++l) rows[l] = lanes.row[l] < 0 ? otherwise : from + lanes.row[l] * width;
    to_lanes(rows, width, block);
  };
  const std::int64_t width = 3 * particles();
  put(in.displacements, width, space.at_rest(), space.displacement());
  if (in.vectors != nullptr) put(in.vectors, width, space.at_rest(), space.tangent());
  if (in.deformations != nullptr) put(in.deformations, 9, kIdentity, space.deformation());
}

void KernelEnergyModel::store(const LaneRows& lanes, const Inputs& in, Workspace& space, const Outputs& out) const {
  const auto take = [&](const double* block, double* to) {
    const std::int64_t width = 3 * particles();
    Rows rows{};
    for (std::size_t l = 0; l < kLanes; ++l) rows[l] = lanes.row[l] < 0 ? space.unused() : to + lanes.row[l] * width;
    from_lanes(block, width, rows);
  };
  if (out.with_gradient()) take(space.gradient(), out.gradient);
  if (out.with_product()) take(space.product(), out.product);
  for (std::size_t l = 0; l < kLanes; ++l) {
    if (lanes.row[l] >= 0) store_numbers(lanes.row[l], l, in, space, out);
  }
}

// The tail goes with the density.
void KernelEnergyModel::store_numbers(std::int64_t row, std::size_t lane, const Inputs& in, const Workspace& space,
                                      const Outputs& out) const {
  const double larger = in.deformations == nullptr ? 1.0 : crystal::determinant(matrix_at(in.deformations + 9 * row));
  out.energy[row] = space.energy()[lane] + tail_energy_ / larger;
  if (out.strain == nullptr) return;
  constexpr std::size_t kPlace[9] = {0, 3, 4, 3, 1, 5, 4, 5, 2};
  for (std::size_t c = 0; c < 9; ++c) {
    const double tail = c % 4 == 0 ? tail_virial_ / larger : 0.0;
    out.strain[9 * row + static_cast<std::int64_t>(c)] = space.strain()[kPlace[c] * kLanes + lane] - tail;
  }
}

void KernelEnergyModel::evaluate_block(std::int64_t block, std::int64_t batch, const Inputs& in, const Outputs& out,
                                       Workspace& space) const {
  LaneRows lanes{};
  std::vector<std::int64_t> outgrown;
  for (std::size_t l = 0; l < kLanes; ++l) {
    const std::int64_t row = block * kLanes + static_cast<std::int64_t>(l);
    const bool listed = row < batch && is_listed(row, in);
    lanes.row[l] = listed ? row : -1;
    if (row < batch && !listed) outgrown.push_back(row);
  }
  if (std::any_of(lanes.row.begin(), lanes.row.end(), [](std::int64_t row) { return row >= 0; })) {
    load(lanes, in, space);
    call(list_, in.deformations != nullptr, space, out);
    store(lanes, in, space, out);
  }
  for (const std::int64_t row : outgrown) evaluate_alone(row, in, out);
}

// The configuration's own positions, in its own cell, become the sites, and its displacement zero, in lane 0.
void KernelEnergyModel::evaluate_alone(std::int64_t row, const Inputs& in, const Outputs& out) const {
  const std::int64_t width = 3 * particles();
  ++outgrown_;
  const double far = far_away(cell_);
  const double* own = in.displacements + row * width;
  if (!std::all_of(own, own + width, [far](double x) { return std::abs(x) < far; })) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    out.energy[row] = nan;
    if (out.with_gradient()) std::fill_n(out.gradient + row * width, width, nan);
    if (out.with_product()) std::fill_n(out.product + row * width, width, nan);
    if (out.strain != nullptr) std::fill_n(out.strain + row * 9, 9, nan);
    return;
  }
  const double* deformation = in.deformations == nullptr ? nullptr : in.deformations + 9 * row;
  const NeighbourList list = list_at(own, deformation);
  Workspace space(particles(), list.widest_row());
  LaneRows none{};
  none.row.fill(-1);
  load(none, in, space);
  for (std::int64_t c = 0; in.vectors != nullptr && c < width; ++c)
    space.tangent()[c * kLanes] = in.vectors[row * width + c];
  call(list, deformation != nullptr, space, out);
  LaneRows first = none;
  first.row[0] = row;
  store(first, in, space, out);
  if (deformation == nullptr || !out.with_gradient()) return;
  for (double* g = out.gradient + row * width; g != out.gradient + (row + 1) * width; g += 3) {
    const crystal::Vector3 t = crystal::transposed_product(matrix_at(deformation), {g[0], g[1], g[2]});
    std::copy(t.begin(), t.end(), g);
  }
}

void KernelEnergyModel::evaluate(std::int64_t batch, const Inputs& in, const Outputs& out) const {
  at::parallel_for(0, (batch + kLanes - 1) / kLanes, 1, [&](std::int64_t begin, std::int64_t end) {
    Workspace space(particles(), list_.widest_row());
    for (std::int64_t block = begin; block < end; ++block) evaluate_block(block, batch, in, out, space);
  });
}

Tensor KernelEnergyModel::energy(const Tensor& displacements) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  Tensor result = at::empty({u.size(0)}, at::kDouble);
  evaluate(u.size(0), {u.data_ptr<double>(), nullptr, nullptr}, {result.data_ptr<double>(), nullptr, nullptr, nullptr});
  energy_calls_ += u.size(0);
  return result;
}

EnergyAndGradient KernelEnergyModel::energy_and_gradient(const Tensor& displacements) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  EnergyAndGradient result{at::empty({u.size(0)}, at::kDouble), at::empty(u.sizes(), at::kDouble)};
  evaluate(u.size(0), {u.data_ptr<double>(), nullptr, nullptr},
           {result.energy.data_ptr<double>(), result.gradient.data_ptr<double>(), nullptr, nullptr});
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
  evaluate(u.size(0), {u.data_ptr<double>(), v.data_ptr<double>(), nullptr},
           {energy.data_ptr<double>(), result.gradient.data_ptr<double>(), result.product.data_ptr<double>(), nullptr});
  hessian_calls_ += u.size(0);
  return result;
}

Tensor KernelEnergyModel::energy(const Tensor& displacements, const Tensor& deformation) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  const Tensor f = deformation.detach().contiguous();
  check_cells(f, u.size(0));
  Tensor result = at::empty({u.size(0)}, at::kDouble);
  evaluate(u.size(0), {u.data_ptr<double>(), nullptr, f.data_ptr<double>()},
           {result.data_ptr<double>(), nullptr, nullptr, nullptr});
  energy_calls_ += u.size(0);
  return result;
}

EnergyGradientStrain KernelEnergyModel::energy_gradient_and_strain(const Tensor& displacements,
                                                                   const Tensor& deformation) const {
  check(displacements, "displacements");
  const Tensor u = displacements.detach().contiguous();
  const Tensor f = deformation.detach().contiguous();
  check_cells(f, u.size(0));
  EnergyGradientStrain result{at::empty({u.size(0)}, at::kDouble), at::empty(u.sizes(), at::kDouble),
                              at::empty({u.size(0), 3, 3}, at::kDouble)};
  evaluate(u.size(0), {u.data_ptr<double>(), nullptr, f.data_ptr<double>()},
           {result.energy.data_ptr<double>(), result.gradient.data_ptr<double>(), nullptr,
            result.strain_gradient.data_ptr<double>()});
  gradient_calls_ += u.size(0);
  return result;
}

// Centres are worked on in parallel, a chunk at a time, and their blocks are added in the order of the centres.
void KernelEnergyModel::add_hessian(const NeighbourList& list, const std::vector<const double*>& configurations,
                                    const HessianSum& sum) const {
  const std::int64_t n = particles();
  const std::int64_t width = 3 * n;
  const auto count = static_cast<std::int64_t>(configurations.size());
  const std::int64_t blocks = (count + kLanes - 1) / kLanes;
  const AlignedDoubles transposed = aligned_doubles(blocks * width * kLanes);
  const AlignedDoubles weights = aligned_doubles(blocks * kLanes);
  for (std::int64_t c = 0; c < blocks * kLanes; ++c) {
    weights[static_cast<std::size_t>(c)] = c < count ? 1.0 : 0.0;
  }
  const std::vector<double> at_rest(static_cast<std::size_t>(width), 0.0);
  for (std::int64_t g = 0; g < blocks; ++g) {
    ConstRows rows{};
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::size_t c = static_cast<std::size_t>(g * kLanes) + l;
      rows[l] = c < configurations.size() ? configurations[c] : at_rest.data();
    }
    to_lanes(rows, width, transposed.get() + g * width * kLanes);
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
          sum.add(found + a * 9, i, j, j);
          continue;
        }
        for (std::int64_t b = a; b < row; ++b) {
          const std::int64_t k = list.index()[static_cast<std::size_t>(first + b)];
          const double* block = found + (a * row + b) * 9;
          if (std::all_of(block, block + 9, [](double x) { return x == 0.0; })) continue;  // never inside the cutoff
          sum.add(block, i, j, k);
          if (b != a) sum.add_transposed(block, i, j, k);
        }
      }
    }
  }
}

// One configuration alone is worth a list without a skin: rows are short then.
void KernelEnergyModel::add_hessians(const Tensor& displacements, const HessianSum& sum) const {
  const std::int64_t width = 3 * particles();
  std::vector<const double*> listed;
  const std::vector<double> at_rest(static_cast<std::size_t>(width), 0.0);
  const double far = far_away(cell_);
  for (std::int64_t b = 0; b < displacements.size(0); ++b) {
    const double* row = displacements.data_ptr<double>() + b * width;
    const bool serves = potential_.listed_within > 0.0 || list_.serves(row);
    if (serves && (displacements.size(0) > 1 || potential_.listed_within > 0.0)) {
      listed.push_back(row);
      continue;
    }
    if (!serves) ++outgrown_;
    if (!std::all_of(row, row + width, [far](double x) { return std::abs(x) < far; }))
      throw NumericalError("the Hessian was asked for displacements that are not finite, or far away from the cell");
    add_hessian(list_at(row, nullptr), {at_rest.data()}, sum);
  }
  if (!listed.empty()) add_hessian(list_, listed, sum);
  hessian_calls_ += displacements.size(0);
}

Tensor KernelEnergyModel::hessian_sum(const Tensor& displacements) const {
  check(displacements, "displacements");
  Tensor result = at::zeros({3 * particles(), 3 * particles()}, at::kDouble);
  add_hessians(displacements.detach().contiguous(), {result.data_ptr<double>(), particles(), nullptr});
  return 0.5 * (result + result.t());
}

Tensor KernelEnergyModel::folded_hessian_sum(const Tensor& displacements, const TranslationGroup& group) const {
  check(displacements, "displacements");
  if (group.particles() != particles()) throw ShapeError("the translations are those of another crystal");
  Tensor result = at::zeros({group.basis, 3, group.cells(), group.basis, 3}, at::kDouble);
  add_hessians(displacements.detach().contiguous(), {result.data_ptr<double>(), particles(), &group});
  return result / static_cast<double>(group.cells());
}

CallCount KernelEnergyModel::calls() const { return {energy_calls_, gradient_calls_, hessian_calls_}; }

}  // namespace bgw::physics
