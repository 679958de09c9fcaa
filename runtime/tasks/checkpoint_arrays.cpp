#include "runtime/tasks/checkpoint_arrays.h"

#include "runtime/tasks/ledger.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {

artifacts::Artifact checkpoint_from(const std::map<std::string, Tensor>& named, const physics::CallCount& calls) {
  artifacts::Artifact checkpoint;
  for (const auto& [name, tensor] : named) checkpoint.arrays[name] = tensor::to_array(tensor);
  checkpoint.cost = cost_of(calls);
  return checkpoint;
}

std::map<std::string, Tensor> named_tensors_of(const artifacts::Artifact& checkpoint) {
  std::map<std::string, Tensor> named;
  for (const auto& [name, array] : checkpoint.arrays) named[name] = tensor::to_tensor(array);
  return named;
}

}  // namespace bgw::tasks
