#include "runtime/flows/reverse_kl.h"

namespace bgw::flows {

SampleLoss reverse_kl(const ModeSplitFlow& flow, KlGradient gradient, const Tensor& z, const Tensor& parameters) {
  return flow.reverse_kl(gradient, z, parameters);
}

}  // namespace bgw::flows
