#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <string>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/flows/force_labels.h"
#include "runtime/flows/mode_split_generator.h"
#include "runtime/flows/training_loss.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/crystal_symmetry.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/flow_numbers.h"
#include "tests/support/memory_context.h"

using namespace bgw;
using namespace bgw::flows;
using tests::key;
using tests::largest;
using tests::normal;
using schema::List;
using schema::Map;
using schema::Value;

namespace {

crystal::Crystal lattice(const std::string& kind, std::int64_t atoms) {
  return physics::make_crystal(Map{{"lattice", testing::lattice_value(kind, atoms, testing::kWaterDensity)}});
}

Tensor field(std::int64_t rows, std::int64_t particles, std::uint8_t seed = 1) {
  return 0.2 * normal(rows, 3 * particles, seed).view({rows, particles, 3});
}

/// Weights apart from zero, so that no term hides.
Tensor strong_weights(const LocalForce& force) { return 0.3 * normal(1, force.layout().size(), 7)[0]; }

Tensor force_on(const LocalForce& force, const Tensor& u, const Tensor& weights) {
  return LocalForce::Pass(force, force.networks(weights), u.contiguous()).force();
}

/// A field carried along by an operation.
Tensor carried(const physics::PointOperation& operation, const Tensor& u) {
  Tensor result = at::empty_like(u);
  for (std::size_t i = 0; i < operation.image.size(); ++i)
    result.select(1, operation.image[i]).copy_(at::matmul(u.select(1, static_cast<std::int64_t>(i)), operation.rotation.t()));
  return result;
}

constexpr LocalForceSpec kSmall{4, 6, 0.2, at::kDouble};

/// Water at 200 K as cubic ice, on its harmonic base, with a small network.
struct Ice {
  explicit Ice(std::int64_t particles, LocalForceSpec spec = kSmall)
      : system(testing::water("diamond_cubic", particles)),
        crystal(physics::make_crystal(system)),
        model(physics::make_energy_model(system)),
        base(physics::phonon_base(*model, crystal, testing::kWaterBeta, false)),
        target(*model, base.modes, base.beta, base.static_energy),
        force(crystal, spec) {}
  Value system;
  crystal::Crystal crystal;
  std::unique_ptr<physics::EnergyModel> model;
  physics::GaussianBase base;
  physics::WhitenedTarget target;
  LocalForce force;
};

/// Gains and weights away from their start; the force moves modes by amounts near those of the crystal's.
Tensor strong_parameters(const LocalForce& force) {
  return at::cat({at::tensor({0.75, 1.3, 0.4, 0.5, 0.05}, at::kDouble), 0.3 * strong_weights(force)});
}

constexpr std::int64_t kGains = 5;

Tensor step_of(const Tensor& parameters, std::int64_t i, double h) {
  Tensor step = at::zeros_like(parameters);
  step[i] = h;
  return step;
}

}  // namespace

TEST_CASE("sites that symmetry makes equal share a network, in every box", "[learned_force]") {
  for (const auto& [kind, atoms, neighbours] :
       {std::tuple{"diamond_cubic", 8, 16}, {"diamond_cubic", 64, 16}, {"ice_ih", 64, 4}, {"fcc", 32, 12}, {"hcp", 32, 12}, {"bcc", 54, 14}}) {
    INFO(kind << " " << atoms);
    const LocalForce force(lattice(kind, atoms), {neighbours, 8, 0.2, at::kDouble});
    CHECK(force.networks() == 1);
    CHECK(force.layout().size() == 8 * 3 * neighbours + 8 + 8 * 8 + 8 + 3 * 8 + 3 * 3 * neighbours);
  }
}

TEST_CASE("a crystal whose sites differ has a network for each kind", "[learned_force]") {
  // One atom between two others, which the inversion at it carries onto each other.
  crystal::Crystal crystal;
  crystal.cell.vectors = {{{6.0, 0.0, 0.0}, {0.0, 6.5, 0.0}, {0.0, 0.0, 7.0}}};
  crystal.sites = {{0.0, 0.0, 0.0}, {2.5, 0.3, 0.4}, {-2.5, -0.3, -0.4}};
  crystal.basis_index = {0, 1, 2};
  const LocalForce force(crystal, {2, 4, 0.2, at::kDouble});
  CHECK(force.networks() == 2);
}

