#include "runtime/flows/augmented_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "runtime/flows/augmented_ends.h"
#include "runtime/flows/edge_periods.h"
#include "runtime/flows/fused_graph_coupling.h"
#include "runtime/flows/mean_exchange.h"
#include "runtime/flows/sample_blocks.h"
#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

// In memory with all that their derivative needs: edges of plain networks, states of atoms of fused ones.
constexpr std::int64_t kPlainBlock = 4;  // samples at most: with as many always, their numbers do not depend on the batch
constexpr std::int64_t kEdgesAtOnce = 1 << 16;
constexpr std::int64_t kAtomsAtOnce = 1 << 15;
constexpr std::int64_t kSamplesAtOnce = 32;  // of fused networks: a batch becomes portions for several threads

void check_spec(const AugmentedSpec& spec) {
  if (spec.layers < 1) throw InputError(fmt::format("augmented flow: layers must be at least 1, not {}", spec.layers));
  if (!(spec.range > 0.0) || !std::isfinite(spec.range))
    throw InputError(fmt::format("augmented flow: the range of the splines must be positive, not {}", spec.range));
}

GraphNetwork network_of(const AugmentedSpec& spec) {
  GraphNetwork network = spec.network;
  network.displacement = network.edge = {-spec.range, 2.0 * spec.range};
  return network;
}

std::int64_t atoms_of_published_box(const std::string& lattice) {
  if (lattice == "fcc") return 108;
  if (lattice == "bcc") return 54;
  return 64;
}

}  // namespace

double published_range(const crystal::LatticeKind& kind, double density) {
  const std::int64_t wanted = atoms_of_published_box(kind.name);
  auto repeats = crystal::repeats_for(kind, wanted);
  if (!repeats) {
    const std::vector<std::int64_t> counts = crystal::allowed_atoms(kind, wanted);
    const auto nearer = [&](std::int64_t a, std::int64_t b) { return std::abs(a - wanted) < std::abs(b - wanted); };
    repeats = crystal::repeats_for(kind, *std::min_element(counts.begin(), counts.end(), nearer));
  }
  const crystal::Vector3 edges = crystal::box_of(kind, repeats.value(), density).lengths();
  return 0.5 * *std::max_element(edges.begin(), edges.end());
}

void check_for_training(const AugmentedSpec& spec, const crystal::Crystal& crystal, const Tensor& sites) {
  check_spec(spec);
  refuse_lookalikes(make_atom_graph(crystal, sites, spec.neighbourhood, spec.neighbours), spec.range);
}

std::unique_ptr<CouplingFlow> make_augmented_flow(const AugmentedSpec& spec, const physics::WhitenedTarget& target,
                                                  const crystal::Crystal& crystal, const Tensor& sites,
                                                  const crystal::Crystal* nearest) {
  check_spec(spec);
  auto ends = std::make_unique<AugmentedEnds>(target, spec.aux_width);
  const auto graph =
      std::make_shared<const AtomGraph>(make_atom_graph(crystal, sites, spec.neighbourhood, spec.neighbours, nearest));
  const auto network = std::make_shared<const GraphConditioner>(graph, network_of(spec));

  const std::int64_t n = target.particles();
  const bool in_kernels = spec.fused && spec.precision == at::kFloat;
  const auto fused = in_kernels ? std::make_shared<const FusedGraph>(network) : nullptr;
  const std::int64_t edges_at_once = kEdgesAtOnce / (n * graph->degree);
  const StatePart atoms{1, 0, n}, copies{1, n, n};
  const SplineRange range{-spec.range, spec.range, SplineEnds::identity};
  ParameterLayout layout;
  StepChain chain;
  const auto couple = [&](const StatePart& given, const StatePart& moved) {
    const std::string name = "coupling_" + std::to_string(chain.size() / 2);
    const std::int64_t offset = layout.append(name, network->layout());
    if (fused != nullptr) {
      chain.add(std::make_unique<FusedGraphCoupling>(fused, offset, given, moved, range));
    } else {
      auto plain = std::make_unique<SplineCoupling>(network, 0, given, moved, range);
      const std::int64_t block = std::clamp<std::int64_t>(edges_at_once, 1, kPlainBlock);
      chain.add(std::make_unique<SampleBlocks>(std::move(plain), offset, network->layout().size(), block));
    }
    chain.add(std::make_unique<MeanExchange>(moved, given));
  };
  for (std::int64_t l = 0; l < spec.layers; ++l) {
    couple(atoms, copies);
    couple(copies, atoms);
  }
  const std::int64_t at_once = fused != nullptr ? std::min(kAtomsAtOnce / n, kSamplesAtOnce) : edges_at_once;
  const std::int64_t chunk = std::max<std::int64_t>(1, at_once);
  return std::make_unique<CouplingFlow>(std::move(ends), std::move(chain), std::move(layout), spec.precision, chunk);
}

}  // namespace bgw::flows
