#define BGW_VARIANT avx2
#include "runtime/physics/kernels/kernel_body.h"

namespace bgw::physics::kernels {

const KernelTable avx2_kernels{&avx2::stillinger_weber, &avx2::lennard_jones, &avx2::stillinger_weber_hessian,
                               &avx2::lennard_jones_hessian, &avx2::exponential_of_block};

}  // namespace bgw::physics::kernels
