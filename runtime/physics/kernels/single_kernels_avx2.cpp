#define BGW_VARIANT single_avx2
#define BGW_SINGLE 1
#include "runtime/physics/kernels/kernel_body.h"

namespace bgw::physics::kernels {

const SingleKernelTable avx2_single_kernels{&single_avx2::stillinger_weber, &single_avx2::lennard_jones,
                                           &single_avx2::exponential_of_block};

}  // namespace bgw::physics::kernels
