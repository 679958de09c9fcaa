#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "runtime/flows/augmented_flow.h"
#include "runtime/physics/gaussian_base.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/tensor/random_stream.h"

// augmented_step ATOMS EMBEDDING LAYERS BATCH THREADS TIMES fused|plain: training steps of the augmented flow of cubic ice on an
// Einstein crystal, 16 neighbours: reverse Kullback-Leibler loss of a batch and its total gradient, energies included,
// without the optimizer. Prints the seconds of the fastest of TIMES steps, those of the processors in the step that
// took least of them, the peak memory in MB, and the loss and the length of its gradient, by which two paths are seen
// to compute the same.
namespace {

using bgw::Tensor;
using bgw::schema::List;
using bgw::schema::Map;
using bgw::schema::Value;

constexpr double kDensity = 0.033567184, kBeta = 1.0 / (0.0019872067 * 200.0);  // 1/angstrom^3, mol/kcal

Value ice(std::int64_t atoms) {
  const auto repeats = bgw::crystal::repeats_for(*bgw::crystal::find_lattice("diamond_cubic"), atoms).value();
  return Map{
      {"potential", Map{{"style", "stillinger_weber"}, {"epsilon", 6.189}, {"sigma", 2.3925}, {"lambda", 23.15}}},
      {"lattice", Map{{"kind", "diamond_cubic"},
                      {"atoms", atoms},
                      {"density", kDensity},
                      {"repeats", List{repeats[0], repeats[1], repeats[2]}}}}};
}

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

struct Step {
  double loss = 0.0, gradient = 0.0;
};

/// Chunk by chunk, as training takes a batch.
Step step(const bgw::flows::CouplingFlow& flow, const Tensor& latent, const Tensor& parameters) {
  Step result;
  Tensor gradient = at::zeros_like(parameters);
  for (std::int64_t begin = 0; begin < latent.size(0); begin += flow.chunk()) {
    const auto loss =
        flow.reverse_kl(bgw::flows::KlGradient::total, latent.slice(0, begin, begin + flow.chunk()), parameters);
    result.loss -= loss.log_weight.sum().item<double>();
    gradient += loss.gradient.sum(0);
  }
  result.gradient = gradient.norm().item<double>();
  return result;
}

}  // namespace

int main(int count, char** arguments) {
  long numbers[6] = {};
  const std::string_view networks = count == 8 ? arguments[7] : "";
  for (int i = 0; i < 6 && (networks == "fused" || networks == "plain"); ++i) numbers[i] = std::atol(arguments[i + 1]);
  const auto [atoms, embedding, layers, batch, threads, times] = numbers;
  if (*std::min_element(numbers, numbers + 6) < 1) {
    std::fputs("usage: augmented_step ATOMS EMBEDDING LAYERS BATCH THREADS TIMES fused|plain\n", stderr);
    return 2;
  }
  at::set_num_threads(static_cast<int>(threads));
  const at::NoGradGuard no_grad;
  const Value system = ice(atoms);
  const bgw::crystal::Crystal crystal = bgw::physics::make_crystal(system);
  const auto model = bgw::physics::make_energy_model(system);
  const Tensor sites = bgw::physics::sites_tensor(crystal);
  const double energy = model->energy(at::zeros({1, atoms, 3}, at::kDouble)).item<double>();
  const auto base = bgw::physics::einstein_base(bgw::physics::translations_of(crystal.sites, crystal.cell), sites,
                                                crystal.cell, energy, kBeta, 0.2);
  const bgw::physics::WhitenedTarget target{*model, base.modes, kBeta, base.static_energy};
  bgw::flows::AugmentedSpec spec;
  spec.layers = layers;
  spec.network.embedding = embedding;
  spec.fused = networks == "fused";
  const auto flow = bgw::flows::make_augmented_flow(spec, target, crystal, sites);
  const bgw::tensor::RandomStream stream(bgw::plan::Key{}, "augmented_step");
  const Tensor start = flow->start(bgw::plan::Key{});
  const Tensor parameters = start + 0.01 * stream.normal(0, 0, 1, start.size(0))[0].to(start.scalar_type());
  const Tensor latent = stream.normal(1, 0, batch, flow->latent_dimension());
  double best = 1e300, least = 1e300;
  Step last;
  for (long i = 0; i < times; ++i) {
    const double begin = seconds(CLOCK_MONOTONIC), processors = seconds(CLOCK_PROCESS_CPUTIME_ID);
    last = step(*flow, latent, parameters);
    best = std::min(best, seconds(CLOCK_MONOTONIC) - begin);
    least = std::min(least, seconds(CLOCK_PROCESS_CPUTIME_ID) - processors);
  }
  std::printf("%.3f %.3f %.0f %.6f %.4f\n", best, least, peak_megabytes(), last.loss / static_cast<double>(batch),
              last.gradient);
  return 0;
}
