#pragma once
// What the vector kernels of the mode transform take: plain numbers and pointers, as in kernel_table.h.

#include <cstdint>

#include "runtime/physics/kernels/kernel_table.h"

namespace bgw::physics::kernels {

/// The modes of one wave vector k, or of the pair k and -k: W = E kappa^(-1/2), with polarisations E in its columns.
template <class Number>
struct ModeBlockOf {
  std::int64_t place;    // of k in the half spectrum
  std::int64_t partner;  // of -k, where the half spectrum holds it as well; else -1
  bool real;             // k = -k: W is real, and a column is one mode; else it is two, of the phases cos and -sin
  std::int64_t columns;
  std::int64_t first_mode;
  const Number* numbers;  // [width][columns], complex ones as (re, im)
};
using ModeBlock = ModeBlockOf<double>;

/// u(b, g) = cells^(-1/2) sum_k W_k y_k exp(2 pi i k g), in lanes. Fields are [width][cells][lanes], modes [m][lanes];
/// the half spectrum has the last axis up to half its period.
template <class Number>
struct ModeViewOf {
  std::int64_t periods[3];
  std::int64_t width;      // numbers in a primitive cell, 3 n_b
  const Number* roots[3];  // [period][2], cos and sin of 2 pi j / period
  const ModeBlockOf<Number>* blocks;
  std::int64_t block_count;
};
using ModeView = ModeViewOf<double>;

/// Places of the half spectrum.
template <class Number>
std::int64_t half_cells(const ModeViewOf<Number>& v) {
  return v.periods[0] * v.periods[1] * (v.periods[2] / 2 + 1);
}
template <class Number>
std::int64_t longest_period(const ModeViewOf<Number>& v) {
  const std::int64_t xy = v.periods[0] > v.periods[1] ? v.periods[0] : v.periods[1];
  return xy > v.periods[2] ? xy : v.periods[2];
}
/// Numbers of scratch that one call needs, aligned to 64 bytes.
template <class Number>
std::int64_t mode_scratch_numbers(const ModeViewOf<Number>& v) {
  return (v.width * half_cells(v) + v.width + 6 * longest_period(v)) * 2 * kLanesOf<Number>;
}

template <class Number>
struct ModeKernelsOf {
  void (*synthesise)(const ModeViewOf<Number>&, const Number* modes, Number* field, Number* scratch);  // u = M y
  void (*analyse)(const ModeViewOf<Number>&, const Number* field, Number* modes, Number* scratch);     // M^T g
};
using ModeKernels = ModeKernelsOf<double>;
using SingleModeKernels = ModeKernelsOf<float>;

/// All variants give the same bits.
const ModeKernels& mode_kernels(Variant variant);
const SingleModeKernels& single_mode_kernels(Variant variant);
/// The widest available ones.
const ModeKernels& mode_kernels();
const SingleModeKernels& single_mode_kernels();

extern const ModeKernels plain_mode_kernels;
extern const SingleModeKernels plain_single_mode_kernels;
#if BGW_X86_KERNELS
extern const ModeKernels avx2_mode_kernels, avx512_mode_kernels;
extern const SingleModeKernels avx2_single_mode_kernels, avx512_single_mode_kernels;
#endif

}  // namespace bgw::physics::kernels