TEST_CASE("neighbours that close no shell are refused", "[learned_force]") {
  CHECK_THROWS_WITH(LocalForce(lattice("diamond_cubic", 64), {13, 8, 0.2, at::kDouble}), Catch::Contains("counts that do: 4, 16"));
  CHECK_THROWS_AS(LocalForce(lattice("fcc", 32), {12, 0, 0.2, at::kDouble}), InputError);
  CHECK_THROWS_AS(LocalForce(lattice("fcc", 32), {12, 8, 0.0, at::kDouble}), InputError);
}

TEST_CASE("a learned force begins at zero, and the flow with it at a widened base", "[learned_force]") {
  const Ice ice(8);
  CHECK(largest(force_on(ice.force, field(2, 8), ice.force.layout().start(key(3), at::kDouble))) == 0.0);
  const ModeSplitFlow flow(ice.target, {4, 2, 3}, nullptr, &ice.force);
  const Tensor z = normal(3, flow.dimension());
  CHECK(largest(flow.forward(z, flow.start(key(3))) - std::exp(0.0125) * z) < 1e-12);
  CHECK_FALSE(at::equal(flow.start(key(3)), flow.start(key(4))));
}

TEST_CASE("a learned force knows neither where the crystal stands nor which of its cells is the first", "[learned_force]") {
  for (const char* kind : {"diamond_cubic", "hcp"}) {
    INFO(kind);
    const crystal::Crystal crystal = lattice(kind, kind[0] == 'd' ? 64 : 32);
    const auto n = static_cast<std::int64_t>(crystal.sites.size());
    const LocalForce force(crystal, {kind[0] == 'd' ? 4 : 12, 6, 0.2, at::kDouble});
    const Tensor weights = strong_weights(force), u = field(2, n), f = force_on(force, u, weights);
    CHECK(largest(f) > 0.1);
    CHECK(largest(force_on(force, u + at::tensor({0.3, -0.2, 0.7}, at::kDouble), weights) - f) < 1e-12);

    const physics::CrystalSymmetry symmetry = physics::symmetry_of(crystal);
    const physics::TranslationGroup& group = symmetry.translations;
    for (std::int64_t g = 1; g < group.cells(); ++g) {
      Tensor shifted = at::empty_like(u), shifted_f = at::empty_like(f);
      for (std::int64_t c = 0; c < group.cells(); ++c) {
        for (std::int64_t b = 0; b < group.basis; ++b) {
          // difference(to, from) == g tells where an atom goes.
          for (std::int64_t to = 0; to < group.cells(); ++to) {
            if (group.difference(to, c) != g) continue;
            const std::int64_t a = group.atoms[static_cast<std::size_t>(c * group.basis + b)];
            const std::int64_t there = group.atoms[static_cast<std::size_t>(to * group.basis + b)];
            shifted.select(1, there).copy_(u.select(1, a));
            shifted_f.select(1, there).copy_(f.select(1, a));
          }
        }
      }
      CHECK(largest(force_on(force, shifted, weights) - shifted_f) < 1e-12);
    }
  }
}

TEST_CASE("the inversion of diamond carries the learned force along", "[learned_force]") {
  const crystal::Crystal crystal = lattice("diamond_cubic", 64);
  const LocalForce force(crystal, {16, 6, 0.2, at::kDouble});
  const Tensor weights = strong_weights(force), u = field(2, 64);
  int found = 0;
  for (const physics::PointOperation& operation : physics::symmetry_of(crystal).rotations) {
    if (largest(operation.rotation + at::eye(3, at::kDouble)) > 1e-9) continue;
    ++found;
    CHECK(largest(force_on(force, carried(operation, u), weights) - carried(operation, force_on(force, u, weights))) < 1e-12);
  }
  CHECK(found == 1);
}

