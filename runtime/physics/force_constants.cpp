#include "runtime/physics/force_constants.h"

#include <cmath>
#include <complex>
#include <numbers>

#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::physics {
namespace {

using Number = c10::complex<double>;

Tensor atoms_tensor(const TranslationGroup& group) {  // [cells, n_b]
  Tensor atoms = at::empty({group.cells(), group.basis}, at::kLong);
  std::copy(group.atoms.begin(), group.atoms.end(), atoms.data_ptr<std::int64_t>());
  return atoms;
}

/// exp(2 pi i k g / n), [n, n].
Tensor phases(std::int64_t n) {
  Tensor table = at::empty({n, n}, at::kComplexDouble);
  Number* out = table.data_ptr<Number>();
  for (std::int64_t k = 0; k < n; ++k) {
    for (std::int64_t g = 0; g < n; ++g) {
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(k * g % n) / static_cast<double>(n);
      *out++ = {std::cos(angle), std::sin(angle)};
    }
  }
  return table;
}

/// D(k) of every wave vector of the spectrum, [waves, 3 n_b, 3 n_b], Hermitian.
Tensor dynamical_matrices(const ForceConstants& constants, const std::vector<WaveVector>& waves) {
  const TranslationGroup& group = constants.group;
  const auto& d = group.periods;
  const std::int64_t w = 3 * group.basis;
  Tensor x = constants.blocks.reshape({w, d[0], d[1], d[2], w}).permute({0, 4, 1, 2, 3}).to(at::kComplexDouble);
  for (std::int64_t axis = 2; axis < 5; ++axis)
    x = at::matmul(x.transpose(axis, 4), phases(d[static_cast<std::size_t>(axis - 2)])).transpose(axis, 4);
  Tensor index = at::empty({static_cast<std::int64_t>(waves.size())}, at::kLong);
  std::int64_t* out = index.data_ptr<std::int64_t>();
  for (const WaveVector& wave : waves) *out++ = (wave.index[0] * d[1] + wave.index[1]) * d[2] + wave.index[2];
  const Tensor chosen = x.reshape({w, w, group.cells()}).index_select(2, index).permute({2, 0, 1}).contiguous();
  return 0.5 * (chosen + chosen.transpose(1, 2).conj());
}

Tensor uniform_translations(std::int64_t basis) {  // [3 n_b, 3]
  return at::eye(3, at::kDouble).repeat({basis, 1}) / std::sqrt(static_cast<double>(basis));
}

constexpr double kDegenerate = 1e-8;

/// Canonical vectors of one wave vector, in place: T is double or Number.
template <class T>
class Canonical {
 public:
  Canonical(Tensor& vectors, Tensor& values, const tensor::RandomStream& stream, std::int64_t wave)
      : vectors_(vectors), values_(values), stream_(stream), wave_(wave), width_(vectors.size(0)),
        count_(vectors.size(1)) {}

  void run() {
    double* value = values_.data_ptr<double>();
    for (std::int64_t first = 0; first < count_;) {
      std::int64_t end = first + 1;
      while (end < count_ && std::abs(value[end] - value[end - 1]) <= kDegenerate * std::abs(value[end])) ++end;
      choose(first, end);
      double mean = 0;
      for (std::int64_t j = first; j < end; ++j) mean += value[j] / static_cast<double>(end - first);
      std::fill(value + first, value + end, mean);
      first = end;
    }
  }

 private:
  static double conjugate(double x) { return x; }
  static Number conjugate(Number x) { return std::conj(x); }
  static double square(double x) { return x * x; }
  static double square(Number x) { return x.real() * x.real() + x.imag() * x.imag(); }

