#define BGW_VARIANT single_avx2_modes
#define BGW_SINGLE 1
#include "runtime/physics/kernels/mode_body.h"

namespace bgw::physics::kernels {

const SingleModeKernels avx2_single_mode_kernels{&single_avx2_modes::synthesise, &single_avx2_modes::analyse};

}  // namespace bgw::physics::kernels
