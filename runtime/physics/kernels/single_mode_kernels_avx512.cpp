#define BGW_VARIANT single_avx512_modes
#define BGW_SINGLE 1
#include "runtime/physics/kernels/mode_body.h"

namespace bgw::physics::kernels {

const SingleModeKernels avx512_single_mode_kernels{&single_avx512_modes::synthesise, &single_avx512_modes::analyse};

}  // namespace bgw::physics::kernels