  /// Projections of the directions onto the set, orthonormalised one after the other (twice, for the rounding).
  void choose(std::int64_t first, std::int64_t end) {
    const std::int64_t p = end - first;
    const Tensor random = stream_.normal(wave_, first, p, 2 * width_);
    std::vector<std::vector<T>> chosen;  // coordinates in the set
    const T* v = vectors_.data_ptr<T>();
    for (std::int64_t j = 0; j < p; ++j) {
      const double* direction = random.data_ptr<double>() + j * 2 * width_;
      std::vector<T> a(static_cast<std::size_t>(p), T(0));
      for (std::int64_t r = 0; r < width_; ++r) {
        for (std::int64_t c = 0; c < p; ++c)
          a[static_cast<std::size_t>(c)] += conjugate(v[r * count_ + first + c]) * component(direction, r);
      }
      for (int round = 0; round < 2; ++round) {
        for (const std::vector<T>& q : chosen) subtract(q, a);
        normalise(a);
      }
      chosen.push_back(std::move(a));
    }
    rotate(first, chosen);
  }

  T component(const double* direction, std::int64_t r) const {
    if constexpr (std::is_same_v<T, double>) {
      return direction[r];
    } else {
      return {direction[r], direction[width_ + r]};
    }
  }

  static void subtract(const std::vector<T>& q, std::vector<T>& a) {
    T along(0);
    for (std::size_t c = 0; c < a.size(); ++c) along += conjugate(q[c]) * a[c];
    for (std::size_t c = 0; c < a.size(); ++c) a[c] -= along * q[c];
  }

  static void normalise(std::vector<T>& a) {
    double sum = 0;
    for (const T& x : a) sum += square(x);
    const double factor = 1.0 / std::sqrt(sum);
    for (T& x : a) x *= factor;
  }

  void rotate(std::int64_t first, const std::vector<std::vector<T>>& chosen) {
    T* v = vectors_.data_ptr<T>();
    std::vector<T> row(chosen.size());
    for (std::int64_t r = 0; r < width_; ++r) {
      T* old = v + r * count_ + first;
      for (std::size_t j = 0; j < chosen.size(); ++j) {
        row[j] = T(0);
        for (std::size_t c = 0; c < chosen.size(); ++c) row[j] += old[c] * chosen[j][c];
      }
      std::copy(row.begin(), row.end(), old);
    }
  }

  Tensor& vectors_;
  Tensor& values_;
  const tensor::RandomStream& stream_;
  std::int64_t wave_, width_, count_;
};

void make_canonical(Tensor& vectors, Tensor& values, std::int64_t wave) {
  static const tensor::RandomStream stream(plan::Key{}, "directions of canonical modes");
  if (vectors.is_complex()) {
    Canonical<Number>(vectors, values, stream, wave).run();
  } else {
    Canonical<double>(vectors, values, stream, wave).run();
  }
}

/// Eigenvectors of k = 0 without the uniform translations. A stiffness far above all others brings those to the end of
/// the spectrum, whatever the sign of the rest.
std::tuple<Tensor, Tensor> optical_modes(const Tensor& matrix, std::int64_t basis) {
  const Tensor t = uniform_translations(basis);
  const Tensor inner = matrix - t.matmul(t.t().matmul(matrix));
  const Tensor projected = inner - inner.matmul(t).matmul(t.t());
  const double bound = std::max(projected.abs().sum(1).max().item<double>(), 1e-300);
  const Tensor lifted = 0.5 * (projected + projected.t()) + 4.0 * bound * t.matmul(t.t());
  const auto [values, vectors] = at::linalg_eigh(lifted, "L");
  const std::int64_t count = 3 * basis - 3;
  return {values.slice(0, 0, count).contiguous(), vectors.slice(1, 0, count).contiguous()};
}

}  // namespace

ForceConstants mean_force_constants(const EnergyModel& model, const TranslationGroup& group,
                                    const Tensor& displacements) {
  return exchange_symmetric(
      {group, model.folded_hessian_sum(displacements, group) / static_cast<double>(displacements.size(0))});
}

