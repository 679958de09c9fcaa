#define BGW_VARIANT single_plain
#define BGW_SINGLE 1
#include "runtime/physics/kernels/kernel_body.h"

namespace bgw::physics::kernels {

const SingleKernelTable plain_single_kernels{&single_plain::stillinger_weber, &single_plain::lennard_jones,
                                           &single_plain::exponential_of_block};

}  // namespace bgw::physics::kernels
