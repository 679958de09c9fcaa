#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <tuple>

#include "runtime/flows/mode_split.h"
#include "runtime/flows/rational_quadratic_spline.h"
#include "runtime/flows/mode_split_generator.h"
#include "runtime/flows/training_loss.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/scha.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/anharmonic_toy.h"
#include "tests/support/flow_numbers.h"

using namespace bgw;
using namespace bgw::flows;
using tests::key;
using tests::largest;
using tests::normal;

namespace {

constexpr double kBeta = 1.3;

/// A ring with noticeable cubic and quartic terms, seen from its harmonic modes.
struct ToyCrystal {
  explicit ToyCrystal(std::int64_t particles)
      : ring(particles, {1.0, 0.25, 0.05, 0.0}),
        modes(std::get<0>(tests::harmonic_modes(ring, kBeta))),
        target(ring, modes, kBeta, 0.0) {}
  tests::SpringRing ring;
  Tensor modes;  // M, [3N, m]
  physics::WhitenedTarget target;
};

Tensor golden_raw(at::ScalarType type) { return at::sin(at::arange(1, 50, at::kDouble)).to(type); }

/// The latent numbers of a portion of a training.
Tensor latent_of(const ModeSplitFlow& flow, const plan::Key& stream_key, const Portion& p) {
  return tensor::RandomStream(stream_key, "train.latent").normal(p.total, p.first, p.count, flow.dimension());
}

LossFunction path_loss(const ModeSplitFlow& flow, const plan::Key& stream_key) {
  return [&flow, stream_key](const Portion& p, const Tensor& parameters) {
    return flow.reverse_kl(KlGradient::path, latent_of(flow, stream_key, p), parameters);
  };
}

}  // namespace

TEST_CASE("the toy's gradient and Hessian product are its energy's derivatives", "[flows]") {
  const tests::SpringRing ring(5, {1.0, 0.3, 0.2, 0.1});
  const Tensor u = normal(2, 15).view({2, 5, 3});
  const Tensor v = normal(2, 15, 2).view({2, 5, 3});
  const double h = 1e-5;
  const Tensor slope = (ring.energy(u + h * v) - ring.energy(u - h * v)) / (2 * h);
  const auto both = ring.gradient_and_product(u, v);
  CHECK(largest(slope - (both.gradient * v).sum(2).sum(1)) < 1e-7);
  const Tensor change =
      (ring.energy_and_gradient(u + h * v).gradient - ring.energy_and_gradient(u - h * v).gradient) / (2 * h);
  CHECK(largest(change - both.product) < 1e-7);
}

TEST_CASE("the whitened work of a harmonic crystal is zero and its gradient is that of the work", "[flows]") {
  const tests::SpringRing harmonic(4, {2.0, 0.0, 0.0, 0.0});
  const physics::WhitenedTarget flat(harmonic, std::get<0>(tests::harmonic_modes(harmonic, kBeta)), kBeta, 0.0);
  REQUIRE(flat.dimension() == 9);
  const Tensor y = normal(7, 9);
  CHECK(largest(flat.work(y)) < 1e-12);
  CHECK(largest(flat.evaluate(y).gradient) < 1e-12);

  const ToyCrystal toy(4);
  const Tensor direction = normal(7, 9, 2);
  const double h = 1e-5;
  const Tensor slope = (toy.target.work(y + h * direction) - toy.target.work(y - h * direction)) / (2 * h);
  CHECK(largest(slope - (toy.target.evaluate(y).gradient * direction).sum(1)) < 1e-8);
}

TEST_CASE("whitening undoes the displacements and ignores a uniform shift", "[flows]") {
  const ToyCrystal toy(6);
  const Tensor y = normal(3, toy.target.dimension());
  const Tensor u = toy.target.displacements(y);
  CHECK(largest(toy.target.whiten(u + 0.7) - y) < 1e-12);
}

TEST_CASE("the spline has its golden values", "[spline]") {
  struct Golden {
    double x, y, log_derivative;
  };
  const Golden table[] = {{-3.3, -5.4036881034, 0.3713815745},
                          {0.0, -0.6173494952, -3.1191609915},
                          {0.05, -0.6151120251, -3.0907343952},
                          {1.234, -0.0798848140, -0.5179294471},
                          {5.9, 5.2638420286, 1.0831693403},
                          {7.0, 7.0, 0.0},
                          {-7.0, -7.0, 0.0}};
  const RationalQuadraticSpline spline(golden_raw(at::kDouble), -6.2, 6.2, SplineEnds::identity);
  for (const Golden& g : table) {
    const SplineValue value = spline.forward(at::tensor({g.x}, at::kDouble));
    CHECK(value.value.item<double>() == Approx(g.y).margin(1e-9));
    CHECK(value.log_derivative.item<double>() == Approx(g.log_derivative).margin(1e-9));
  }
  const RationalQuadraticSpline circle(golden_raw(at::kDouble), -6.2, 6.2, SplineEnds::circular);
  const SplineValue value = circle.forward(at::tensor({5.9}, at::kDouble));
  CHECK(value.value.item<double>() == Approx(5.2490041284).margin(1e-9));
  CHECK(value.log_derivative.item<double>() == Approx(0.9723179853).margin(1e-9));
}