Tensor folded(const Tensor& matrix, const TranslationGroup& group) {
  const std::int64_t cells = group.cells();
  const std::int64_t n_b = group.basis;
  const Tensor dense = matrix.contiguous();
  Tensor blocks = at::zeros({n_b, 3, cells, n_b, 3}, at::kDouble);
  const std::int64_t width = 3 * group.particles();
  if (dense.dim() != 2 || dense.size(0) != width || dense.size(1) != width)
    throw ShapeError("a matrix of the crystal must be [3N, 3N]");
  const double* in = dense.data_ptr<double>();
  double* out = blocks.data_ptr<double>();
  for (std::int64_t i = 0; i < group.particles(); ++i) {
    const auto atom = static_cast<std::size_t>(i);
    for (std::int64_t j = 0; j < group.particles(); ++j) {
      const auto other = static_cast<std::size_t>(j);
      const std::int64_t g = group.difference(group.cell_of[other], group.cell_of[atom]);
      for (std::int64_t c = 0; c < 3; ++c) {
        double* to = out + (((group.basis_of[atom] * 3 + c) * cells + g) * n_b + group.basis_of[other]) * 3;
        const double* from = in + (3 * i + c) * width + 3 * j;
        for (std::int64_t d = 0; d < 3; ++d) to[d] += from[d];
      }
    }
  }
  return blocks / static_cast<double>(cells);
}

Tensor unfolded(const ForceConstants& constants) {
  const TranslationGroup& group = constants.group;
  const std::int64_t width = 3 * group.particles();
  const Tensor blocks = constants.blocks.contiguous();
  Tensor matrix = at::empty({width, width}, at::kDouble);
  const double* in = blocks.data_ptr<double>();
  double* out = matrix.data_ptr<double>();
  for (std::int64_t i = 0; i < group.particles(); ++i) {
    const auto atom = static_cast<std::size_t>(i);
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t j = 0; j < group.particles(); ++j) {
        const auto other = static_cast<std::size_t>(j);
        const std::int64_t g = group.difference(group.cell_of[other], group.cell_of[atom]);
        const double* from =
            in + (((group.basis_of[atom] * 3 + c) * group.cells() + g) * group.basis + group.basis_of[other]) * 3;
        for (std::int64_t d = 0; d < 3; ++d) *out++ = from[d];
      }
    }
  }
  return matrix;
}

Tensor averaged(const Tensor& field, const TranslationGroup& group) {
  const Tensor atoms = atoms_tensor(group);
  const Tensor mean = field.index_select(0, atoms.reshape({-1})).reshape({group.cells(), group.basis, 3}).mean(0);
  Tensor basis = at::empty({group.particles()}, at::kLong);
  std::copy(group.basis_of.begin(), group.basis_of.end(), basis.data_ptr<std::int64_t>());
  return mean.index_select(0, basis);
}

ForceConstants exchange_symmetric(const ForceConstants& constants) {
  const std::int64_t cells = constants.group.cells();
  Tensor opposite = at::empty({cells}, at::kLong);
  for (std::int64_t g = 0; g < cells; ++g) opposite.data_ptr<std::int64_t>()[g] = constants.group.difference(0, g);
  const Tensor transposed = constants.blocks.permute({3, 4, 2, 0, 1}).index_select(2, opposite);
  return {constants.group, (0.5 * (constants.blocks + transposed)).contiguous()};
}

