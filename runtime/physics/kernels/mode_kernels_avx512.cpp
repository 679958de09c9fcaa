#define BGW_VARIANT avx512_modes
#include "runtime/physics/kernels/mode_body.h"

namespace bgw::physics::kernels {

const ModeKernels avx512_mode_kernels{avx512_modes::synthesise, avx512_modes::analyse};

}  // namespace bgw::physics::kernels