TEST_CASE("the spline's inverse undoes it in both precisions", "[spline]") {
  for (const auto& [type, tolerance] : {std::pair{at::kDouble, 1e-9}, std::pair{at::kFloat, 1e-5}}) {
    const Tensor x = at::linspace(-6.9, 6.9, 777, at::kDouble).to(type);
    for (const SplineEnds ends : {SplineEnds::identity, SplineEnds::circular}) {
      const RationalQuadraticSpline spline(golden_raw(type), -6.2, 6.2, ends);
      const SplineValue there = spline.forward(x);
      const SplineValue back = spline.inverse(there.value);
      // Where the map is flat, an error of y is a larger error of x.
      const Tensor allowed = tolerance * (1.0 + (-there.log_derivative).exp());
      CHECK(((back.value - x).abs() <= allowed).all().item<bool>());
      CHECK(largest(back.log_derivative + there.log_derivative) < 100 * tolerance);
      CHECK((there.value.diff() > 0).all().item<bool>());
    }
  }
}

TEST_CASE("the spline's float32 values are its float64 values", "[spline]") {
  const Tensor x = at::linspace(-6.2, 6.19, 200, at::kDouble);
  const SplineValue fine = RationalQuadraticSpline(golden_raw(at::kDouble), -6.2, 6.2, SplineEnds::identity).forward(x);
  const SplineValue coarse =
      RationalQuadraticSpline(golden_raw(at::kFloat), -6.2, 6.2, SplineEnds::identity).forward(x.to(at::kFloat));
  CHECK(coarse.value.scalar_type() == at::kFloat);
  const Tensor relative = (coarse.value.to(at::kDouble) - fine.value).abs() / (6.2 * (1.0 + fine.log_derivative.exp()));
  CHECK(largest(relative) < 1e-6);
}

TEST_CASE("a spline of zeros is the identity, and its log derivative is its derivative", "[spline]") {
  const Tensor x = at::linspace(-2.9, 2.9, 30, at::kDouble);
  const RationalQuadraticSpline none(at::zeros({30, 25}, at::kDouble), -3.0, 3.0, SplineEnds::identity);
  CHECK(largest(none.forward(x).value - x) < 1e-14);

  const RationalQuadraticSpline spline(normal(30, 25), -3.0, 3.0, SplineEnds::circular);  // one spline a number
  const double h = 1e-6;
  const Tensor slope = (spline.forward(x + h).value - spline.forward(x - h).value) / (2 * h);
  CHECK(largest(slope.log() - spline.forward(x).log_derivative) < 1e-6);
}

TEST_CASE("Adam's first step has the length of the learning rate and its fixed point is the minimum", "[training]") {
  Tensor p = at::tensor({3.0, -1.0}, at::kDouble);
  AdamMoments moments = no_moments(p);
  const Tensor next = adam_step(p, at::tensor({40.0, -0.01}, at::kDouble), 0.1, moments);
  CHECK(largest(next - at::tensor({2.9, -0.9}, at::kDouble)) < 1e-6);
  moments = no_moments(p);
  for (int i = 0; i < 2000; ++i) p = adam_step(p, 2.0 * (p - 0.5), 0.02 / (1.0 + 0.01 * i), moments);
  CHECK(largest(p - 0.5) < 1e-4);
}

TEST_CASE("learning rates begin and end where they say", "[training]") {
  const LearningRate cycle{LearningRate::Kind::one_cycle, 0.02};
  CHECK(cycle.at(0, 61) == Approx(0.02 / 25));
  CHECK(cycle.at(18, 61) == Approx(0.02));
  CHECK(cycle.at(60, 61) == Approx(0.02 / 2500));
  CHECK(cycle.at(0, 1) == Approx(0.02));
  const LearningRate cosine{LearningRate::Kind::cosine, 0.02};
  CHECK(cosine.at(0, 10) == Approx(0.02));
  CHECK(cosine.at(5, 10) == Approx(0.01));
  CHECK((LearningRate{LearningRate::Kind::constant, 0.3}.at(7, 9)) == 0.3);
}

