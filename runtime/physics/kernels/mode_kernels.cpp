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

const ModeKernels& mode_kernels() {
  static const ModeKernels& best = is_available(Variant::avx512) ? mode_kernels(Variant::avx512)
                                   : is_available(Variant::avx2) ? mode_kernels(Variant::avx2)
                                                                 : mode_kernels(Variant::plain);
  return best;
}

}  // namespace bgw::physics::kernels
