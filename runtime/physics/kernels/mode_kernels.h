#pragma once
// What the vector kernels of the mode transform take: plain numbers and pointers, as in kernel_table.h.

#include <cstdint>

#include "runtime/physics/kernels/kernel_table.h"

namespace bgw::physics::kernels {

/// The modes of one wave vector k, or of the pair k and -k: W = E kappa^(-1/2), with polarisations E in its columns.
struct ModeBlock {
  std::int64_t place;    // of k in the half spectrum
  std::int64_t partner;  // of -k, where the half spectrum holds it as well; else -1
  bool real;             // k = -k: W is real, and a column is one mode; else it is two, of the phases cos and -sin
  std::int64_t columns;
  std::int64_t first_mode;
  const double* numbers;  // [width][columns], complex ones as (re, im)
};

/// u(b, g) = cells^(-1/2) sum_k W_k y_k exp(2 pi i k g), in lanes. Fields are [width][cells][kLanes], modes [m][kLanes];
/// the half spectrum has the last axis up to half its period.
struct ModeView {
  std::int64_t periods[3];
  std::int64_t width;      // numbers in a primitive cell, 3 n_b
  const double* roots[3];  // [period][2], cos and sin of 2 pi j / period
  const ModeBlock* blocks;
  std::int64_t block_count;
};

/// Places of the half spectrum.
inline std::int64_t half_cells(const ModeView& v) { return v.periods[0] * v.periods[1] * (v.periods[2] / 2 + 1); }
inline std::int64_t longest_period(const ModeView& v) {
  const std::int64_t xy = v.periods[0] > v.periods[1] ? v.periods[0] : v.periods[1];
  return xy > v.periods[2] ? xy : v.periods[2];
}
/// Doubles of scratch that one call needs, aligned to 64 bytes.
inline std::int64_t mode_scratch_doubles(const ModeView& v) {
  return (v.width * half_cells(v) + v.width + 6 * longest_period(v)) * 2 * kLanes;
}

struct ModeKernels {
  void (*synthesise)(const ModeView&, const double* modes, double* field, double* scratch);  // u = M y
  void (*analyse)(const ModeView&, const double* field, double* modes, double* scratch);     // M^T g
};

/// All variants give the same bits.
const ModeKernels& mode_kernels(Variant variant);
/// The widest available ones.
const ModeKernels& mode_kernels();

extern const ModeKernels plain_mode_kernels;
#if BGW_X86_KERNELS
extern const ModeKernels avx2_mode_kernels;
extern const ModeKernels avx512_mode_kernels;
#endif

}  // namespace bgw::physics::kernels
