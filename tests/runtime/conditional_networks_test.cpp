#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "runtime/flows/augmented_flow.h"
#include "runtime/flows/coupling_flow.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/tasks/conditional_flow.h"
#include "runtime/tasks/conditional_training.h"
#include "runtime/tasks/make_flow.h"
#include "runtime/tasks/model.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "tests/shared/systems.h"
#include "tests/support/flow_numbers.h"
#include "tests/support/over_ranges.h"
#include "tests/support/task_desk.h"

// The published flows over ranges of states: couplings whose networks pass messages, and those of attention.

namespace {

using namespace bgw;
using namespace bgw::tasks;
using schema::List;
using schema::Map;
using schema::Value;
using test::between;
using test::kElectronvolt;
using test::run_in_steps;
using test::TaskDesk;
using test::with;
using tests::largest;
using tests::normal;

/// Eight molecules of ice at any density near theirs, stretched along an axis.
Value stretched_ice() {
  Map lattice = testing::lattice_value("diamond_cubic", 8, 0.0).as_map();
  lattice["density"] = between(0.032, 0.035);
  lattice["c_over_a"] = between(0.95, 1.05);
  return Map{{"potential", testing::stillinger_weber_value(6.189 * kElectronvolt, 2.3925, 23.15)}, {"lattice", std::move(lattice)}, {"minimum_image", "compatible"}};
}

/// Atoms of fcc on springs to their neighbours.
Value springs() {
  Map lattice = testing::lattice_value("fcc", 32, 0.05).as_map();
  lattice["density"] = between(0.045, 0.055);
  return Map{{"potential", Map{{"style", "harmonic"}, {"spring", 2.0}, {"cutoff", 3.4}}}, {"lattice", std::move(lattice)}, {"minimum_image", "compatible"}};
}

Value at_temperature(Value temperature) { return Map{{"kind", "nvt"}, {"temperature", std::move(temperature)}}; }
const Value kWarm = at_temperature(between(100.0, 260.0));

/// Corners and the middle of temperature, density and c/a of the ice.
const std::vector<StateValues> kStates{{100.0, 0.032, 1.05}, {180.0, 0.0335, 1.0}, {260.0, 0.035, 0.95}};

Value task(const std::string& role) { return Map{{"task", role}}; }

Value couplings(int neighbours = 4) {
  Map network{{"call", "gnn"}, {"layers", 1}, {"frequencies", 3}};
  if (neighbours > 0) network["neighbours"] = neighbours;
  return Map{{"type", "augmented_coupling"}, {"layers", 1}, {"embedding", 5}, {"bins", 6}, {"conditioner", network}};
}

Value attention() {
  return Map{{"type", "global_attention"}, {"layers", 2}, {"embedding", 6}, {"bins", 6}, {"conditioner", Map{{"call", "attention"}, {"layers", 1}, {"heads", 2}, {"frequencies", 3}}}};
}

plan::TaskSpec einstein(Value system, Value ensemble, double width = 0.2) {
  return TaskDesk::spec("base", "springs", {{"kind", "einstein_crystal"}, {"system", std::move(system)}, {"ensemble", std::move(ensemble)}, {"width", width}});
}

Value stage(int steps, double rate = 1e-3, int batch = 16) {
  return Map{{"name", "main"}, {"loss", Map{{"call", "reverse_kl"}, {"gradient", "path"}}}, {"steps", steps}, {"batch", batch}, {"learning_rate", rate}, {"linearize_below", 1.2}};
}

plan::TaskSpec training(const plan::TaskSpec& base, const Value& flow, Value one_stage, const std::string& precision = "float64") {
  return TaskDesk::spec("train", "train",
                        {{"system", base.arguments.at("system")}, {"ensemble", base.arguments.at("ensemble")}, {"flow", flow}, {"seed", 42}, {"precision", precision},
                         {"stages", List{std::move(one_stage)}}, {"base", task("base")}},
                        {{"base", base.key}});
}

plan::TaskSpec grid(const plan::TaskSpec& model, Map axes, int count) {
  axes.insert({{"method", "lfep"}, {"model", task("model")}, {"count", count}, {"bootstrap", 100}, {"seed", 5}, {"stress", true}});
  return TaskDesk::spec("estimate", "F", std::move(axes), {{"model", model.key}});
}

/// The flow over ranges that a program describes, and numbers for it far from its start.
struct Wide {
  explicit Wide(const Value& flow, const std::string& precision = "float64")
      : base(einstein(stretched_ice(), kWarm)), train(training(base, flow, stage(1), precision)), conditional(ConditionalBase(base, desk.run(base)), train.arguments) {
    const Tensor start = conditional.parameters().constant(conditional.middle().start(tests::key(3)));
    parameters = start + 0.05 * normal(1, start.size(0), 9)[0].to(start.scalar_type());
  }
  TaskDesk desk;
  plan::TaskSpec base, train;
  ConditionalFlow conditional;
  Tensor parameters;
};

const flows::CouplingFlow& couplings_of(const flows::Generator& flow) { return dynamic_cast<const flows::CouplingFlow&>(flow); }

/// Columns span the states: rows of atoms without a mean, then those of copies; or all numbers of a global flow.
Tensor allowed_moves(const flows::Generator& flow, std::int64_t rows) {
  if (flow.auxiliary_dimension() == 0) return at::eye(3 * rows, at::kDouble);
  const std::int64_t particles = rows / 2;
  const Tensor ones = at::ones({particles, 1}, at::kDouble) / std::sqrt(static_cast<double>(particles));
  const Tensor relative = std::get<0>(at::linalg_qr(at::cat({ones, at::eye(particles, at::kDouble).slice(1, 1)}, 1)));
  return at::block_diag({at::kron(relative.slice(1, 1).contiguous(), at::eye(3, at::kDouble)), at::eye(3 * particles, at::kDouble)});
}

/// [N, 3]
Tensor sites_of(const crystal::Crystal& crystal) {
  const Tensor sites = at::empty({std::ssize(crystal.sites), 3}, at::kDouble);
  double* x = sites.data_ptr<double>();
  for (const crystal::Vector3& site : crystal.sites) x = std::copy(site.begin(), site.end(), x);
  return sites;
}

/// Contents but for the cost: a training that is started again makes a few calls more.
std::string contents(artifacts::Artifact artifact) {
  artifact.cost = {};
  return store::encode_hdf5(artifact);
}

double result(const artifacts::Artifact& artifact, const std::string& name) { return artifact.find_result(name)->value; }
double at_row(const artifacts::Artifact& artifact, const std::string& name, std::size_t row, const char* which = "value") {
  return artifact.array("grid/" + name + "/" + which).doubles.at(row);
}

}  // namespace

