#define BGW_VARIANT plain_graph
#include "runtime/flows/kernels/graph_body.h"

namespace bgw::flows::kernels {

const GraphKernels plain_graph_kernels{&plain_graph::floats_of, &plain_graph::forward, &plain_graph::inverse,
                                       &plain_graph::derivatives, &plain_graph::gelu_of_row};

}  // namespace bgw::flows::kernels