TEST_CASE("a field that repeats has one learned force in all boxes that hold it", "[learned_force]") {
  for (const char* kind : {"diamond_cubic", "ice_ih"}) {
    INFO(kind);
    const LocalForceSpec spec{16, 8, 0.2, at::kDouble};
    const LocalForce small(lattice(kind, 8), spec);
    const Tensor weights = strong_weights(small), u = field(1, 8), f = force_on(small, u, weights);
    for (const std::int64_t atoms : {64, 216}) {
      const LocalForce large(lattice(kind, atoms), spec);
      CHECK(large.layout().size() == small.layout().size());
      CHECK(largest(force_on(large, u.repeat({1, atoms / 8, 1}), weights) - f.repeat({1, atoms / 8, 1})) < 1e-12);
    }
  }
}

TEST_CASE("a learned force's derivatives are those of finite differences", "[learned_force]") {
  for (const char* kind : {"diamond_cubic", "hcp"}) {
    const crystal::Crystal crystal = lattice(kind, kind[0] == 'd' ? 8 : 32);
    const auto n = static_cast<std::int64_t>(crystal.sites.size());
    const LocalForce force(crystal, {kind[0] == 'd' ? 4 : 12, 6, 0.2, at::kDouble});
    const Tensor weights = strong_weights(force), u = field(2, n), v = field(2, n, 2), w = field(2, n, 3);
    const auto networks = force.networks(weights);
    const LocalForce::Pass pass(force, networks, u);
    const double h = 1e-5;
    const Tensor slope = (force_on(force, u + h * v, weights) - force_on(force, u - h * v, weights)) / (2 * h);
    CHECK((slope * w).sum().item<double>() == Approx((pass.turned_back(w) * v).sum().item<double>()).epsilon(1e-7));

    Tensor gradient = at::zeros_like(weights);
    pass.add_gradient(w, gradient);
    const Tensor direction = normal(1, weights.size(0), 9)[0];
    const Tensor change = (force_on(force, u, weights + h * direction) - force_on(force, u, weights - h * direction)) / (2 * h);
    CHECK((change * w).sum().item<double>() == Approx((gradient * direction).sum().item<double>()).epsilon(1e-7));
    for (const ParameterEntry& entry : force.layout().entries()) {  // no piece is left out
      INFO(entry.name);
      CHECK(largest(gradient.narrow(0, entry.offset, entry.numel())) > 0);
    }
  }
}

TEST_CASE("a float32 network is near the float64 one", "[learned_force]") {
  const crystal::Crystal crystal = lattice("diamond_cubic", 64);
  const LocalForce exact(crystal, {16, 16, 0.2, at::kDouble}), fast(crystal, {16, 16, 0.2, at::kFloat});
  const Tensor weights = strong_weights(exact), u = field(2, 64);
  const Tensor f = force_on(exact, u, weights), g = force_on(fast, u, weights);
  CHECK(g.scalar_type() == at::kDouble);
  CHECK(largest(f - g) < 1e-4 * largest(f));
  CHECK(largest(f - g) > 0);
}

TEST_CASE("a flow of a learned force inverts, and its log determinant is m s0", "[learned_force]") {
  for (const at::ScalarType precision : {at::kDouble, at::kFloat}) {
    const Ice ice(8, {4, 6, 0.2, precision});
    const ModeSplitFlow flow(ice.target, {4, 2, 3, GainForm::constant, precision}, nullptr, &ice.force);
    const Tensor p = strong_parameters(ice.force);
    const Tensor z = normal(3, 21);
    const Tensor y = flow.forward(z, p);
    CHECK(largest(y - std::exp(0.05) * z) > 0.1);  // it does move
    CHECK(largest(flow.inverse(y, p) - z) < 1e-12);
    if (precision == at::kFloat) {  // differences of its numbers are too coarse; its states come back bit by bit
      CHECK(at::equal(flow.forward(flow.inverse(y, p), p), y));
      continue;
    }
    const double h = 1e-5;
    const Tensor steps = h * at::eye(21, at::kDouble);
    const Tensor jacobian = (flow.forward(z[0] + steps, p) - flow.forward(z[0] - steps, p)) / (2 * h);
    CHECK(std::get<1>(at::linalg_slogdet(jacobian)).item<double>() == Approx(21 * 0.05).margin(1e-7));
  }
}

