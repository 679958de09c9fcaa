#define BGW_VARIANT single_plain_modes
#define BGW_SINGLE 1
#include "runtime/physics/kernels/mode_body.h"

namespace bgw::physics::kernels {

const SingleModeKernels plain_single_mode_kernels{&single_plain_modes::synthesise, &single_plain_modes::analyse};

}  // namespace bgw::physics::kernels