TEST_CASE("a training that was interrupted at any step continues bit by bit", "[training]") {
  const ToyCrystal toy(4);
  const ModeSplitFlow flow(toy.target, {3, 2, 3});
  const std::vector<Stage> stages = {{"first", 3, 8, {LearningRate::Kind::constant, 0.01}},
                                     {"main", 4, 6, {LearningRate::Kind::one_cycle, 0.02}}};
  const LossFunction loss = [&flow, path = path_loss(flow, key(7))](const Portion& p, const Tensor& parameters) {
    return p.stage == 1 ? path(p, parameters)
                        : flow.reverse_kl(KlGradient::total, latent_of(flow, key(7), p), parameters);
  };
  TrainingState whole = start_training(flow.start());
  std::vector<std::map<std::string, Tensor>> checkpoints;
  train(loss, stages, 100, flow.dimension(), whole,
        [&](const TrainingState& s) { checkpoints.push_back(to_named_tensors(s)); });
  REQUIRE(checkpoints.size() == 7);
  CHECK(whole.history.loss.size() == 7);
  for (const auto& checkpoint : checkpoints) {
    TrainingState resumed = training_state_from(checkpoint);
    train(loss, stages, 3, flow.dimension(), resumed, {});  // portions of three, too
    for (const auto& [name, value] : to_named_tensors(whole)) {
      INFO(name);
      CHECK(at::equal(to_named_tensors(resumed).at(name), value));
    }
  }
}

TEST_CASE("training from poor values finds weights of small variance", "[training]") {
  const ToyCrystal toy(5);
  const ModeSplitFlow flow(toy.target, {6, 3, 3});
  TrainingState state = start_training(at::tensor({0.2, 1.0, 0.0, 0.3, 0.0}, at::kDouble));
  const Tensor z = normal(2000, flow.dimension(), 9);
  const double before = flow.generate(z, state.parameters).log_weight.var().item<double>();
  train(path_loss(flow, key(8)),
        {{"main", 60, 16, {LearningRate::Kind::one_cycle, 0.03}}}, 1000, flow.dimension(), state, {});
  const double after = flow.generate(z, state.parameters).log_weight.var().item<double>();
  CHECK(after < 0.4 * before);
  CHECK(state.history.ess.back() > 0.8);
}

TEST_CASE("steps that are not finite are left out, and ten in a row end the training with step, stage and value", "[training]") {
  const auto training = [](std::int64_t bad_from, std::int64_t bad_to, TrainingState& state) {
    const LossFunction loss = [=](const Portion& p, const Tensor&) {
      Tensor gradient = at::ones({p.count, 1}, at::kDouble);
      if (p.step >= bad_from && p.step < bad_to) gradient[1].fill_(std::numeric_limits<double>::quiet_NaN());
      return SampleLoss{at::zeros({p.count}, at::kDouble), gradient};
    };
    train(loss, {{"main", 20, 2, {LearningRate::Kind::constant, 0.1}}}, 2, 1, state, {});
  };
  TrainingState some = start_training(at::zeros({1}, at::kDouble));
  training(4, 13, some);
  CHECK(some.skipped == 9);
  CHECK(some.history.loss.size() == 11);
  CHECK(some.parameters.item<double>() == Approx(-1.1));  // eleven steps of the learning rate

  TrainingState many = start_training(at::zeros({1}, at::kDouble));
  CHECK_THROWS_WITH(training(4, 14, many), Catch::Contains("gradient has not been finite for 10 steps") &&
                                               Catch::Contains("step 13 of stage main: nan"));
  CHECK(many.parameters.item<double>() == Approx(-0.4));
}

TEST_CASE("a loss that explodes ends the training", "[training]") {
  const LossFunction loss = [](const Portion& p, const Tensor&) {
    const double height = p.step < 40 ? -3.0 : -3.0 - 10.5 * 7;
    return SampleLoss{at::full({p.count}, height, at::kDouble), at::zeros({p.count, 1}, at::kDouble)};
  };
  TrainingState state = start_training(at::zeros({1}, at::kDouble));
  CHECK_THROWS_WITH(train(loss, {{"main", 80, 2, {}}}, 2, 7, state, {}), Catch::Contains("loss of stage main exploded"));
  CHECK(state.step > 50);
  TrainingState wide = start_training(at::zeros({1}, at::kDouble));
  train(loss, {{"main", 80, 2, {}}}, 2, 8, wide, {});  // ten kT for each of eight degrees of freedom
  CHECK(wide.step == 0);
}

