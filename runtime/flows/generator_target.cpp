#include "runtime/flows/generator_target.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "runtime/foundation/interlude.h"

namespace bgw::flows {
namespace {

/// Results of chunks of the samples, as many side by side as there are threads, with an interlude before each such group.
template <typename Result, typename Function>
std::vector<Result> by_chunks(std::int64_t samples, std::int64_t chunk, const Function& function) {
  const std::int64_t chunks = (samples + chunk - 1) / chunk;
  std::vector<Result> results(static_cast<std::size_t>(chunks));
  const std::int64_t at_once = std::max(1, at::get_num_threads());
  for (std::int64_t first = 0; first < chunks; first += at_once) {
    interlude();
    at::parallel_for(first, std::min(first + at_once, chunks), 1, [&](std::int64_t begin, std::int64_t end) {
      const at::NoGradGuard no_grad;
      for (std::int64_t c = begin; c < end; ++c) {
        results[static_cast<std::size_t>(c)] = function(c * chunk, std::min(samples, (c + 1) * chunk));
      }
    });
  }
  return results;
}

}  // namespace

physics::WhitenedValue GeneratorTarget::evaluate(const Tensor& y) const {
  const auto parts = by_chunks<LatentValue>(y.size(0), generator_.chunk(), [&](std::int64_t begin, std::int64_t end) {
    return generator_.latent_work(y.slice(0, begin, end), parameters_);
  });
  std::vector<Tensor> work, gradient, largest;
  for (const LatentValue& part : parts) {
    work.push_back(part.work);
    gradient.push_back(part.gradient);
    largest.push_back(part.largest_displacement);
  }
  return {at::cat(work), at::cat(gradient), at::cat(largest)};
}

physics::Configurations GeneratorTarget::configurations(const Tensor& y, const Tensor&) const {
  const auto parts = by_chunks<Draws>(y.size(0), generator_.chunk(), [&](std::int64_t begin, std::int64_t end) {
    return generator_.generate(y.slice(0, begin, end), parameters_);
  });
  std::vector<Tensor> displacements, energy;
  for (const Draws& part : parts) {
    displacements.push_back(part.displacements);
    energy.push_back(part.energy);
  }
  return {at::cat(displacements), at::cat(energy)};
}

}  // namespace bgw::flows
