#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "runtime/flows/fused_graph_coupling.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"

using namespace bgw;
using namespace bgw::flows;

namespace {

Tensor normal(std::int64_t rows, std::int64_t width, std::uint8_t seed) {
  plan::Key key;
  key.bytes[0] = seed;
  return tensor::RandomStream(key, "fused").normal(0, 0, rows, width);
}

double largest(const Tensor& numbers) { return numbers.abs().max().item<double>(); }

struct Setting {
  std::string name;
  schema::Value system;
  Neighbourhood neighbourhood;
  std::int64_t degree;
  std::int64_t embedding, layers, frequencies, bins;
  double range;
};

/// Networks of sizes that fill registers and that do not, with every kind of edges.
const std::array<Setting, 5>& settings() {
  static const std::array<Setting, 5> all{{
      {"ice, as published", testing::water("diamond_cubic", 64), Neighbourhood::of_the_sites, 16, 32, 2, 8, 16, 6.2},
      {"eight waters", testing::water("diamond_cubic", 8), Neighbourhood::complete, 7, 6, 1, 3, 5, 0.5},
      {"hexagonal ice", testing::water("ice_ih", 64), Neighbourhood::of_the_sites, 17, 8, 3, 2, 4, 0.3},
      {"images of itself", testing::water("diamond_cubic", 8), Neighbourhood::of_the_sites, 46, 5, 1, 4, 8, 0.5},
      {"argon", testing::lennard_jones(32), Neighbourhood::at_the_moment, 12, 24, 2, 5, 7, 0.4},
  }};
  return all;
}

/// A coupling of the displacements of a crystal, fused and plain.
struct Case {
  static constexpr std::int64_t kOffset = 5;  // in the parameters of a longer flow
  static constexpr std::int64_t kSamples = 6;

  explicit Case(const Setting& setting) {
    const crystal::Crystal crystal = physics::make_crystal(setting.system);
    const Tensor sites = physics::sites_tensor(crystal);
    const auto atoms =
        std::make_shared<const AtomGraph>(make_atom_graph(crystal, sites, setting.neighbourhood, setting.degree));
    GraphNetwork network;
    network.embedding = setting.embedding;
    network.layers = setting.layers;
    network.frequencies = setting.frequencies;
    network.bins = setting.bins;
    network.displacement = {-setting.range, 2.0 * setting.range};
    network.edge = {-0.8, 2.3};  // no waves that are even or odd as they stand
    conditioner = std::make_shared<const GraphConditioner>(atoms, network);
    graph = std::make_shared<const FusedGraph>(conditioner);
    const std::int64_t n = sites.size(0);
    given = {1, n + 1, n};  // the state has two rows that belong to no part
    moved = {1, 1, n};
    range = {-setting.range, setting.range, SplineEnds::identity};
    x = 0.3 * setting.range * normal(kSamples, 3 * (2 * n + 2), 1).view({kSamples, 2 * n + 2, 3});
    y_bar = normal(kSamples, 3 * (2 * n + 2), 2).view_as(x);
    const Tensor start = conditioner->layout().start(plan::Key{}, at::kDouble);
    // Far from the start, but not so far that the network doubles rounding errors many times over.
    const double deviation = std::min(0.1, 1.0 / static_cast<double>(setting.embedding));
    const Tensor away = start + deviation * normal(1, start.size(0), 3)[0];
    parameters = at::cat({at::zeros({kOffset}, at::kDouble), away}).to(at::kFloat);
  }
  FusedGraphCoupling fused(const kernels::GraphKernels& kernels = kernels::graph_kernels()) const {
    return {graph, kOffset, given, moved, range, kernels};
  }
  SplineCoupling plain() const { return {conditioner, kOffset, given, moved, range}; }