TEST_CASE("a network over ranges has matrices of all states and biases of each", "[conditional_networks]") {
  const Wide local(couplings()), global(attention());
  const auto sizes = [](const Wide& wide, const std::string& name) {
    for (const flows::ParameterEntry& entry : wide.conditional.layout().entries()) {
      if (entry.name == name) return entry.sizes;
    }
    return std::vector<std::int64_t>{};
  };
  const std::int64_t terms = 10;  // of three coordinates
  CHECK(sizes(local, "coupling_0.node.weight") == std::vector<std::int64_t>{1, 5, 36});
  CHECK(sizes(local, "coupling_0.node.bias") == std::vector<std::int64_t>{terms, 5});
  CHECK(sizes(local, "coupling_1.out.bias") == std::vector<std::int64_t>{terms, 57});
  CHECK(sizes(global, "layer_1.first.last.weight")[0] == 1);
  CHECK(sizes(global, "layer_0.others.embed.bias") == std::vector<std::int64_t>{terms, 6});
  CHECK(sizes(global, "layer_1.shift") == std::vector<std::int64_t>{terms, 3});
}

TEST_CASE("at a state a network over ranges is the plain flow with its parameters there", "[conditional_networks]") {
  for (const Value& flow : {with(couplings(), "range", 3.0), with(couplings(0), "range", 3.0), with(with(couplings(), "recompute_neighbours", true), "range", 3.0), attention()}) {
    for (const char* precision : {"float64", "float32"}) {
      INFO(flow.at("type").as_string() << " " << precision);
      const Wide wide(flow, precision);
      for (const StateValues& values : kStates) {
        const Conditions& conditions = wide.conditional.conditions();
        INFO(conditions.in_words(values));
        TaskDesk desk;
        const auto own = einstein(conditions.system(values), conditions.ensemble(values));
        const Ground alone = make_ground(own, desk.run(own));
        const auto plain = make_flow(training(own, flow, stage(1), precision).arguments, alone, *alone.target);
        const Tensor theta = wide.conditional.at_state(wide.parameters, values);
        const Tensor z = normal(5, plain->latent_dimension());
        const flows::Draws there = plain->generate(z, theta);
        const Model model(wide.conditional.ground(values), wide.conditional.train_arguments(), theta, wide.conditional.common());
        const flows::Draws here = model.flow().generate(z, theta);
        CHECK(at::equal(here.displacements, there.displacements));
        CHECK(largest(here.log_weight - there.log_weight) < 1e-10 * here.log_weight.abs().max().item<double>());
        // In training fewer samples are worked on at once.
        const auto few = wide.conditional.on(model.ground());
        CHECK(largest(few->generate(z, theta).displacements - there.displacements) < (precision == std::string("float32") ? 1e-4 : 1e-11));
      }
      const Tensor cold = wide.conditional.at_state(wide.parameters, kStates.front()), hot = wide.conditional.at_state(wide.parameters, kStates.back());
      CHECK(largest(cold - hot) > 0.05);
    }
  }
}

