// Where the model or the crystal has no density: weights of zero, and works without end.
#include <cmath>

#include "runtime/estimators/bar.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/mbar.h"
#include "runtime/estimators/pareto.h"
#include "runtime/estimators/work_histogram.h"
#include "runtime/foundation/errors.h"
#include "runtime/sampling/basin.h"
#include "runtime/tensor/array.h"
#include "tests/support/ice_study.h"

namespace {

using namespace bgw;
using namespace bgw::estimators;
using namespace bgw::test;

plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

Tensor normal(std::int64_t n, std::uint8_t seed) {
  return tensor::RandomStream(key(seed), "x").normal(0, 0, n, 1).view({n});
}

/// Normal numbers of a model that is cut off at one, and of a crystal that is not and has the weight e^0.4.
struct CutOff {
  explicit CutOff(std::int64_t n) {
    const Tensor wide = normal(2 * n, 1);
    draws = at::full_like(wide.masked_select(wide.abs() < 1.0).slice(0, 0, n), weight_inside());
    const Tensor outside = normal(n, 2).abs() >= 1.0;
    data = at::full({n}, weight_inside(), at::kDouble).masked_fill_(outside, INFINITY);
    reached = 1.0 - static_cast<double>(outside.sum().item<std::int64_t>()) / static_cast<double>(n);
  }
  static double inside() { return std::erf(M_SQRT1_2); }
  static double weight_inside() { return 0.4 + std::log(inside()); }
  Tensor draws, data;  // log weights
  double reached;      // share of the data
};

}  // namespace

TEST_CASE("a weight of zero counts as a sample and adds nothing", "[limits]") {
  const Tensor kept = 0.5 * normal(300, 3);
  const Tensor all = at::cat({kept, at::full({100}, -INFINITY, at::kDouble)});
  const tensor::RandomStream stream(key(4), "bootstrap");
  const double share = -std::log(0.75);
  CHECK(lfep(all, stream).value == Approx(lfep(kept, stream).value + share));
  CHECK(second_cumulant(all, stream).value == Approx(second_cumulant(kept, stream).value + share));
  CHECK(ess_fraction(all) == Approx(0.75 * ess_fraction(kept)));
  CHECK(summarise(all).variance == Approx(summarise(kept).variance));
  CHECK(normalised_weights(all).slice(0, 300, 400).max().item<double>() == 0.0);
  // Of 400 samples the share of a quarter alone has the error sqrt(0.25 / (400 * 0.75)).
  const double own = lfep(kept, stream).sigma, both = lfep(all, stream).sigma;
  CHECK(both == Approx(std::hypot(own, std::sqrt(0.25 / 300.0))).epsilon(0.2));
  CHECK(std::isfinite(pareto_k(all)));
  const WorkHistograms h = work_histograms(-all, -kept);
  const double width = (h.work[1] - h.work[0]).item<double>();
  CHECK(h.forward.sum().item<double>() * width == Approx(0.75));
  CHECK(h.reverse.sum().item<double>() * width == Approx(1.0));
  CHECK_THROWS_WITH(lfep(at::full({5}, -INFINITY, at::kDouble), stream), Catch::Contains("none of the 5 samples"));
  CHECK_THROWS_WITH(lfep(-all, stream), Catch::Contains("log weight number 300 is not finite"));
}