  std::shared_ptr<const GraphConditioner> conditioner;
  std::shared_ptr<const FusedGraph> graph;
  StatePart given, moved;
  SplineRange range;
  Tensor x, y_bar, parameters;
};

/// All that a coupling gives.
struct Results {
  Tensor y, log_det, inverse, inverse_log_det, x_bar, gradient, score, score_gradient;
};

Results results_of(const Step& step, const Tensor& x, const Tensor& y_bar, const Tensor& parameters) {
  Results r;
  r.log_det = at::zeros({x.size(0)}, at::kDouble);
  r.inverse_log_det = at::zeros({x.size(0)}, at::kDouble);
  r.gradient = at::zeros_like(parameters);
  r.score_gradient = at::zeros_like(parameters);
  r.y = step.forward(x, parameters, r.log_det);
  r.inverse = step.inverse(x, parameters, r.inverse_log_det);
  r.x_bar = step.pull_back(x, parameters, y_bar, 0.7, &r.gradient);
  r.score = step.carry_score(x, parameters, y_bar, &r.score_gradient);
  return r;
}

std::array<std::pair<const char*, Tensor>, 8> named(const Results& r) {
  return {{{"y", r.y},
           {"ln det", r.log_det},
           {"x", r.inverse},
           {"ln det of the inverse", r.inverse_log_det},
           {"x_bar", r.x_bar},
           {"gradient", r.gradient},
           {"score", r.score},
           {"gradient of the score", r.score_gradient}}};
}

/// Largest difference of two results in units of the largest number in them.
double distance(const Tensor& a, const Tensor& b) {
  return largest(a.to(at::kDouble) - b.to(at::kDouble)) / largest(b);
}

bool same_bits(const Results& a, const Results& b) {
  const auto ours = named(a), theirs = named(b);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (!at::equal(ours[i].second, theirs[i].second)) return false;
  }
  return true;
}

constexpr double kFloatTolerance = 5e-6;  // of sums of some thousand products in float32

}  // namespace

TEST_CASE("the fused coupling is the plain one, in value, inverse and all derivatives", "[fused]") {
  for (const Setting& setting : settings()) {
    const Case c(setting);
    // The plain path in float64 is the truth for both.
    const Results truth = results_of(c.plain(), c.x, c.y_bar, c.parameters.to(at::kDouble));
    const Results fused = results_of(c.fused(), c.x, c.y_bar, c.parameters);
    const auto expected = named(truth), found = named(fused);
    CHECK(largest(truth.y - c.x) > 0.05);
    CHECK(largest(truth.log_det) > 0.5);
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO(setting.name << ": " << found[i].first);
      REQUIRE(found[i].second.sizes() == expected[i].second.sizes());
      CHECK(distance(found[i].second, expected[i].second) < kFloatTolerance);
    }
    for (const ParameterEntry& entry : c.conditioner->layout().entries()) {
      INFO(setting.name << ": " << entry.name);
      const auto part = [&](const Tensor& gradient) {
        return gradient.narrow(0, Case::kOffset + entry.offset, entry.numel());
      };
      REQUIRE(largest(part(truth.gradient)) > 0.0);
      CHECK(distance(part(fused.gradient), part(truth.gradient)) < kFloatTolerance);
      CHECK(distance(part(fused.score_gradient), part(truth.score_gradient)) < kFloatTolerance);
    }
  }
}

TEST_CASE("the inverse undoes the fused coupling", "[fused]") {
  for (const Setting& setting : settings()) {
    const Case c(setting);
    Tensor log_det = at::zeros({Case::kSamples}, at::kDouble);
    const Tensor y = c.fused().forward(c.x, c.parameters, log_det);
    INFO(setting.name);
    CHECK(largest(c.fused().inverse(y, c.parameters, log_det) - c.x) < 1e-11);
    CHECK(largest(log_det) < 1e-9);
    CHECK(at::equal(y.narrow(1, c.given.begin, c.given.length), c.x.narrow(1, c.given.begin, c.given.length)));
    CHECK(at::equal(y.slice(1, 0, 1), c.x.slice(1, 0, 1)));
  }
}

