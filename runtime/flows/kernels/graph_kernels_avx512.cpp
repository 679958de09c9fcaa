#define BGW_VARIANT avx512_graph
#include "runtime/flows/kernels/graph_body.h"

namespace bgw::flows::kernels {

const GraphKernels avx512_graph_kernels{&avx512_graph::floats_of, &avx512_graph::forward, &avx512_graph::inverse,
                                        &avx512_graph::derivatives, &avx512_graph::gelu_of_row};

}  // namespace bgw::flows::kernels