TEST_CASE("two-sided estimates count data where the model has no density, and one-sided ones cannot", "[limits]") {
  const CutOff side(4000);
  BarOptions options;
  options.bootstrap = 400;
  const BarResult found = bar(-side.draws, single_samples(4000), side.data, single_samples(4000), key(5), options);
  const double exact = -0.4, share = side.reached / CutOff::inside();
  CHECK(found.delta_f.value == Approx(exact + std::log(share)).epsilon(1e-12));
  CHECK(found.delta_f.sigma == Approx(std::sqrt((1.0 - side.reached) / (4000.0 * side.reached))).epsilon(0.15));
  CHECK(std::abs(found.delta_f.value - exact) < 4.0 * found.delta_f.sigma);
  CHECK(lfep(side.draws, tensor::RandomStream(key(6), "b")).value == Approx(exact - std::log(CutOff::inside())));

  const Tensor above = -at::cat({side.draws, side.data}), beyond = above.isneginf();
  const Tensor energies = at::stack({at::zeros_like(above).masked_fill_(beyond, INFINITY), above.masked_fill(beyond, 0.0)});
  const MbarResult states = mbar(energies, at::tensor({4000, 4000}, at::kLong), at::arange(8000, at::kLong), key(7));
  CHECK(states.difference(0, 1).value == Approx(found.delta_f.value).epsilon(1e-9));
  CHECK(states.difference(0, 1).sigma == Approx(found.delta_f.sigma).epsilon(0.3));

  const Tensor none = at::full({10}, INFINITY, at::kDouble);
  CHECK_THROWS_AS(bar(-side.draws, single_samples(4000), none, single_samples(10), key(5)), NumericalError);
}

TEST_CASE("a resampled set in which no weight is left is drawn again, and too few weights have no error", "[limits]") {
  const auto with_finite = [](std::int64_t finite) {
    Tensor log_weight = at::full({400}, -INFINITY, at::kDouble);
    log_weight.slice(0, 0, finite).fill_(0.7);
    return log_weight;
  };
  const Tensor few = with_finite(4), data = at::full({400}, 0.7, at::kDouble);
  // Of 400 replicates some seven hold none of the four. In the others their number is Poisson's of mean four without zero, the
  // logarithm of which has the standard deviation 0.543.
  const double sigma = lfep(few, tensor::RandomStream(key(8), "bootstrap"), 400).sigma;
  CHECK(sigma == Approx(0.543).epsilon(0.12));
  CHECK(std::isfinite(effective_fraction(few, tensor::RandomStream(key(8), "bootstrap"), 400).sigma));
  const BarResult found = bar(-few, single_samples(400), data, single_samples(400), key(8), {400, 1e-3});
  CHECK(found.delta_f.sigma == Approx(0.543).epsilon(0.12));
  const Tensor crystal = at::cat({-few, -data});
  MbarOptions options;
  options.bootstrap = 400;
  options.least_overlap = 1e-3;
  const MbarResult states = mbar(at::stack({at::zeros_like(crystal), crystal}), at::tensor({400, 400}, at::kLong), at::arange(800, at::kLong), key(8), options);
  CHECK(states.difference(0, 1).value == Approx(found.delta_f.value).epsilon(1e-9));
  CHECK(states.difference(0, 1).sigma == Approx(0.543).epsilon(0.12));

  const char* words = "only 2 of 400 independent samples lie where both the model and the crystal have a density";
  CHECK_THROWS_WITH(lfep(with_finite(2), tensor::RandomStream(key(8), "bootstrap")), Catch::Contains(words));
  CHECK_THROWS_WITH(bar(-with_finite(2), single_samples(400), data, single_samples(400), key(8)), Catch::Contains(words));
}

TEST_CASE("draws outside of the basin of the crystal weigh nothing and are counted", "[limits]") {
  Study study(8, "einstein_crystal", global_flow(), 1, 0.36);
  const artifacts::Artifact& wide = study.result(study.drawing(400));
  const Tensor weights = tensor::to_tensor(wide.array("log_weight"));
  const Tensor displacements = tensor::to_tensor(wide.array("displacements"));
  const sampling::Basin basin(2.0 * 1.342339374);  // angstrom, the bond of ice at this density
  const Tensor outside = basin.holds(basin.excursion(displacements)).logical_not();
  const auto count = outside.sum().item<std::int64_t>();
  CHECK(count > 20);
  CHECK(count < 380);
  CHECK(at::equal(weights.isneginf(), outside));
  CHECK(number(wide, "left_basin") == static_cast<double>(count));
  const plan::TaskSpec quality = study.estimating("ess", study.run(study.drawing(400)));
  CHECK(number(study.result(quality), "left_basin") == static_cast<double>(count));

  Study molten(8, "einstein_crystal", global_flow(), 1, 0.7);
  const plan::TaskSpec drawing = molten.drawing(10);
  MemoryContext context(molten.store, drawing);
  CHECK_THROWS_WITH(tasks::sample(context), Catch::Contains("all of 10 draws are outside of its basin"));
}

