// What the fused couplings hold in memory: nothing that grows with both the batch and the edges, or the batch and the parameters.
#include <sys/resource.h>

#include <memory>

#include "runtime/flows/fused_graph_coupling.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/catch.h"

using namespace bgw;
using namespace bgw::flows;

namespace {

/// Of the process, up to now.
double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

/// A coupling of ice whose atoms all hear each other.
struct Whole {
  Whole(std::int64_t atoms, const GraphNetwork& network) {
    const crystal::Crystal crystal = physics::make_crystal(testing::water("diamond_cubic", atoms));
    const auto graph = std::make_shared<const AtomGraph>(
        make_atom_graph(crystal, physics::sites_tensor(crystal), Neighbourhood::complete, 0));
    const auto conditioner = std::make_shared<const GraphConditioner>(graph, network);
    parameters = conditioner->layout().start(plan::Key{}, at::kFloat);
    particles = atoms;
    step = std::make_unique<FusedGraphCoupling>(std::make_shared<const FusedGraph>(conditioner), 0, StatePart{1, 0, atoms},
                                                StatePart{1, atoms, atoms}, SplineRange{-1.0, 1.0, SplineEnds::identity});
  }
  /// What the peak grows by in the derivatives of so many samples.
  double growth(std::int64_t samples) const {
    const Tensor x = 0.1 * tensor::RandomStream(plan::Key{}, "x").normal(0, 0, samples, 6 * particles).view({samples, 2 * particles, 3});
    Tensor gradient = at::zeros_like(parameters);
    const double before = peak_megabytes();
    step->pull_back(x, parameters, x, 1.0, &gradient);
    return peak_megabytes() - before;
  }

  Tensor parameters;
  std::int64_t particles = 0;
  std::unique_ptr<FusedGraphCoupling> step;
};

GraphNetwork network(std::int64_t embedding) {
  GraphNetwork sizes;
  sizes.embedding = embedding;
  sizes.layers = 2;
  sizes.frequencies = 2;
  sizes.bins = 2;
  sizes.displacement = sizes.edge = {-1.0, 2.0};
  return sizes;
}

}  // namespace

TEST_CASE("edges of complete graphs are held for the samples at work alone", "[fused]") {
  const Whole ice(216, network(4));
  ice.growth(2);  // what each thread needs
  // The edges of a sample are 1.1 MB: those of the batch, with what they are made of, would be some hundreds.
  CHECK(ice.growth(64) < 60.0);
}

TEST_CASE("gradients are summed in so many lanes, however many samples there are", "[fused]") {
  const Whole ice(8, network(128));
  // A sum in float32 is 2.2 MB: one for each four samples would be 280.
  CHECK(ice.growth(512) < 160.0);
}
