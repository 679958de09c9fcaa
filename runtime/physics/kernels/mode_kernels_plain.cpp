#define BGW_VARIANT plain_modes
#include "runtime/physics/kernels/mode_body.h"

namespace bgw::physics::kernels {

const ModeKernels plain_mode_kernels{plain_modes::synthesise, plain_modes::analyse};

}  // namespace bgw::physics::kernels
