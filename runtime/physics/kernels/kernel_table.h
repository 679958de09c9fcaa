#pragma once
// What the vector kernels take and give: plain numbers and pointers, so that the kernel sources, which are compiled
// for other processors than the rest, share no inline function with it.

#include <cstdint>

namespace bgw::physics::kernels {

/// Configurations evaluated together, one in each lane of a vector: numbers in 64 bytes.
template <class Number>
inline constexpr int kLanesOf = static_cast<int>(64 / sizeof(Number));
inline constexpr int kLanes = kLanesOf<double>;
inline constexpr int kSingleLanes = kLanesOf<float>;

/// The nearest image of each pair in a cell smaller than twice the cutoff. The cell is reduced (crystal/cell.h), so that
/// the nearest image is one of the 27 around the one that rounding its coordinates finds; in an orthorhombic one it is that.
struct NearestImages {
  double cell[9];        // rows are the cell vectors
  double reciprocal[9];  // row k times a separation is its k-th fractional coordinate
  bool orthorhombic;
};

/// Neighbours of every atom, as rows of entries. Entry e of atom i stands for the atom `index[e]` in the image at
/// offset `offset[3e..]` from site i (site difference plus lattice vector). A full list has each pair in the rows of
/// both atoms; one of the two entries, in the row's part from `owned` on, owns the pair. A half list has owned entries only.
template <class Number>
struct NeighbourViewOf {
  std::int64_t atoms;
  const std::int64_t* begin;     // [atoms + 1]
  const std::int64_t* owned;     // [atoms]
  const std::int32_t* index;     // [entries]
  const Number* offset;          // [entries][3]
  const NearestImages* nearest;  // or nullptr: the entries are the images
  std::int64_t widest_row;       // most entries in one row
};
using NeighbourView = NeighbourViewOf<double>;
using SingleNeighbourView = NeighbourViewOf<float>;

/// Stillinger-Weber constants, as they enter the formulas of method.md 1.4. Below `linear_below` the pair energy, not the
/// three-body part, goes on along the tangent `linear_value` + `linear_slope` (r - linear_below); 0 for the energy itself.
struct StillingerWeber {
  double pair_strength;  // A epsilon
  double B;
  int p, q;
  double sigma;
  double cutoff;  // a sigma
  double gamma_sigma;
  double triplet_strength;  // lambda epsilon
  double cos0;
  double linear_below, linear_value, linear_slope;
};

/// Truncated Lennard-Jones; `shift` is subtracted from every pair energy. From `switch_from` on, where that is below the
/// cutoff, a quintic takes the energy to zero. With g = softness + (r/sigma)^6 the energy is 4 coupling epsilon
/// (g^-2 - g^-1), which for coupling 1 and softness 0 is the usual one. Tangent as above.
struct LennardJones {
  double epsilon;
  double sigma;
  double cutoff;
  double shift;
  double switch_from;
  double coupling, softness;
  double linear_below, linear_value, linear_slope;
  bool is_plain() const {
    return switch_from >= cutoff && coupling == 1.0 && softness == 0.0 && linear_below == 0.0;
  }
};

/// Linearised energies are constant below this distance, in angstrom.
inline constexpr double kLinearFrom = 0.01;

/// One block of as many configurations as there are lanes, transposed: coordinate c of lane l stands at [c * lanes + l];
/// all pointers are aligned to 64 bytes. Gradients and strain are added to what stands in the output; with a deformation
/// there is no tangent, and nothing may stand in the gradient before. In float32 there are gradients alone, without energy
/// or deformation, which are null.
template <class Number>
struct BlockOf {
  const Number* displacement;  // [3 atoms][lanes]
  const Number* tangent;       // the same, or nullptr: Hessian-vector product wanted
  Number* energy;              // [lanes]
  Number* gradient;            // [3 atoms][lanes], or nullptr: energy only
  Number* product;             // [3 atoms][lanes], with tangent
  const Number* deformation;   // [9][lanes], rows of F: separations are F times those of the list; or nullptr
  Number* strain;              // [6][lanes], dU/d epsilon xx yy zz xy xz yz; with deformation and gradient
  Number* scratch;             // [scratch_numbers]
};
using Block = BlockOf<double>;
using SingleBlock = BlockOf<float>;

/// Numbers of scratch that one block needs.
template <class Number>
std::int64_t scratch_numbers(std::int64_t widest_row) {
  return (widest_row + 1) * 16 * 2 * kLanesOf<Number>;
}

/// Hessian blocks of one centre, summed over all lanes of all blocks with lane weights.
struct CentreBlocks {
  std::int64_t centre;
  std::int64_t blocks;         // number of blocks
  const double* displacement;  // [blocks][3 atoms][kLanes]
  const double* lane_weight;   // [blocks][kLanes], 0 or 1
  double* scratch;             // [hessian_scratch_doubles]
  double* result;              // many-body: [row][row][9] for slots a <= b; pair: [row][9] for slot a with itself
};

inline std::int64_t hessian_scratch_doubles(std::int64_t row) { return ((row + 1) * 80 + row * row * 9) * kLanes; }

/// The kernels of one processor family.
struct KernelTable {
  void (*stillinger_weber)(const NeighbourView&, const StillingerWeber&, const Block&);
  void (*lennard_jones)(const NeighbourView&, const LennardJones&, const Block&);
  void (*stillinger_weber_hessian)(const NeighbourView&, const StillingerWeber&, const CentreBlocks&);
  void (*lennard_jones_hessian)(const NeighbourView&, const LennardJones&, const CentreBlocks&);
  void (*exponential)(const double* x, double* y);  // [kLanes] each, x <= 0; for tests
};

/// The same in float32: energies are left out, and deformations. Constants are rounded once, sums run in the same order.
struct SingleKernelTable {
  void (*stillinger_weber)(const SingleNeighbourView&, const StillingerWeber&, const SingleBlock&);
  void (*lennard_jones)(const SingleNeighbourView&, const LennardJones&, const SingleBlock&);
  void (*exponential)(const float* x, float* y);  // [kSingleLanes] each, x <= 0; for tests
};

enum class Variant { plain, avx2, avx512 };

/// Whether this build and this processor have the variant.
bool is_available(Variant variant);
/// The widest that is, found once.
Variant widest_variant();
/// The kernels of a variant; all variants give the same bits.
const KernelTable& kernels(Variant variant);
/// The widest available ones.
const KernelTable& kernels();
const SingleKernelTable& single_kernels(Variant variant);
const SingleKernelTable& single_kernels();

extern const KernelTable plain_kernels;
extern const SingleKernelTable plain_single_kernels;
#if BGW_X86_KERNELS
extern const KernelTable avx2_kernels, avx512_kernels;
extern const SingleKernelTable avx2_single_kernels, avx512_single_kernels;
#endif

}  // namespace bgw::physics::kernels