TEST_CASE("at each state a network over ranges is a bijection with the Jacobian it says", "[conditional_networks]") {
  for (const Value& flow : {couplings(), attention()}) {
    INFO(flow.at("type").as_string());
    const Wide wide(flow);
    for (const StateValues& values : kStates) {
      INFO(wide.conditional.conditions().in_words(values));
      const Ground ground = wide.conditional.ground(values);
      const auto generator = wide.conditional.on(ground);
      const flows::CouplingFlow& there = couplings_of(*generator);
      const Tensor theta = wide.conditional.at_state(wide.parameters, values);
      const Tensor first = there.ends().state_of_latent(normal(3, generator->latent_dimension(), 3));
      Tensor log_det = at::zeros({3}, at::kDouble), back = at::zeros({3}, at::kDouble);
      const Tensor last = there.steps().forward(first, theta, log_det);
      CHECK(largest(there.steps().inverse(last, theta, back) - first) < 1e-9);
      CHECK(largest(log_det + back) < 1e-8);
      CHECK(largest(log_det) > 0.01);

      const Tensor moves = allowed_moves(*generator, first.size(1));
      constexpr double h = 1e-6;
      const Tensor steps = (h * moves.t()).reshape({moves.size(1), first.size(1), 3});
      Tensor unused = at::zeros({moves.size(1)}, at::kDouble);
      const Tensor up = there.steps().forward(first[0] + steps, theta, unused), down = there.steps().forward(first[0] - steps, theta, unused);
      Tensor difference = up - down;
      if (generator->auxiliary_dimension() == 0) difference = difference - difference.round();  // on the torus
      const Tensor jacobian = at::matmul(difference.flatten(1) / (2 * h), moves);
      CHECK(at::log(at::abs(at::linalg_det(jacobian))).item<double>() == Approx(log_det[0].item<double>()).margin(1e-5));
    }
  }
}

