#include <stdexcept>

#include "runtime/physics/kernels/kernel_table.h"

namespace bgw::physics::kernels {

bool is_available([[maybe_unused]] Variant variant) {
#if BGW_X86_KERNELS
  if (variant == Variant::avx512) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
  if (variant == Variant::avx2) return __builtin_cpu_supports("avx2");
#endif
  return variant == Variant::plain;
}

namespace {

void require(Variant variant) {
  if (!is_available(variant)) throw std::logic_error("this processor lacks the instructions of the chosen kernels");
}

}  // namespace

Variant widest_variant() {
  static const Variant widest = is_available(Variant::avx512) ? Variant::avx512
                                : is_available(Variant::avx2) ? Variant::avx2
                                                              : Variant::plain;
  return widest;
}

const KernelTable& kernels(Variant variant) {
  require(variant);
#if BGW_X86_KERNELS
  if (variant == Variant::avx512) return avx512_kernels;
  if (variant == Variant::avx2) return avx2_kernels;
#endif
  return plain_kernels;
}

const SingleKernelTable& single_kernels(Variant variant) {
  require(variant);
#if BGW_X86_KERNELS
  if (variant == Variant::avx512) return avx512_single_kernels;
  if (variant == Variant::avx2) return avx2_single_kernels;
#endif
  return plain_single_kernels;
}

const KernelTable& kernels() { return kernels(widest_variant()); }
const SingleKernelTable& single_kernels() { return single_kernels(widest_variant()); }

}  // namespace bgw::physics::kernels
