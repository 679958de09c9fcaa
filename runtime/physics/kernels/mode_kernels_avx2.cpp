#define BGW_VARIANT avx2_modes
#include "runtime/physics/kernels/mode_body.h"

namespace bgw::physics::kernels {

const ModeKernels avx2_mode_kernels{avx2_modes::synthesise, avx2_modes::analyse};

}  // namespace bgw::physics::kernels