TEST_CASE("the gradient of what is trained over ranges is that of finite differences", "[conditional_networks]") {
  for (const Value& flow : {couplings(), attention()}) {
    INFO(flow.at("type").as_string());
    const Wide wide(flow);
    const Tensor direction = normal(1, wide.parameters.size(0), 4)[0];
    for (const StateValues& values : {kStates.front(), kStates.back()}) {
      const Ground ground = wide.conditional.ground(values);
      const auto generator = wide.conditional.on(ground);
      const Tensor z = 0.3 * normal(4, generator->latent_dimension(), 5);
      const auto loss = [&](double h) { return -generator->generate(z, wide.conditional.at_state(wide.parameters + h * direction, values)).log_weight.sum().item<double>(); };
      const Tensor theta = wide.conditional.at_state(wide.parameters, values);
      const Tensor gradient = wide.conditional.gradient(generator->reverse_kl(flows::KlGradient::total, z, theta).gradient, values).sum(0);
      CHECK(gradient.size(0) == wide.parameters.size(0));
      constexpr double h = 1e-6;
      const double along = at::dot(gradient, direction).item<double>(), differences = (loss(h) - loss(-h)) / (2 * h);
      CHECK(std::abs(along) > 1.0);
      CHECK(along == Approx(differences).epsilon(1e-5));
    }
  }
}

TEST_CASE("lengths of a network over ranges are published for the middle of its densities", "[conditional_networks]") {
  const double middle = flows::published_range(*crystal::find_lattice("diamond_cubic"), std::sqrt(0.032 * 0.035));
  const Wide left_out(couplings()), given(with(couplings(), "range", middle));
  const StateValues& values = kStates.front();
  const auto drawn = [&](const Wide& wide) {
    const Ground ground = wide.conditional.ground(values);
    const auto flow = wide.conditional.on(ground);
    return flow->generate(normal(4, flow->latent_dimension()), wide.conditional.at_state(wide.parameters, values)).displacements;
  };
  CHECK(largest(drawn(left_out) - drawn(given)) < 1e-9);
}

TEST_CASE("a crystal that is stretched keeps its neighbours, and its edges are its own", "[conditional_networks]") {
  const auto fcc = [](double c_over_a) {
    const crystal::LatticeKind kind = crystal::shaped(*crystal::find_lattice("fcc"), {{}, c_over_a, 0.0});
    return crystal::make_crystal(kind, {2, 2, 2}, 0.05);
  };
  const crystal::Crystal cubic = fcc(1.0), flat = fcc(0.7);
  const auto graph = [](const crystal::Crystal& crystal, const crystal::Crystal* nearest) {
    return flows::make_atom_graph(crystal, sites_of(crystal), flows::Neighbourhood::of_the_sites, 12, nearest);
  };
  // Two atoms along the axis have come nearer than four across it.
  CHECK_THROWS_WITH(graph(flat, nullptr), Catch::Contains("do not close a shell"));
  const flows::AtomGraph before = graph(cubic, nullptr), after = graph(flat, &cubic);
  CHECK(at::equal(before.of_sites.senders, after.of_sites.senders));
  Tensor stretch = at::empty({3}, at::kDouble);
  for (std::size_t d = 0; d < 3; ++d) stretch[static_cast<std::int64_t>(d)] = flat.cell.vectors[d][d] / cubic.cell.vectors[d][d];
  CHECK(largest(before.of_sites.offsets * stretch - after.of_sites.offsets) < 1e-12);
  const crystal::Crystal longer = crystal::make_crystal(*crystal::find_lattice("fcc"), {2, 2, 3}, 0.05);
  CHECK_THROWS_AS(graph(flat, &longer), ShapeError);
}

TEST_CASE("couplings on vibrations over ranges have exact free energies of springs", "[conditional_networks]") {
  TaskDesk desk;
  const auto base = TaskDesk::spec("base", "phonons", {{"kind", "phonon"}, {"system", springs()}, {"ensemble", kWarm}, {"relax_sites", true}});
  desk.run(base);
  const auto train = training(base, with(with(couplings(12), "aux_width", 0.1), "range", 4.0), stage(2, 1e-5), "float32");
  desk.run(train);
  const List temperatures{110.0, 250.0}, densities{0.046, 0.054};
  const artifacts::Artifact& found = desk.run(grid(train, {{"temperature", temperatures}, {"density", densities}}, 100));
  CHECK(result(found, "least_ess") > 0.9);
  const Conditions conditions(springs(), kWarm);
  for (std::size_t row = 0; row < 4; ++row) {
    const StateValues values{temperatures[row / 2].as_double(), densities[row % 2].as_double()};
    INFO(conditions.in_words(values));
    const artifacts::Artifact& exact = desk.run(
        TaskDesk::spec("base", "one", {{"kind", "phonon"}, {"system", conditions.system(values)}, {"ensemble", conditions.ensemble(values)}, {"relax_sites", true}}));
    const double sigma = at_row(found, "per_particle", row, "sigma");
    CHECK(sigma < 1e-3);
    CHECK(std::abs(at_row(found, "per_particle", row) - result(exact, "harmonic")) < 4 * sigma + 1e-9);
  }
}

