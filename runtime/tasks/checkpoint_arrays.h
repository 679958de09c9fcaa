#pragma once

#include <map>
#include <string>

#include "runtime/artifacts/artifact.h"
#include "runtime/physics/energy_model.h"
#include "runtime/tensor/tensor.h"

namespace bgw::tasks {

/// The named tensors of a state and the calls made so far, as a checkpoint holds them.
artifacts::Artifact checkpoint_from(const std::map<std::string, Tensor>& named, const physics::CallCount& calls);

/// The tensors of a checkpoint again.
std::map<std::string, Tensor> named_tensors_of(const artifacts::Artifact& checkpoint);

}  // namespace bgw::tasks
