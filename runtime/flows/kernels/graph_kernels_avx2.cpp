#define BGW_VARIANT avx2_graph
#include "runtime/flows/kernels/graph_body.h"

namespace bgw::flows::kernels {

const GraphKernels avx2_graph_kernels{&avx2_graph::floats_of, &avx2_graph::forward, &avx2_graph::inverse,
                                      &avx2_graph::derivatives, &avx2_graph::gelu_of_row};

}  // namespace bgw::flows::kernels
