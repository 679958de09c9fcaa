#include "runtime/physics/kernels/mode_kernels.h"

namespace bgw::physics::kernels {

const ModeKernels& mode_kernels(Variant variant) {
#if BGW_X86_KERNELS
  if (variant == Variant::avx512) return avx512_mode_kernels;
  if (variant == Variant::avx2) return avx2_mode_kernels;
#endif
  (void)variant;
  return plain_mode_kernels;
}

const SingleModeKernels& single_mode_kernels(Variant variant) {
#if BGW_X86_KERNELS
  if (variant == Variant::avx512) return avx512_single_mode_kernels;
  if (variant == Variant::avx2) return avx2_single_mode_kernels;
#endif
  (void)variant;
  return plain_single_mode_kernels;
}

const ModeKernels& mode_kernels() { return mode_kernels(widest_variant()); }
const SingleModeKernels& single_mode_kernels() { return single_mode_kernels(widest_variant()); }

}  // namespace bgw::physics::kernels
