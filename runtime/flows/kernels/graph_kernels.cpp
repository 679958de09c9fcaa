#include "runtime/flows/kernels/graph_kernels.h"

#include <stdexcept>

namespace bgw::flows::kernels {

bool is_available([[maybe_unused]] Width width) {
#if BGW_X86_KERNELS
  if (width == Width::avx512) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
  if (width == Width::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return width == Width::plain;
}

const GraphKernels& graph_kernels(Width width) {
  if (!is_available(width)) throw std::logic_error("this processor lacks the instructions of the chosen kernels");
#if BGW_X86_KERNELS
  if (width == Width::avx512) return avx512_graph_kernels;
  if (width == Width::avx2) return avx2_graph_kernels;
#endif
  return plain_graph_kernels;
}

const GraphKernels& graph_kernels() {
  static const GraphKernels& widest = graph_kernels(is_available(Width::avx512) ? Width::avx512
                                                    : is_available(Width::avx2) ? Width::avx2
                                                                                : Width::plain);
  return widest;
}

}  // namespace bgw::flows::kernels
