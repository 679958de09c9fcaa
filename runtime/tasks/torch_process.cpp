#include "runtime/tasks/torch_process.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdlib>

#include "runtime/tensor/tensor.h"

namespace bgw::tasks {

void set_up_torch() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  at::set_num_threads(text ? std::max(1, std::atoi(text)) : 1);
  at::set_num_interop_threads(1);
  // OpenBLAS is loaded behind LibTorch, not linked: without the symbol there is another BLAS and nothing to do.
  using SetThreads = void (*)(int);
  if (const auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(1);
  at::GradMode::set_enabled(false);
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace bgw::tasks
