#pragma once

#include <string>

namespace bgw::tasks {

/// What a process that uses LibTorch does first: one team of OMP_NUM_THREADS threads (1 where that is not set), BLAS on
/// one thread - products run over fixed chunks in that team, so that their numbers do not depend on it - and no
/// autograd except where training turns it on.
void set_up_torch();

/// "1.13.0"
std::string torch_version();

}  // namespace bgw::tasks