TEST_CASE("gradients of all losses by the gains are those of finite differences, though the force has no energy", "[learned_force]") {
  const Ice ice(8);
  const ModeSplitFlow flow(ice.target, {3, 2, 3}, nullptr, &ice.force);
  const Tensor p = strong_parameters(ice.force);
  const Tensor z = 0.5 * normal(9, 21);
  const Tensor total = flow.reverse_kl(KlGradient::total, z, p).gradient;
  const Tensor u = ice.target.displacements(z);
  const Tensor data = flow.forward_kl(u, p).gradient;
  CHECK(total.sizes() == at::IntArrayRef{1, flow.layout().size()});
  for (std::int64_t i = 0; i < kGains; ++i) {
    const auto slope = [&](const auto& weight) {
      return ((weight(p + step_of(p, i, 1e-5)) - weight(p - step_of(p, i, 1e-5))) / 2e-5).sum().template item<double>();
    };
    CHECK(total[0][i].item<double>() == Approx(-slope([&](const Tensor& q) { return flow.generate(z, q).log_weight; })).epsilon(1e-5));
    CHECK(data[0][i].item<double>() == Approx(slope([&](const Tensor& q) { return flow.log_weight_of(u, q); })).epsilon(1e-5));
  }
  // The weights of the network move in force matching alone.
  const ParameterRange weights = flow.learned_force();
  CHECK(weights == ParameterRange{kGains, ice.force.layout().size()});
  for (const Tensor& gradient : {total, data}) CHECK(largest(gradient.narrow(1, weights.first, weights.count)) == 0.0);

  const LatentValue value = flow.latent_work(z, p);
  CHECK(largest(value.work + flow.generate(z, p).log_weight) < 1e-10);
  const Tensor direction = normal(9, 21, 2);
  const auto work = [&](double h) { return -flow.generate(z + h * direction, p).log_weight; };
  CHECK(largest((work(1e-5) - work(-1e-5)) / 2e-5 - (value.gradient * direction).sum(1)) < 1e-3 * largest(value.gradient));
}

TEST_CASE("the path gradient of a learned force is the force on the sample times its velocity", "[learned_force]") {
  const Ice ice(8);
  const ModeSplitFlow flow(ice.target, {2, 1, 3}, nullptr, &ice.force);
  const Tensor p = strong_parameters(ice.force);
  const Tensor z = 0.5 * normal(1, 21), y = flow.forward(z, p);
  const auto log_ratio = [&](const Tensor& at_y) {
    return ice.target.beta() * ice.model->energy(ice.target.displacements(at_y)) - 0.5 * flow.inverse(at_y, p).square().sum(1);
  };
  const double h = 1e-5;
  const Tensor steps = h * at::eye(21, at::kDouble);
  const Tensor force = (log_ratio(y + steps) - log_ratio(y - steps)) / (2 * h);
  const Tensor gradient = flow.reverse_kl(KlGradient::path, z, p).gradient[0];
  for (std::int64_t i = 0; i < kGains; ++i) {
    const Tensor velocity = (flow.forward(z, p + step_of(p, i, h)) - flow.forward(z, p - step_of(p, i, h)))[0] / (2 * h);
    CHECK(gradient[i].item<double>() == Approx((force * velocity).sum().item<double>()).epsilon(1e-5).margin(1e-5));
  }
}

TEST_CASE("with a learned force the crystal's energy is called once a draw, and batches change no number", "[learned_force]") {
  const Ice ice(64);
  const ModeSplitFlow flow(ice.target, {4, 2, 3}, nullptr, &ice.force);
  const Tensor p = strong_parameters(ice.force), z = normal(19, flow.dimension());
  const auto before = ice.model->calls();
  const Draws draws = flow.generate(z, p);
  CHECK(ice.model->calls().energy - before.energy == 19);
  CHECK(ice.model->calls().gradient == before.gradient);
  CHECK(flow.calls_per_sample() == 0);
  for (const auto& [first, count] : {std::pair{0, 1}, {5, 13}, {18, 1}})
    CHECK(at::equal(flow.generate(z.narrow(0, first, count), p).log_weight, draws.log_weight.narrow(0, first, count)));
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  CHECK(at::equal(flow.generate(z, p).log_weight, draws.log_weight));
  at::set_num_threads(threads);
  CHECK(largest(flow.log_weight_of(draws.displacements + 0.3, p) - draws.log_weight) < 1e-7);
}

