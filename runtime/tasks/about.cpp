#include "runtime/tasks/about.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <string>

#include "runtime/tasks/torch_process.h"
#include "runtime/tensor/tensor.h"

namespace bgw::tasks {
namespace {

// The file of the library whose dgemm_ a call finds; "" where LibTorch keeps one of its own for itself.
std::string file_of_blas() {
  void* const dgemm = dlsym(RTLD_DEFAULT, "dgemm_");
  Dl_info info{};
  if (dgemm == nullptr || dladdr(dgemm, &info) == 0 || info.dli_fname == nullptr) return "";
  std::error_code error;
  const std::filesystem::path file = std::filesystem::canonical(info.dli_fname, error);  // behind Debian's alternatives
  return error ? info.dli_fname : file.string();
}

// "OpenMP", out of a text for people.
std::string parallel_backend() {
  std::istringstream lines(at::get_parallel_info());
  const std::string title = "ATen parallel backend: ";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(title)) return line.substr(title.size());
  }
  return "";
}

// The best of a few products: others may work on this machine, too.
double matrix_gflops() {
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t kSize = 512;
  constexpr double kOperations = 2.0 * kSize * kSize * kSize;
  const at::Tensor a = at::ones({kSize, kSize}, at::TensorOptions().dtype(at::kDouble).device(at::kCPU));
  at::matmul(a, a);  // loads the library
  const Clock::time_point begin = Clock::now();
  double best = 0;
  for (int product = 0; product < 20; ++product) {
    const Clock::time_point start = Clock::now();
    at::matmul(a, a);
    const std::chrono::duration<double> seconds = Clock::now() - start;
    best = std::max(best, kOperations / seconds.count() * 1e-9);
    if (Clock::now() - begin > std::chrono::milliseconds(500)) break;
  }
  return best;
}

}  // namespace

schema::Value about() {
  return schema::Map{{"torch", torch_version()},
                     {"parallel", parallel_backend()},
                     {"threads", static_cast<std::int64_t>(at::get_num_threads())},
                     {"blas", file_of_blas()},
                     {"matrix_gflops", matrix_gflops()},
                     {"cuda_devices", static_cast<std::int64_t>(torch::cuda::device_count())}};
}

}  // namespace bgw::tasks
