#define BGW_VARIANT avx512
#include "runtime/physics/kernels/kernel_body.h"

namespace bgw::physics::kernels {

const KernelTable avx512_kernels{&avx512::stillinger_weber, &avx512::lennard_jones, &avx512::stillinger_weber_hessian,
                                 &avx512::lennard_jones_hessian, &avx512::exponential_of_block};

}  // namespace bgw::physics::kernels