TEST_CASE("labels are the true force on the fields that come with them, also where these are turned", "[learned_force]") {
  const Ice ice(64);
  const auto operations = physics::symmetry_of(ice.crystal).rotations;
  REQUIRE(operations.size() == 48);
  for (const std::optional<std::int64_t> count : {std::optional<std::int64_t>(), std::optional<std::int64_t>(3)}) {
    const ForceLabels labels(ice.target, operations, {0.75, 1.1, count}, key(5));
    const std::int64_t before = ice.model->calls().gradient;
    const LabelledFields both = labels.of({0, 0, 7, 4, 30});
    CHECK(ice.model->calls().gradient - before == count.value_or(30));
    const Tensor g = ice.model->energy_and_gradient(ice.target.displacements(both.modes)).gradient;
    CHECK(largest(ice.target.modes().pull_back(g) * ice.target.beta() - both.modes - both.force) < 1e-9);
    const double mean_square = both.modes.square().mean().item<double>();
    CHECK(mean_square > 0.7);
    CHECK(mean_square < 1.1);
    // The turned ones are other fields than those that they come from.
    CHECK(largest(both.modes[0] - both.modes[1]) > 0.1);
    const LabelledFields again = labels.of({0, 3, 7, 10, 4});
    CHECK(at::equal(again.modes, both.modes.narrow(0, 6, 4)));
    CHECK(at::equal(again.force, both.force.narrow(0, 6, 4)));
  }
}

TEST_CASE("labels that were restored are not computed again", "[learned_force]") {
  const Ice ice(8);
  const auto operations = physics::symmetry_of(ice.crystal).rotations;
  const ForceLabelOptions options{0.75, 1.1, 20};
  const ForceLabels first(ice.target, operations, options, key(5));
  const LabelledFields then = first.of({0, 0, 0, 0, 12});
  ForceLabels second(ice.target, operations, options, key(5));
  second.restore(first.known());
  const std::int64_t before = ice.model->calls().gradient;
  CHECK(at::equal(second.of({0, 0, 0, 0, 12}).force, then.force));
  CHECK(ice.model->calls().gradient == before);
  ForceLabels other(ice.target, operations, {0.75, 1.1, 21}, key(5));
  CHECK_THROWS_AS(other.restore(first.known()), ShapeError);
}

TEST_CASE("the loss of force matching is half the squared error, and its gradient its finite difference", "[learned_force]") {
  const Ice ice(8);
  const ModeSplitFlow flow(ice.target, {2, 1, 3}, nullptr, &ice.force);
  const Tensor p = strong_parameters(ice.force);
  const LabelledFields labels = ForceLabels(ice.target, physics::symmetry_of(ice.crystal).rotations, {}, key(5)).of({0, 0, 0, 0, 11});
  const SampleLoss loss = flow.force_matching(labels, p);
  const Tensor untaught = flow.force_matching(labels, flow.start()).log_weight;
  CHECK(largest(untaught + 0.5 * labels.force.square().sum(1)) < 1e-9);
  const ParameterRange weights = flow.learned_force();
  CHECK(largest(loss.gradient.narrow(1, 0, kGains)) == 0.0);
  const Tensor direction = at::cat({at::zeros({kGains}, at::kDouble), normal(1, weights.count, 9)[0]});
  const auto mean = [&](double h) { return -flow.force_matching(labels, p + h * direction).log_weight.sum().item<double>(); };
  CHECK((mean(1e-5) - mean(-1e-5)) / 2e-5 == Approx((loss.gradient.sum(0) * direction).sum().item<double>()).epsilon(1e-6));
  const ModeSplitFlow plain(ice.target, {2, 1, 3});
  CHECK_THROWS_AS(plain.force_matching(labels, plain.start()), std::logic_error);
}