TEST_CASE("derivatives of the fused coupling are its finite differences", "[fused]") {
  const Case c(settings()[2]);
  const FusedGraphCoupling step = c.fused();
  const auto loss = [&](const Tensor& x, const Tensor& parameters) {
    Tensor log_det = at::zeros({Case::kSamples}, at::kDouble);
    const Tensor y = step.forward(x, parameters, log_det);
    return ((y * c.y_bar).sum() + 0.7 * log_det.sum()).item<double>();
  };
  const Results r = results_of(step, c.x, c.y_bar, c.parameters);
  const double h = 1e-3;  // float32 networks: rounding of 1e-7 over this, and curvature times its square
  // Along the gradient itself the slope is its length, and no rounding hides it.
  const Tensor dx = r.x_bar / r.x_bar.norm();
  const double slope = (loss(c.x + h * dx, c.parameters) - loss(c.x - h * dx, c.parameters)) / (2 * h);
  CHECK(r.x_bar.norm().item<double>() == Approx(slope).epsilon(2e-3));
  const Tensor dp = r.gradient / r.gradient.norm();
  const double steepness = (loss(c.x, c.parameters + h * dp) - loss(c.x, c.parameters - h * dp)) / (2 * h);
  CHECK(r.gradient.norm().item<double>() == Approx(steepness).epsilon(2e-3));
}

TEST_CASE("a sample's numbers depend neither on its batch nor on threads", "[fused]") {
  for (const Setting& setting : settings()) {
    INFO(setting.name);
    const Case c(setting);
    const FusedGraphCoupling step = c.fused();
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const Results whole = results_of(step, c.x, c.y_bar, c.parameters);
    const Results one = results_of(step, c.x.slice(0, 3, 4), c.y_bar.slice(0, 3, 4), c.parameters);
    at::set_num_threads(2);
    const Results by_two = results_of(step, c.x, c.y_bar, c.parameters);
    at::set_num_threads(threads);
    CHECK(same_bits(whole, by_two));
    CHECK(at::equal(one.y, whole.y.slice(0, 3, 4)));
    CHECK(at::equal(one.log_det, whole.log_det.slice(0, 3, 4)));
    CHECK(at::equal(one.x_bar, whole.x_bar.slice(0, 3, 4)));
    CHECK(at::equal(one.score, whole.score.slice(0, 3, 4)));
  }
}

TEST_CASE("registers of any width give the same numbers", "[fused]") {
  using kernels::Width;
  const bool both = kernels::is_available(Width::avx2) && kernels::is_available(Width::avx512);
  for (const Setting& setting : settings()) {
    INFO(setting.name);
    const Case c(setting);
    const auto with = [&](Width width) {
      return results_of(c.fused(kernels::graph_kernels(width)), c.x, c.y_bar, c.parameters);
    };
    const Results plain = with(Width::plain);
    if (both) CHECK(same_bits(with(Width::avx2), with(Width::avx512)));
    const Results best = results_of(c.fused(), c.x, c.y_bar, c.parameters);
    const auto ours = named(best), theirs = named(plain);
    for (std::size_t i = 0; i < ours.size(); ++i) CHECK(distance(ours[i].second, theirs[i].second) < kFloatTolerance);
  }
}

TEST_CASE("without a gradient of parameters the rest is the same", "[fused]") {
  const Case c(settings()[0]);
  const Results all = results_of(c.fused(), c.x, c.y_bar, c.parameters);
  CHECK(at::equal(c.fused().pull_back(c.x, c.parameters, c.y_bar, 0.7, nullptr), all.x_bar));
  CHECK(at::equal(c.fused().carry_score(c.x, c.parameters, c.y_bar, nullptr), all.score));
  // Gradients are added to what stands there.
  Tensor gradient = all.gradient.clone();
  c.fused().pull_back(c.x, c.parameters, c.y_bar, 0.7, &gradient);
  CHECK(distance(gradient, 2.0 * all.gradient) < 1e-6);
}

TEST_CASE("networks of float64 take the plain path", "[fused]") {
  const Case c(settings()[1]);
  const Tensor parameters = c.parameters.to(at::kDouble);
  CHECK(same_bits(results_of(c.fused(), c.x, c.y_bar, parameters), results_of(c.plain(), c.x, c.y_bar, parameters)));
}