ForceConstants symmetrised(const ForceConstants& constants, const std::vector<PointOperation>& operations) {
  if (operations.empty()) return constants;
  const TranslationGroup& group = constants.group;
  const std::int64_t cells = group.cells();
  const std::int64_t n_b = group.basis;
  const Tensor from = constants.blocks.permute({0, 2, 3, 1, 4}).contiguous();  // [n_b, cells, n_b, 3, 3]
  Tensor sum = at::zeros_like(from);
  for (const PointOperation& operation : operations) {
    // Block (b, g, b') goes to that of the images: where it goes, and how often nothing else does.
    Tensor target = at::empty({n_b * cells * n_b}, at::kLong);
    std::int64_t* out = target.data_ptr<std::int64_t>();
    for (std::int64_t b = 0; b < n_b; ++b) {
      const auto i = static_cast<std::size_t>(operation.image[static_cast<std::size_t>(group.atoms[static_cast<std::size_t>(b)])]);
      for (std::int64_t place = 0; place < cells * n_b; ++place) {
        const auto j = static_cast<std::size_t>(
            operation.image[static_cast<std::size_t>(group.atoms[static_cast<std::size_t>(place)])]);
        const std::int64_t g = group.difference(group.cell_of[j], group.cell_of[i]);
        *out++ = (group.basis_of[i] * cells + g) * n_b + group.basis_of[j];
      }
    }
    const Tensor turned = at::matmul(at::matmul(operation.rotation, from), operation.rotation.t());
    sum.reshape({-1, 3, 3}).index_add_(0, target, turned.reshape({-1, 3, 3}));
  }
  sum = sum / static_cast<double>(operations.size());
  return {group, sum.permute({0, 3, 1, 2, 4}).contiguous()};
}

Tensor symmetrised(const Tensor& field, const std::vector<PointOperation>& operations) {
  if (operations.empty()) return field;
  Tensor sum = at::zeros_like(field);
  for (const PointOperation& operation : operations) {
    Tensor image = at::empty({field.size(0)}, at::kLong);
    std::copy(operation.image.begin(), operation.image.end(), image.data_ptr<std::int64_t>());
    sum.index_add_(0, image, field.matmul(operation.rotation.t()));
  }
  return sum / static_cast<double>(operations.size());
}

Spectrum spectrum_of(const ForceConstants& constants) {
  Spectrum spectrum{constants.group, wave_vectors(constants.group.periods), {}, {}};
  if (!constants.blocks.isfinite().all().item<bool>()) throw NumericalError("the stiffness matrix is not finite");
  const Tensor matrices = dynamical_matrices(constants, spectrum.waves);
  const auto count = static_cast<std::int64_t>(spectrum.waves.size());
  const auto [all_values, all_vectors] =
      count > 1 ? at::linalg_eigh(matrices, "L") : std::tuple<Tensor, Tensor>{};
  for (std::int64_t n = 0; n < count; ++n) {
    Tensor values, vectors;
    if (n == 0) {
      std::tie(values, vectors) = optical_modes(at::real(matrices[0]).contiguous(), constants.group.basis);
    } else if (spectrum.waves[static_cast<std::size_t>(n)].real) {
      std::tie(values, vectors) = at::linalg_eigh(at::real(matrices[n]).contiguous(), "L");
    } else {
      values = all_values[n];
      vectors = all_vectors[n];
    }
    values = values.contiguous().clone();
    vectors = vectors.resolve_conj().contiguous().clone();
    make_canonical(vectors, values, n);
    spectrum.stiffness.push_back(values);
    spectrum.vectors.push_back(vectors);
  }
  return spectrum;
}

Tensor of_modes(const Spectrum& spectrum, const std::vector<Tensor>& of_bands) {
  std::vector<Tensor> parts;
  for (std::size_t n = 0; n < of_bands.size(); ++n)
    parts.push_back(spectrum.waves[n].real ? of_bands[n] : of_bands[n].repeat_interleave(2));
  return at::cat(parts);
}

std::vector<Tensor> in_modes(const Spectrum& spectrum, const ForceConstants& constants) {
  const Tensor matrices = dynamical_matrices(constants, spectrum.waves);
  std::vector<Tensor> result;
  for (std::size_t n = 0; n < spectrum.waves.size(); ++n) {
    const Tensor& e = spectrum.vectors[n];
    const Tensor matrix = matrices[static_cast<std::int64_t>(n)];
    const Tensor product = at::matmul(e.is_complex() ? matrix : at::real(matrix), e);
    result.push_back(e.is_complex() ? at::real((e.conj() * product).sum(0)).contiguous() : (e * product).sum(0));
  }
  return result;
}

}  // namespace bgw::physics