TEST_CASE("stages of force matching move the network and others the gains, whatever Adam remembers", "[learned_force]") {
  const Ice ice(8);
  auto flow = std::make_shared<ModeSplitGenerator>(ice.target, ModeSplitSpec{3, 2, 3}, nullptr, std::make_unique<LocalForce>(ice.crystal, kSmall));
  const ForceLabels labels(ice.target, physics::symmetry_of(ice.crystal).rotations, {0.75, 1.1, 8}, key(5));
  const ParameterRange weights = flow->learned_force();
  std::vector<Stage> stages{{"force", 3, 8, {LearningRate::Kind::constant, 0.01}}, {"gains", 3, 4, {LearningRate::Kind::constant, 0.01}}};
  stages[0].moves = weights;
  stages[0].weighs = false;
  stages[1].moves = ParameterRange{0, weights.first};
  Objective matching, path;
  matching.generator = path.generator = flow;
  matching.labels = [&](const Portion& p) { return labels.of(p); };
  const LossFunction loss = training_loss(
      [&](std::int64_t stage, std::int64_t) -> const Objective& { return stage == 0 ? matching : path; }, key(7));
  TrainingState state = start_training(flow->start(key(1)));
  std::vector<std::map<std::string, Tensor>> passed;
  train(loss, stages, 100, flow->latent_dimension(), state, [&](const TrainingState& s) { passed.push_back(to_named_tensors(s)); });
  REQUIRE(passed.size() == 6);
  const Tensor start = flow->start(key(1)), middle = passed[2].at("parameters");
  const auto gains = [&](const Tensor& p) { return p.narrow(0, 0, weights.first); };
  const auto network = [&](const Tensor& p) { return p.narrow(0, weights.first, weights.count); };
  CHECK(at::equal(gains(middle), gains(start)));
  CHECK_FALSE(at::equal(network(middle), network(start)));
  CHECK(at::equal(network(state.parameters), network(middle)));
  // Fresh moments: the first step of Adam is as long as the rate.
  CHECK(largest((gains(passed[3].at("parameters")) - gains(middle)).abs() - 0.01) < 1e-6);
  for (std::size_t i = 0; i < 6; ++i) CHECK((state.history.ess[i] > 0) == (i >= 3));
  for (const auto& checkpoint : passed) {
    TrainingState resumed = training_state_from(checkpoint);
    train(loss, stages, 100, flow->latent_dimension(), resumed, {});
    for (const auto& [name, value] : to_named_tensors(state)) {
      INFO(name);
      CHECK(at::equal(to_named_tensors(resumed).at(name), value));
    }
  }
}

namespace {

constexpr double kElectronvolt = 0.043364104241800934;  // of a kcal/mol

/// Cubic ice at 200 K, as the compiler hands it to tasks.
Value ice_of(std::int64_t particles) {
  Map system = testing::water("diamond_cubic", particles).as_map();
  system["potential"] = testing::stillinger_weber_value(6.189 * kElectronvolt, 2.3925, 23.15);
  system["mass"] = 18.015 * 103.64269652680505;
  return system;
}

/// Tasks that find each other's results.
class Study {
 public:
  plan::TaskSpec spec(const std::string& kind, Map arguments, const std::map<std::string, plan::Key>& inputs = {}) {
    plan::TaskSpec result;
    result.name = result.kind = kind;
    for (const auto& [role, input] : inputs) result.inputs.push_back({role, input, 0});
    result.arguments = std::move(arguments);
    result.key = result.stream_key = plan::sha256(plan::preimage(result));
    return result;
  }
  const artifacts::Artifact& run(const plan::TaskSpec& task) {
    test::MemoryContext context(store, task);
    auto artifact = std::make_shared<const artifacts::Artifact>(tasks::registry().at(task.kind)(context));
    store.objects[task.key] = {task, artifact};
    return *artifact;
  }
  artifacts::Artifact run_in_steps(const plan::TaskSpec& task, int& stops) {
    test::MemoryContext context(store, task);
    context.stop = true;
    for (stops = 0;; ++stops) {
      const int steps = context.reports;
      try {
        return tasks::registry().at(task.kind)(context);
      } catch (const Stopped&) {
        context.stop = context.reports > steps;
      }
    }
  }
  plan::TaskSpec base(std::int64_t particles) {
    return spec("base", {{"kind", "scha"}, {"system", ice_of(particles)}, {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}},
                         {"relax_sites", true}, {"samples", 32}});
  }
  static Value force_stage(int steps, int labels, double rate) {
    return Map{{"name", "force"}, {"loss", Map{{"call", "force_matching"}, {"labels", labels}, {"smallest", 0.75}, {"largest", 1.1}}},
               {"steps", steps}, {"batch", 16}, {"learning_rate", Map{{"call", "one_cycle"}, {"peak", rate}}}};
  }
  static Value gain_stage(int steps) {
    return Map{{"name", "gains"}, {"loss", Map{{"call", "reverse_kl"}, {"gradient", "path"}}}, {"steps", steps}, {"batch", 8},
               {"learning_rate", 0.01}};
  }
  plan::TaskSpec training(const plan::TaskSpec& on, const List& stages, bool learned = true) {
    Map flow{{"type", "mode_split"}, {"splits", 8}, {"look_ahead", 4}};
    if (learned) flow["force"] = Map{{"call", "learned"}, {"neighbours", 16}, {"hidden", 48}};
    return spec("train", {{"flow", flow}, {"seed", 42}, {"precision", "float64"}, {"stages", stages}, {"base", Map{{"task", "base"}}}}, {{"base", on.key}});
  }
  test::MemoryStore store;
};

