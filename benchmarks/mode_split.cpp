#include <ATen/Parallel.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "runtime/flows/mode_split_generator.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/scha.h"
#include "runtime/tensor/random_stream.h"

// mode_split SYSTEM ATOMS PRECISION BATCH TIMES: draws of a mode-split flow of 16 splits, one in four looking ahead, and
// training samples with path gradients, on one thread. SYSTEM is ice (mW at 200 K on its phonons), lj (T* = 2 on its SCHA
// base) or guided (the same by softened forces of twelve neighbours); PRECISION is float64 or float32. Prints draws a
// second and training samples a second, by processor time of the best of TIMES batches, and the mean log weight.
namespace {

using bgw::Tensor;
using bgw::schema::List;
using bgw::schema::Map;
using bgw::schema::Value;

struct Case {
  Value system;
  double beta;
  bool harmonic;  // base: else self-consistent
};

Value lattice(const char* kind, std::int64_t atoms, double density) {
  const auto repeats = bgw::crystal::repeats_for(*bgw::crystal::find_lattice(kind), atoms).value();
  return Map{
      {"kind", kind}, {"atoms", atoms}, {"density", density}, {"repeats", List{repeats[0], repeats[1], repeats[2]}}};
}

Case make_case(const std::string& name, std::int64_t atoms) {
  if (name == "ice")
    return {Map{{"potential", Map{{"style", "stillinger_weber"}, {"epsilon", 6.189}, {"sigma", 2.3925}, {"lambda", 23.15}}},
                {"lattice", lattice("diamond_cubic", atoms, 0.033567184)}},
            1.0 / (0.0019872067 * 200.0), true};
  if (name == "lj" || name == "guided")
    return {Map{{"potential", Map{{"style", "lennard_jones"}, {"epsilon", 1.0}, {"sigma", 1.0}, {"cutoff", 2.7}, {"shift", true}}},
                {"lattice", lattice("fcc", atoms, 1.28)}},
            0.5, false};
  std::fprintf(stderr, "mode_split: no system %s; known are ice, lj, guided\n", name.c_str());
  std::exit(2);
}

bgw::physics::GaussianBase base_of(const Case& c, const bgw::physics::EnergyModel& model,
                                   const bgw::crystal::Crystal& crystal, const bgw::tensor::RandomStream& stream) {
  if (c.harmonic) return bgw::physics::phonon_base(model, crystal, c.beta, false);
  bgw::physics::SchaOptions options;
  options.samples = options.bound_samples = 64;
  options.iterations = 6;
  options.relax_sites = false;
  const bgw::physics::Scha scha(model, crystal, c.beta, options, stream);
  auto state = scha.start();
  while (!scha.is_finished(state)) scha.step(state);
  return scha.finish(state).base;
}

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Work>
double least_seconds(int times, Work work) {
  double best = 1e300;
  for (int i = 0; i < times; ++i) {
    const double start = processor_seconds();
    work();
    best = std::min(best, processor_seconds() - start);
  }
  return best;
}

}  // namespace

int main(int count, char** arguments) {
  const std::int64_t atoms = count == 6 ? std::atoll(arguments[2]) : 0;
  const std::int64_t batch = count == 6 ? std::atoll(arguments[4]) : 0;
  const int times = count == 6 ? std::atoi(arguments[5]) : 0;
  if (atoms < 1 || batch < 1 || times < 1) {
    std::fputs("usage: mode_split SYSTEM ATOMS PRECISION BATCH TIMES\n", stderr);
    return 2;
  }
  at::set_num_threads(1);
  const std::string name = arguments[1];
  const Case c = make_case(name, atoms);
  const bgw::crystal::Crystal crystal = bgw::physics::make_crystal(c.system);
  const auto model = bgw::physics::make_energy_model(c.system);
  const bgw::tensor::RandomStream stream(bgw::plan::Key{}, "mode_split");
  const bgw::physics::GaussianBase base = base_of(c, *model, crystal, stream);
  const bgw::physics::WhitenedTarget target(*model, base.modes, c.beta, base.static_energy);
  bgw::flows::ModeSplitSpec spec;
  spec.precision = std::string(arguments[3]) == "float32" ? at::kFloat : at::kDouble;
  std::unique_ptr<const bgw::physics::EnergyModel> guide;
  if (name == "guided") {
    bgw::physics::PotentialForm form;
    form.linearize_below = 0.88;
    form.neighbours_within = 1.2;
    guide = bgw::physics::make_energy_model(c.system, crystal.sites, crystal.cell, form);
  }
  const bgw::flows::ModeSplitGenerator flow(target, spec, std::move(guide));
  const Tensor start = flow.start(bgw::plan::Key{});
  const Tensor latent = stream.normal(1, 0, batch, flow.latent_dimension());
  Tensor log_weight;
  const double draw = least_seconds(times, [&] { log_weight = flow.generate(latent, start).log_weight; });
  const double train =
      least_seconds(times, [&] { flow.reverse_kl(bgw::flows::KlGradient::path, latent, start); });
  const auto rate = [&](double seconds) { return static_cast<double>(batch) / seconds; };
  std::printf("%.1f %.1f %.6f\n", rate(draw), rate(train), log_weight.mean().item<double>());
  return 0;
}