TEST_CASE("a step that was left out does not hide an explosion, nor do losses of the stage before make one", "[training]") {
  const LossFunction rising = [](const Portion& p, const Tensor&) {
    const double height = p.step == 0 ? std::numeric_limits<double>::quiet_NaN() : p.step < 40 ? -3.0 : -3.0 - 10.5 * 7;
    return SampleLoss{at::full({p.count}, height, at::kDouble), at::zeros({p.count, 1}, at::kDouble)};
  };
  TrainingState state = start_training(at::zeros({1}, at::kDouble));
  CHECK_THROWS_WITH(train(rising, {{"main", 80, 2, {}}}, 2, 7, state, {}), Catch::Contains("loss of stage main exploded"));

  const LossFunction steady = [](const Portion& p, const Tensor&) {
    const double height = p.stage == 0 ? 0.0 : p.step % 2 == 0 ? std::numeric_limits<double>::infinity() : -1000.0;
    return SampleLoss{at::full({p.count}, height, at::kDouble), at::zeros({p.count, 1}, at::kDouble)};
  };
  TrainingState two = start_training(at::zeros({1}, at::kDouble));
  train(steady, {{"low", 40, 2, {}}, {"high", 80, 2, {}}}, 2, 7, two, {});
  CHECK(two.skipped == 40);
}

TEST_CASE("a stage without a step that is finite ends the training", "[training]") {
  const LossFunction none = [](const Portion& p, const Tensor&) {
    return SampleLoss{at::full({p.count}, std::numeric_limits<double>::infinity(), at::kDouble), at::zeros({p.count, 1}, at::kDouble)};
  };
  TrainingState state = start_training(at::zeros({1}, at::kDouble));
  CHECK_THROWS_WITH(train(none, {{"main", 5, 2, {}}}, 2, 7, state, {}), Catch::Contains("no step of stage main was finite"));
}

TEST_CASE("the length to which gradients are clipped does not depend on threads", "[training]") {
  const Tensor long_gradient = normal(1, 100'000, 3);
  const LossFunction loss = [&](const Portion& p, const Tensor&) {
    return SampleLoss{at::zeros({p.count}, at::kDouble), long_gradient};
  };
  Stage stage{"main", 1, 1, {LearningRate::Kind::constant, 0.1}};
  stage.largest_gradient = 1.0;
  const auto moments = [&] {
    TrainingState state = start_training(at::zeros({100'000}, at::kDouble));
    train(loss, {stage}, 1, 1, state, {});
    return state.moments.first;
  };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor one = moments();
  at::set_num_threads(3);
  CHECK(at::equal(moments(), one));
  at::set_num_threads(threads);
}

TEST_CASE("gradients are clipped by their whole length, and averages remember as far as they should", "[training]") {
  const LossFunction loss = [](const Portion& p, const Tensor& parameters) {
    return SampleLoss{at::zeros({p.count}, at::kDouble), parameters.unsqueeze(0) * static_cast<double>(p.count)};
  };
  Stage stage{"main", 1, 4, {LearningRate::Kind::constant, 0.1}};
  stage.largest_gradient = 0.5;
  TrainingState state = start_training(at::tensor({3.0, 4.0}, at::kDouble));
  train(loss, {stage}, 4, 2, state, {});
  const double left = 1.0 - stage.adam.beta1;
  CHECK(largest(state.moments.first - left * at::tensor({0.3, 0.4}, at::kDouble)) < 1e-12);

  Stage averaged{"main", 3, 1, {LearningRate::Kind::constant, 0.1}};
  averaged.averaging = 0.999;  // three steps: their plain mean
  TrainingState mean = start_training(at::tensor({5.0}, at::kDouble));
  std::vector<double> passed;
  train(loss, {averaged}, 4, 1, mean, [&](const TrainingState& now) { passed.push_back(now.parameters.item<double>()); });
  CHECK(mean.parameters.item<double>() == Approx((passed[0] + passed[1] + passed[2]) / 3));
}

TEST_CASE("a stage stops when its samples are good enough", "[training]") {
  const LossFunction loss = [](const Portion& p, const Tensor&) {
    const double spread = p.step < 10 ? 3.0 : 0.1;
    return SampleLoss{spread * normal(p.count, 1, static_cast<std::uint8_t>(p.step + 1)).squeeze(1),
                      at::zeros({p.count, 1}, at::kDouble)};
  };
  Stage stage{"main", 100, 128, {}};
  stage.stop.ess = 0.9;
  TrainingState state = start_training(at::zeros({1}, at::kDouble));
  train(loss, {stage}, 128, 1, state, {});
  CHECK(state.total == 18);  // eight batches of good weights make the 1,024 that decide
  stage.stretches = 4;  // only the last quarter is on the target asked for, and its own samples decide
  TrainingState walking = start_training(at::zeros({1}, at::kDouble));
  train(loss, {stage}, 128, 1, walking, {});
  CHECK(walking.total == 75 + 8);
  stage.stretches = 1;
  stage.stop = {{}, 1e-9};
  TrainingState never = start_training(at::zeros({1}, at::kDouble));
  train(loss, {stage}, 128, 1, never, {});
  CHECK(never.total == 100);
}