TEST_CASE("configurations where a model that is cut off has no density count on their side alone", "[limits]") {
  Study study(8, "einstein_crystal", global_flow(), 1);
  const plan::Key draws = study.run(study.drawing(40));
  const plan::TaskSpec chains = study.chains();
  study.run(chains);
  const plan::TaskSpec before = study.estimating("bar", draws, {{"bootstrap", 60}}, &chains.key);
  const artifacts::Artifact near = study.result(before);
  CHECK(number(near, "unreached") == 0.0);
  artifacts::Artifact far = study.result(chains);
  double* fifth = &far.arrays["displacements"].doubles[3 * 8 * 5];
  fifth[1] -= 0.6;  // of atom 0, from which the base counts, and of another one: together more than half the distance of two
  fifth[4] += 0.9;  // sites, each less, as in the basin of the crystal
  study.store.objects[chains.key].artifact = std::make_shared<const artifacts::Artifact>(far);
  const artifacts::Artifact bar = study.result(study.estimating("bar", draws, {}, &chains.key));
  const artifacts::Artifact mbar = study.result(study.estimating("mbar", draws, {}, &chains.key));
  CHECK(number(bar, "unreached") == 1.0);
  CHECK(number(bar, "data_left_basin") == 0.0);
  CHECK(std::isinf(bar.array("work_reverse").doubles[5]));
  CHECK(number(mbar, "per_particle") == Approx(number(bar, "per_particle")).epsilon(1e-9));
  // One of 192 fewer is in the overlap, which moves ln Z by about that much.
  CHECK(std::abs(number(bar, "per_particle") - number(near, "per_particle")) < 0.02);
  CHECK(integral(bar, "work_reverse") == Approx(191.0 / 192.0));
}

TEST_CASE("configurations of the data outside of the basin belong to neither side and are counted", "[limits]") {
  Study study(8, "einstein_crystal", global_flow(), 1);
  const plan::Key draws = study.run(study.drawing(40));
  const plan::TaskSpec chains = study.chains();
  const artifacts::Artifact crystal = study.result(chains);
  const std::size_t numbers = 3 * 8;  // of a configuration
  const auto among = [&](const artifacts::Artifact& data, const char* method) {
    study.store.objects[chains.key].artifact = std::make_shared<const artifacts::Artifact>(data);
    return study.result(study.estimating(method, draws, {}, &chains.key));
  };
  artifacts::Artifact far = crystal;
  far.arrays["displacements"].doubles[numbers * 5 + 4] += 2.0;  // of configuration 5, more than half the distance of two sites
  artifacts::Artifact without = crystal;
  for (const auto& [name, width] : std::map<std::string, std::size_t>{{"displacements", numbers}, {"chain", 1}}) {
    artifacts::Array& array = without.arrays.at(name);
    array.shape[0] -= 1;
    const auto cut = [&](auto& of) {
      const auto begin = of.begin() + static_cast<std::ptrdiff_t>(5 * width);
      of.erase(begin, begin + static_cast<std::ptrdiff_t>(width));
    };
    array.doubles.empty() ? cut(array.integers) : cut(array.doubles);
  }
  for (const char* method : {"bar", "mbar"}) {
    const artifacts::Artifact some = among(far, method), none = among(without, method);
    CHECK(number(some, "data_left_basin") == 1.0);
    CHECK(number(none, "data_left_basin") == 0.0);
    CHECK(number(some, "unreached") == 0.0);
    for (const char* result : {"per_particle", "reverse", "overlap"}) CHECK(number(some, result) == number(none, result));
  }
  for (std::size_t k = 0; k < crystal.array("displacements").doubles.size(); k += numbers) {
    if (k % (2 * numbers) == 0) far.arrays["displacements"].doubles[k] += 2.0;
  }
  CHECK_THROWS_WITH(among(far, "bar"), Catch::Contains("of `data` are outside of the basin of the crystal"));
}