double mean_of(const std::vector<double>& numbers, std::size_t first, std::size_t count) {
  return std::accumulate(numbers.begin() + static_cast<std::ptrdiff_t>(first), numbers.begin() + static_cast<std::ptrdiff_t>(first + count), 0.0) /
         static_cast<double>(count);
}

}  // namespace

TEST_CASE("a learned force gives the published free energy of ice by one energy a draw, in the box it was trained in and in another", "[learned_force]") {
  Study study;
  const plan::TaskSpec base = study.base(64), training = study.training(base, {Study::force_stage(260, 200, 4e-3), Study::gain_stage(20)});
  study.run(base);
  const artifacts::Artifact& trained = study.run(training);
  const std::vector<double>& loss = trained.array("history/loss").doubles;
  REQUIRE(loss.size() == 280);
  CHECK(mean_of(loss, 240, 20) < 0.5 * mean_of(loss, 0, 5));  // of the square
  // Labels, and the training samples of the gains.
  CHECK(trained.cost.gradient_calls <= 200 + 20 * 8);
  CHECK(trained.cost.hessian_calls == 0);

  for (const auto& [atoms, published, ess] : {std::tuple{64, -25.16311, 0.4}, std::tuple{216, -25.08235, 0.03}}) {
    INFO(atoms);
    const plan::TaskSpec ground = study.base(atoms);
    study.run(ground);
    const plan::TaskSpec drawing = study.spec(
        "sample", {{"model", Map{{"call", "transfer"}, {"model", Map{{"task", "model.model"}}}, {"base", Map{{"task", "model.base"}}}, {"to", ice_of(atoms)}}},
                   {"count", 400}, {"batch", 400}, {"seed", 1}},
        {{"model.model", training.key}, {"model.base", ground.key}});
    const artifacts::Artifact& draws = study.run(drawing);
    const artifacts::Result* f = draws.find_result("per_particle");
    CHECK(std::abs(f->value - published) < 4 * *f->sigma);
    CHECK(draws.find_result("ess")->value > ess);
    CHECK(draws.cost.energy_calls == 400);
    CHECK(draws.cost.gradient_calls == 0);
  }
}

TEST_CASE("a training of a learned force that is stopped after every step makes the artifact of a whole one, byte for byte", "[learned_force]") {
  Study study;
  const plan::TaskSpec base = study.base(64), training = study.training(base, {Study::force_stage(5, 12, 4e-3), Study::gain_stage(2)});
  study.run(base);
  const artifacts::Artifact& whole = study.run(training);
  int stops = 0;
  CHECK(store::encode_hdf5(study.run_in_steps(training, stops)) == store::encode_hdf5(whole));
  CHECK(stops >= 5);
}

TEST_CASE("force matching of a flow that learns no force is refused by name", "[learned_force]") {
  Study study;
  const plan::TaskSpec base = study.base(64);
  study.run(base);
  CHECK_THROWS_WITH(study.run(study.training(base, {Study::force_stage(5, 12, 4e-3)}, false)), Catch::Contains("`force = learned(…)`"));
}
