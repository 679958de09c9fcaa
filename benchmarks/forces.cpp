#include <ATen/Parallel.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/physics/make_energy_model.h"
#include "runtime/tensor/random_stream.h"

// forces SYSTEM ATOMS TIMES: energy and gradient of batches of one crystal (ice, silicon or lj), on one thread. Prints
// the calls per second of processor time of the best of TIMES batches, one call being one configuration.
namespace {

using bgw::schema::List;
using bgw::schema::Map;
using bgw::schema::Value;

struct Case {
  Value system;
  double width;  // of the displacements, about that of the temperatures of forces.sh
};

Value lattice(const char* kind, std::int64_t atoms, double density) {
  const auto repeats = bgw::crystal::repeats_for(*bgw::crystal::find_lattice(kind), atoms).value();
  return Map{
      {"kind", kind}, {"atoms", atoms}, {"density", density}, {"repeats", List{repeats[0], repeats[1], repeats[2]}}};
}

Case make_case(const std::string& name, std::int64_t atoms) {
  const auto stillinger_weber = [](double epsilon, double sigma, double lambda) {
    return Map{{"style", "stillinger_weber"}, {"epsilon", epsilon}, {"sigma", sigma}, {"lambda", lambda}};
  };
  if (name == "ice")
    return {Map{{"potential", stillinger_weber(0.26838, 2.3925, 23.15)},
                {"lattice", lattice("diamond_cubic", atoms, 0.033567184)}},
            0.092};
  if (name == "silicon")
    return {Map{{"potential", stillinger_weber(2.1683, 2.0951, 21.0)},
                {"lattice", lattice("diamond_cubic", atoms, 0.0495763)}},
            0.13};
  if (name == "lj") {
    const Value potential = Map{{"style", "lennard_jones"}, {"cutoff", 2.7}, {"shift", true}};
    return {Map{{"potential", potential}, {"lattice", lattice("fcc", atoms, 1.28)}}, 0.05};
  }
  std::fprintf(stderr, "forces: no system %s; known are ice, silicon, lj\n", name.c_str());
  std::exit(2);
}

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

int main(int count, char** arguments) {
  const std::int64_t atoms = count == 4 ? std::atoll(arguments[2]) : 0;
  const int times = count == 4 ? std::atoi(arguments[3]) : 0;
  if (atoms < 1 || times < 1) {
    std::fputs("usage: forces SYSTEM ATOMS TIMES\n", stderr);
    return 2;
  }
  at::set_num_threads(1);
  const Case c = make_case(arguments[1], atoms);
  const auto model = bgw::physics::make_energy_model(c.system);
  constexpr std::int64_t kBatch = 64;
  const bgw::tensor::RandomStream stream(bgw::plan::Key{}, "forces");
  const at::Tensor u = c.width * stream.normal(0, 0, kBatch, 3 * atoms).reshape({kBatch, atoms, 3});
  double best = 1e300;
  for (int i = 0; i < times; ++i) {
    const double start = processor_seconds();
    model->energy_and_gradient(u);
    best = std::min(best, processor_seconds() - start);
  }
  std::printf("%.1f\n", static_cast<double>(kBatch) / best);
  return 0;
}
