#pragma once

#include <vector>

#include "runtime/physics/kernels/mode_kernels.h"
#include "runtime/physics/translation_group.h"
#include "runtime/tensor/tensor.h"

namespace bgw::physics {

/// The linear map u = M y from whitened modes to displacements, kept as one small matrix per wave vector:
///   u(b, g) = cells^(-1/2) sum_k W_k y_k exp(2 pi i k.g)
/// over the translations g of the crystal. W_k = E kappa^(-1/2) has the polarisations of the modes of k in its columns.
/// Where k = -k a column is one mode; the pair of k and -k shares a column for two, u = sqrt2 Re[W (y + i y') exp(...)].
/// Modes stand in the order of (wave vector, column, part), wave vectors in that of `wave_vectors`. One application takes
/// O(N log N) work. All results are float64 on the CPU, without autograd; a row's result depends neither on its batch nor
/// on the number of threads, nor on the processor.
class ModeTransform {
 public:
  /// @param blocks  W_k for each of wave_vectors(group.periods): [3 n_b, columns], float64 where k = -k, else complex128
  /// @throws ShapeError for other shapes
  ModeTransform(TranslationGroup group, const std::vector<Tensor>& blocks,
                const kernels::ModeKernels& kernels = kernels::mode_kernels());
  /// The blocks one after the other, row by row, complex numbers as (re, im): what `numbers` gives.
  ModeTransform(TranslationGroup group, const std::vector<std::int64_t>& columns, const Tensor& numbers,
                const kernels::ModeKernels& kernels = kernels::mode_kernels());
  /// A dense M, [3N, m]: the one block of a crystal without translations.
  explicit ModeTransform(const Tensor& modes, const kernels::ModeKernels& kernels = kernels::mode_kernels());
  // The kernels' view points into this object.
  ModeTransform(const ModeTransform&) = delete;
  ModeTransform& operator=(const ModeTransform&) = delete;

  const TranslationGroup& group() const { return group_; }
  std::int64_t particles() const { return group_.particles(); }
  std::int64_t dimension() const { return dimension_; }  // m
  const std::vector<std::int64_t>& columns() const { return columns_; }
  const Tensor& numbers() const { return numbers_; }
  /// As the kernels take it; valid as long as this object.
  const kernels::ModeView& view() const { return view_; }
  /// Where the x of each atom stands in a field [3 n_b][cells]; y and z stand `cells` and twice as many behind. [N]
  const std::vector<std::int64_t>& places() const { return place_; }

  Tensor displacements(const Tensor& y) const;  // [B, m] -> M y, [B, N, 3]
  Tensor pull_back(const Tensor& g) const;      // [B, N, 3] or [B, 3N] -> M^T g, [B, m]
  /// |M_j|^2 of each column, which are orthogonal to each other. [m]
  const Tensor& squared_norms() const { return squared_norms_; }

 private:
  void lay_out();
  class Workspace;
  void expand_row(const double* row, int lane, double* field) const;
  void collect_row(const double* field, int lane, double* row) const;

  TranslationGroup group_;
  std::vector<std::int64_t> columns_;
  Tensor numbers_;
  const kernels::ModeKernels& kernels_;
  std::int64_t dimension_ = 0;
  Tensor squared_norms_;
  std::vector<std::int64_t> place_;  // [N]
  std::vector<double> roots_[3];
  std::vector<kernels::ModeBlock> blocks_;
  kernels::ModeView view_{};
};

}  // namespace bgw::physics
