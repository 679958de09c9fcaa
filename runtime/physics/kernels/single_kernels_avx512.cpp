#define BGW_VARIANT single_avx512
#define BGW_SINGLE 1
#include "runtime/physics/kernels/kernel_body.h"

namespace bgw::physics::kernels {

const SingleKernelTable avx512_single_kernels{&single_avx512::stillinger_weber, &single_avx512::lennard_jones,
                                           &single_avx512::exponential_of_block};

}  // namespace bgw::physics::kernels
