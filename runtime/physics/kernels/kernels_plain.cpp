#define BGW_VARIANT plain
#include "runtime/physics/kernels/kernel_body.h"

namespace bgw::physics::kernels {

const KernelTable plain_kernels{&plain::stillinger_weber, &plain::lennard_jones, &plain::stillinger_weber_hessian,
                                &plain::lennard_jones_hessian, &plain::exponential_of_block};

}  // namespace bgw::physics::kernels