TEST_CASE("numbers that are none come out as none", "[fused]") {
  const Case c(settings()[0]);
  Tensor log_det = at::zeros({Case::kSamples}, at::kDouble);
  Tensor x = c.x.clone();
  x[2][c.given.begin][1] = std::nan("");
  c.fused().forward(x, c.parameters, log_det);
  CHECK(at::isnan(log_det).sum().item<std::int64_t>() == 1);
  CHECK(std::isnan(log_det[2].item<double>()));
}

TEST_CASE("gelu of the kernels is the one by tanh", "[fused]") {
  for (const kernels::Width width : {kernels::Width::plain, kernels::Width::avx2, kernels::Width::avx512}) {
    if (!kernels::is_available(width)) continue;
    double value_error = 0.0, slope_error = 0.0;
    for (int block = -600; block < 600; ++block) {
      alignas(64) float x[kernels::kFloats], value[kernels::kFloats], slope[kernels::kFloats];
      for (int i = 0; i < kernels::kFloats; ++i) {
        x[i] = 0.02F * (static_cast<float>(block) + static_cast<float>(i) / static_cast<float>(kernels::kFloats));
      }
      kernels::graph_kernels(width).gelu(x, value, slope);
      for (int i = 0; i < kernels::kFloats; ++i) {
        const double t = x[i], root = 0.7978845608028654;
        const double tanh = std::tanh(root * (t + 0.044715 * t * t * t));
        const double expected = 0.5 * t * (1.0 + tanh);
        const double expected_slope =
            0.5 * (1.0 + tanh) + 0.5 * t * (1.0 - tanh * tanh) * root * (1.0 + 3.0 * 0.044715 * t * t);
        value_error = std::max(value_error, std::abs(value[i] - expected) / std::max(1.0, std::abs(t)));
        slope_error = std::max(slope_error, std::abs(slope[i] - expected_slope));
      }
    }
    CHECK(value_error < 2e-7);
    CHECK(slope_error < 4e-6);  // where 1 - gate is rounded, it is multiplied by up to 30
  }
}

TEST_CASE("edges and their ways back are pairs, each edge once", "[fused]") {
  for (const Setting& setting : settings()) {
    INFO(setting.name);
    const Case c(setting);
    const AtomGraph& atoms = c.conditioner->graph();
    const std::int64_t n = atoms.particles();
    const Edges edges = atoms.edges(c.x.narrow(1, c.given.begin, n).slice(0, 0, 1));
    const Tensor senders = edges.senders.reshape({n, atoms.degree}).contiguous();
    const Tensor offsets = edges.offsets.reshape({n, atoms.degree, 3}).contiguous();
    const EdgePairs pairs = pair_edges(n, atoms.degree, senders.data_ptr<std::int64_t>(), offsets.data_ptr<double>());
    using Edge = std::tuple<std::int64_t, std::int64_t, std::array<std::int64_t, 3>>;
    const auto edge = [](std::int64_t receiver, std::int64_t sender, const double* offset, double sign) {
      std::array<std::int64_t, 3> rounded{};
      for (std::size_t d = 0; d < 3; ++d) rounded[d] = std::llround(sign * offset[d] * 1e6);
      return Edge{receiver, sender, rounded};
    };
    std::multiset<Edge> wanted, found;
    for (std::int64_t e = 0; e < n * atoms.degree; ++e) {
      wanted.insert(edge(e / atoms.degree, senders.data_ptr<std::int64_t>()[e], offsets.data_ptr<double>() + 3 * e, 1));
    }
    for (std::size_t p = 0; p < pairs.first.size(); ++p) {
      found.insert(edge(pairs.first[p], pairs.second[p], pairs.offset.data() + 3 * p, 1.0));
      if (static_cast<std::int64_t>(p) < pairs.both) {
        found.insert(edge(pairs.second[p], pairs.first[p], pairs.offset.data() + 3 * p, -1.0));
      }
    }
    const bool each_once = found == wanted;
    CHECK(each_once);
    const auto alone = static_cast<std::int64_t>(pairs.first.size()) - pairs.both;
    CHECK((alone > 0) == (setting.neighbourhood == Neighbourhood::at_the_moment));
  }
}