TEST_CASE("a surface goes through the states of couplings over ranges", "[conditional_networks]") {
  TaskDesk desk;
  const auto base = TaskDesk::spec("base", "phonons", {{"kind", "phonon"}, {"system", springs()}, {"ensemble", kWarm}, {"relax_sites", true}});
  desk.run(base);
  const auto train = training(base, with(with(couplings(12), "aux_width", 0.1), "range", 4.0), stage(2, 1e-5), "float32");
  desk.run(train);
  const auto states = grid(train, {{"temperature", List{170.0, 180.0, 190.0}}, {"density", List{0.046, 0.048, 0.05, 0.052, 0.054}}}, 100);
  CHECK(result(desk.run(states), "least_ess") > 0.9);
  const Map arguments{{"box", "isotropic"}, {"over", "temperature"}, {"temperature_degree", 2}, {"volume_degree", 3}, {"shape_degree", 2}, {"states", List{task("states.0")}}};
  const artifacts::Artifact& surface = desk.run(TaskDesk::spec("surface", "G", arguments, {{"states.0", states.key}}));
  CHECK(result(surface, "freedom") > 10);
  CHECK(result(surface, "chi_square") < 2.5 * result(surface, "freedom"));
}

TEST_CASE("training a network over ranges moves what follows the states, and at(…) draws what the grid has", "[conditional_networks]") {
  TaskDesk desk;
  const auto base = einstein(stretched_ice(), kWarm);
  desk.run(base);
  for (const Value& flow : {couplings(), attention()}) {
    INFO(flow.at("type").as_string());
    const auto train = training(base, flow, stage(40, 1e-2), "float32");
    const artifacts::Artifact& trained = desk.run(train);
    const std::vector<double>& loss = trained.array("history/loss").doubles;
    CHECK(*std::min_element(loss.end() - 10, loss.end()) < 0.8 * loss.front());
    const std::string bias = flow.at("type").as_string() == "global_attention" ? "layer_0.first.last.bias" : "coupling_1.out.bias";
    const Tensor terms = tensor::to_tensor(trained.array("parameters/" + bias)).abs().amax(1);
    CHECK(terms.size(0) == 10);
    CHECK(terms.min().item<double>() > 1e-3);
    const artifacts::Artifact& found = desk.run(grid(train, {{"temperature", 180.0}, {"density", List{0.0335}}, {"c_over_a", 1.0}}, 400));
    const Value at{Map{{"call", "at"}, {"model", task("model.model")}, {"temperature", 180.0}, {"density", 0.0335}, {"c_over_a", 1.0}}};
    const artifacts::Artifact& drawn = desk.run(TaskDesk::spec("sample", "draws", {{"model", at}, {"count", 400}, {"batch", 100}, {"seed", 2}}, {{"model.model", train.key}}));
    const artifacts::Result& theirs = *drawn.find_result("per_particle");
    CHECK(std::abs(at_row(found, "per_particle", 0) - theirs.value) < 5 * std::hypot(at_row(found, "per_particle", 0, "sigma"), theirs.sigma.value()));
    CHECK(found.array("states/covariance").shape == std::vector<std::int64_t>{5, 5});
  }
}

TEST_CASE("couplings over ranges are transferred to a larger crystal with the neighbours of the middle", "[conditional_networks]") {
  const Wide wide(couplings());
  const StateValues& values = kStates.front();
  Map lattice = wide.conditional.conditions().system(values).at("lattice").as_map();
  lattice["atoms"] = 16;
  lattice["repeats"] = List{1, 1, 2};
  const Value larger = with(wide.conditional.conditions().system(values), "lattice", lattice);
  TaskDesk desk;
  const auto there = einstein(larger, wide.conditional.conditions().ensemble(values));
  Ground ground = make_ground(there, desk.run(there));
  const Common common = wide.conditional.common_on(ground);
  CHECK(common.nearest->cell.vectors[2][2] / common.nearest->cell.vectors[0][0] == Approx(2.0 * std::sqrt(0.95 * 1.05)));
  const Model model(std::move(ground), wide.conditional.train_arguments(), wide.conditional.at_state(wide.parameters, values), common);
  const flows::Draws draws = model.generate(normal(4, model.latent_dimension()));
  CHECK(draws.displacements.size(1) == 16);
  CHECK(draws.log_weight.isfinite().all().item<bool>());
}

TEST_CASE("networks over ranges go on from where they were stopped, bit for bit, with any number of threads", "[conditional_networks]") {
  TaskDesk desk;
  const auto base = einstein(stretched_ice(), kWarm);
  desk.run(base);
  const int before = at::get_num_threads();
  for (const Value& flow : {couplings(), couplings(0), attention()}) {
    for (const char* precision : {"float32", "float64"}) {
      INFO(flow.at("type").as_string() << " " << precision);
      int stops = 0;
      const auto train = training(base, flow, stage(3, 1e-3, 8), precision);
      at::set_num_threads(1);
      const std::string trained = contents(desk.run(train));
      const auto estimate = grid(train, {{"temperature", List{120.0, 240.0}}, {"density", 0.033}, {"c_over_a", 1.02}}, 16);
      const std::string whole = contents(desk.run(estimate));
      at::set_num_threads(2);
      CHECK(contents(run_in_steps(desk.store, train, stops)) == trained);
      CHECK(stops >= 3);
      CHECK(contents(run_in_steps(desk.store, estimate, stops)) == whole);
      CHECK(stops >= 2);
    }
  }
  at::set_num_threads(before);
}

TEST_CASE("a network over ranges that does not fit is refused with what to write", "[conditional_networks]") {
  TaskDesk desk;
  const auto phonons = TaskDesk::spec("base", "phonons", {{"kind", "phonon"}, {"system", springs()}, {"ensemble", kWarm}, {"relax_sites", true}});
  desk.run(phonons);
  CHECK_THROWS_WITH(desk.run(training(phonons, couplings(12), stage(1))), Catch::Contains("needs an `aux_width`"));
  CHECK_THROWS_WITH(desk.run(training(phonons, attention(), stage(1))), Catch::Contains("einstein_crystal"));
  const auto base = einstein(springs(), kWarm);
  desk.run(base);
  CHECK_THROWS_WITH(desk.run(training(base, couplings(13), stage(1))), Catch::Contains("13 neighbours do not close a shell"));
  CHECK_THROWS_WITH(desk.run(training(base, with(couplings(12), "range", 1.07), stage(1))), Catch::Contains("look alike"));
  CHECK_THROWS_WITH(desk.run(training(base, with(couplings(12), "range", 4.0), with(stage(1), "loss", Map{{"call", "forward_kl"}}))), Catch::Contains("learns by forward_kl"));
  const auto train = training(base, with(couplings(12), "range", 4.0), stage(1));
  desk.run(train);
  auto other = training(base, with(with(couplings(12), "range", 4.0), "layers", 2), stage(1));
  other.arguments = with(other.arguments, "warm_start", task("warm_start"));
  other.inputs.push_back({"warm_start", train.key, 0});
  CHECK_THROWS_WITH(desk.run(other), Catch::Contains("parameters of another flow"));
  CHECK_THROWS_WITH(desk.run(grid(train, {{"temperature", 300.0}, {"density", 0.05}}, 10)), Catch::Contains("lies outside the range of train"));
}
