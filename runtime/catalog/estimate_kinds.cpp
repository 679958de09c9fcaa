#include <algorithm>

#include <fmt/format.h>

#include "runtime/catalog/kinds.h"
#include "runtime/catalog/ladders.h"
#include "runtime/catalog/mapped_states.h"
#include "runtime/catalog/states.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {
namespace {

using schema::CheckContext;
using schema::ConstructorSchema;
using schema::KindSchema;
using schema::Makes;
using schema::Map;
using schema::ResultType;
using schema::Type;
using schema::TypeKind;
using schema::Value;

/// Both say at which state they are: a path that begins at a base begins at its crystal under its conditions.
void check_path(const Map& reference, CheckContext& context) {
  const Value& path = reference.at("path");
  const std::string& name = path.at("call").as_string();
  if (name == "base_to_target") {
    const schema::UpstreamTask base = context.upstream(path.at("base"));
    const State theirs = state_of(base, context), mine = state_of(reference);
    const std::string other = fmt::format("`{}`", base.name);
    expect_same(mine.system, theirs.system, "system", "path", other, context);
    expect_same(mine.ensemble, theirs.ensemble, "ensemble", "path", other, context);
  }
}

constexpr std::int64_t kLeastSteps = 4;  // of a chain: it discards steps / 4

/// Annealing makes its own ladder and few moves on it; MBAR needs chains that forget, and states that are there before.
void check_method(const Map& reference, CheckContext& context) {
  if (reference.at("method").as_string() == "ais") {
    const bool grid = is_mapped_states(reference.at("path"));
    if (!grid && !is_temperature_ladder(reference.at("path"))) return;
    context.complain({"E0428", "method", fmt::format("ais of {} climbs from a Gaussian to the crystal, not from one {} to another", context.block, grid ? "state" : "temperature"), {},
                      {"leave `method` out, or write `path = base_to_target(…)`"}});
    return;
  }
  const Value* states = given(reference.at("path"), "states");
  if (states != nullptr && !states->is_number()) {
    context.complain({"E0428", "path", fmt::format("mbar of {} needs the number of its states", context.block), {"auto is for method = ais, whose pilot finds the states"},
                      {"write for instance `states = 3`, or `method = ais`"}});
  }
  const Value* steps = given(reference.at("sampler"), "steps");
  if (steps == nullptr || steps->as_int() >= kLeastSteps) return;
  context.complain({"E0428", "sampler", fmt::format("hmc of {} makes {} steps, mbar needs at least {}", context.block, steps->as_int(), kLeastSteps),
                    {"a chain makes a quarter of its steps before it is recorded"}, {"write for instance `steps = 64`"}});
}

/// Dynamics produces for a time, hmc makes a number of moves.
void check_sampler(const Map& reference, CheckContext& context) {
  const Value& sampler = reference.at("sampler");
  const auto complain = [&](const char* attribute, std::string message, std::string help) {
    context.complain({"E0428", attribute, std::move(message), {}, {std::move(help)}});
  };
  if (sampler.at("call").as_string() != "hmc" && reference.at("method").as_string() == "ais") {
    complain("sampler", fmt::format("ais of {} moves by hmc", context.block), "write for instance `sampler = hmc(chains = 100, steps = 1)`");
    return;
  }
  if (sampler.at("call").as_string() == "hmc") {
    for (const char* attribute : {"produce", "equilibrate"}) {
      if (given(reference, attribute) != nullptr) complain(attribute, fmt::format("hmc of {} counts its moves, `{}` has no use", context.block, attribute), "leave it out; `steps` of hmc is its length");
    }
    return;
  }
  const bool grid = is_mapped_states(reference.at("path"));
  if (grid || is_temperature_ladder(reference.at("path"))) {
    complain("sampler", fmt::format("the {} of {} are moved by hmc", grid ? "states" : "temperatures", context.block), "write for instance `sampler = hmc(chains = 16, steps = 200)`");
    return;
  }
  if (given(sampler, "timestep") == nullptr) complain("sampler", fmt::format("langevin of {} lacks `timestep`", context.block), "write for instance `langevin(timestep = 2 fs, friction = 1 /ps)`");
  if (reference.at("path").at("call").as_string() == "base_to_target") {
    complain("sampler", fmt::format("the states of {} lie between a Gaussian and the crystal, langevin has no forces there", context.block), "write `sampler = hmc(…)`, or `path = einstein_crystal(…)`");
  }
  const Value* mass = given(reference.at("system"), "mass");
  if (mass == nullptr && !context.shown(1.0, "length").ends_with("lj")) {
    context.complain({"E0407", "system", fmt::format("langevin of {} needs the mass of an atom", context.block), {}, {"write `mass = …` in the system"}});
  }
  if (given(reference, "produce") == nullptr) complain("", fmt::format("{} lacks `produce`, the time that langevin runs in each state", context.block), "write for instance `produce = 2 ns`");
}

/// Pressures are averages over the chains of the crystal.
void check_stress(const Map& reference, CheckContext& context) {
  const Value* stress = given(reference, "stress");
  if (stress == nullptr || !stress->as_bool()) return;
  const bool chains = reference.at("method").as_string() == "mbar" && reference.at("sampler").at("call").as_string() == "hmc";
  if (chains) return;
  context.complain({"E0428", "stress", fmt::format("`stress` of {} needs chains of the crystal", context.block), {"they come with method = mbar and hmc"},
                    {"leave `stress` out, or write `sampler = hmc(…)` without `method = ais`"}});
}

void check_reference(Map& reference, CheckContext& context) {
  leave_out(reference, variable_names());
  if (!is_mapped_states(reference.at("path"))) expect_one_state(reference, context);
  expect_constant_volume(reference, "reference", context);
  check_path(reference, context);
  check_method(reference, context);
  check_sampler(reference, context);
  check_stress(reference, context);
  check_grid_of_reference(reference, context);
  if (is_temperature_ladder(reference.at("path"))) complete_ladder(reference, context);
}

bool two_sided(const std::string& method) { return method == "bar" || method == "mbar"; }

constexpr std::int64_t kTrajectories = 200;

bool anneals(const Map& estimate) { return estimate.at("method").as_string() == "ais"; }

/// Draws that exist, or a model that is drawn from on a grid.
bool check_source(const Map& estimate, CheckContext& context) {
  const Value* samples = given(estimate, "samples");
  const Value* model = given(estimate, "model");
  if ((samples == nullptr) == (model == nullptr)) {
    context.complain({"E0421", samples == nullptr ? "" : "model", fmt::format("{} takes either `samples` or `model`, it has {}", context.block, samples == nullptr ? "neither" : "both"), {},
                      {"write `samples = …` for draws of a sample block, or `model = …` with `count` to draw here"}});
    return false;
  }
  if (samples != nullptr) {
    for (const std::string& name : variable_names()) {
      if (given(estimate, name) != nullptr) context.complain({"E0421", name, fmt::format("the samples of {} are at one state, a grid needs `model`", context.block), {}, {"write `model = …` in place of `samples`"}});
    }
    if (given(estimate, "stress") != nullptr) context.complain({"E0421", "stress", fmt::format("the samples of {} are there already, `stress` goes with `model`", context.block), {}, {"leave it out; mean_pressure(…) takes samples"}});
    if (given(estimate, "count") != nullptr && !anneals(estimate)) context.complain({"E0421", "count", fmt::format("{} uses all of its samples, `count` goes with `model`, or with ais", context.block), {}, {"leave it out"}});
  } else if (given(estimate, "count") == nullptr) {
    context.complain({"E0204", "", fmt::format("{} lacks `count`: how many samples it draws from the model", context.block), {}, {"write for instance `count = 2_000`"}});
  }
  return true;
}

/// Grids run over what the training left open, within its range.
void check_grid(const Map& estimate, CheckContext& context) {
  const schema::UpstreamTask trained = context.upstream(estimate.at("model"));
  const State wide = state_of(trained, context);
  if (!wide.system || !wide.ensemble) return;
  for (const Variable& variable : variables()) {
    const Value* grid = given(estimate, variable.name);
    const Value* range = wide.find(variable);
    const bool open = range != nullptr && is_interval(*range);
    if (grid == nullptr && open) {
      context.complain({"E0415", "", fmt::format("{} lacks `{}`, which `{}` leaves open", context.block, variable.name, trained.name),
                        {fmt::format("trained were {}", shown(context, range_of(*range), variable.dimension))}, {fmt::format("write for instance `{} = {}`, a value or a list", variable.name, shown(context, range_of(*range).middle(), variable.dimension))}});
    } else if (grid != nullptr && !open) {
      context.complain({"E0415", variable.name, fmt::format("`{}` was trained at one `{}`, {} has no choice of it", trained.name, variable.name, context.block), {}, {"leave it out"}});
    } else if (grid != nullptr && !(range_of(*range).holds(range_of(*grid).low) && range_of(*range).holds(range_of(*grid).high))) {
      context.complain({"E0414", variable.name, fmt::format("`{}` of {} lies outside the training of `{}`", variable.name, context.block, trained.name),
                        {fmt::format("the grid is {}, trained were {}", shown(context, range_of(*grid), variable.dimension), shown(context, range_of(*range), variable.dimension))},
                        {"stay within the range, or train on a wider one"}});
    }
  }
}

/// What a grid is estimated by, from draws of its own.
void check_grid_method(const Map& estimate, CheckContext& context) {
  const std::string& method = estimate.at("method").as_string();
  if (method == "lfep" || two_sided(method)) return;
  context.complain({"E0421", "method", fmt::format("{} estimates a grid of states, and that by lfep", context.block), {fmt::format("it asks for {}; each state has its `cumulant` and `ess` beside", method)},
                    {"write `method = lfep`, or `samples = …` of a sample block at one state"}});
}

constexpr std::int64_t kAuxiliaryDraws = 32;

void check_marginal(Map& estimate, const Value& source, CheckContext& context) {
  const Value* marginal = given(estimate, "marginal");
  if (marginal == nullptr || !marginal->as_bool()) {
    if (given(estimate, "aux_draws") != nullptr) context.complain({"E0422", "aux_draws", fmt::format("`aux_draws` of {} goes with `marginal`", context.block), {}, {"write `marginal = true`, or leave it out"}});
    return;
  }
  if (given(estimate, "aux_draws") == nullptr) estimate["aux_draws"] = kAuxiliaryDraws;
  const schema::UpstreamTask trained = training_of(source, context);
  if (trained.noun == "base") {
    context.complain({"E0422", "marginal", fmt::format("the Gaussian `{}` has no auxiliary copies to average over", trained.name), {}, {"leave `marginal` out, or train an `augmented_coupling`"}});
    return;
  }
  const Value* flow = trained.arguments == nullptr ? nullptr : given(*trained.arguments, "flow");
  if (flow == nullptr || flow->at("type").as_string() == "augmented_coupling") return;
  context.complain({"E0422", "marginal", fmt::format("the flow of `{}` has no auxiliary copies to average over", trained.name), {fmt::format("it is {}", flow->at("type").as_string())},
                    {"leave `marginal` out, or train an `augmented_coupling`"}});
}

/// What annealing takes; the samples say only from which model it goes.
void check_annealing(Map& estimate, CheckContext& context) {
  if (!anneals(estimate)) {
    for (const char* name : {"states", "moves"}) {
      if (given(estimate, name) != nullptr) context.complain({"E0421", name, fmt::format("{} of {} has no states between model and crystal, `{}` goes with ais", estimate.at("method").as_string(), context.block, name), {}, {"leave it out, or write `method = ais`"}});
    }
    return;
  }
  if (given(estimate, "marginal") != nullptr && estimate.at("marginal").as_bool()) {
    context.complain({"E0422", "marginal", fmt::format("ais of {} anneals the auxiliary copies with the atoms, there is nothing to average over", context.block), {}, {"leave `marginal` out, or write `method = lfep`"}});
  }
  const auto set = [&](const char* name, Value value) {
    if (given(estimate, name) == nullptr) estimate[name] = std::move(value);
  };
  set("count", kTrajectories);
  set("states", "auto");
  set("moves", 1);
}

/// Two sets of samples of one crystal.
void check_two_sides(const Map& estimate, CheckContext& context) {
  const schema::UpstreamTask drawn = context.upstream(estimate.at("samples"));
  const schema::UpstreamTask chains = context.upstream(estimate.at("data"));
  const State ours = state_of(drawn, context), theirs = state_of(chains, context);
  if (ours.system && theirs.system && *ours.system != *theirs.system) {
    context.complain({"E0404", "data", fmt::format("`{}` and `{}` differ in their system", drawn.name, chains.name), {}, {"give both the same system"}});
  }
  if (ours.ensemble && theirs.ensemble && *ours.ensemble != *theirs.ensemble) {
    context.complain({"E0404", "data", fmt::format("`{}` and `{}` differ in their ensemble", drawn.name, chains.name), {}, {"give both the same ensemble"}});
  }
  if (chains.noun == "data" && !theirs.ensemble) {
    context.complain({"E0405", "data", fmt::format("`{}` does not say at which conditions it was drawn", chains.name), {}, {"write `ensemble = …` in the data block"}});
  }
  if (carries_weights(chains)) {
    context.complain({"E0405", "data", fmt::format("the samples of `{}` carry weights, {} takes those of chains", chains.name, estimate.at("method").as_string()), {"ais anneals trajectories, each with its weight"},
                      {"take a reference with `method = mbar`; that of ais is a free energy by itself"}});
  }
}

/// The other methods need the samples of the model alone.
void check_estimate(Map& estimate, CheckContext& context) {
  leave_out(estimate, variable_names());
  leave_out(estimate, {"model", "stress"});
  if (!check_source(estimate, context)) return;
  const std::string& method = estimate.at("method").as_string();
  const Value* samples = given(estimate, "samples");
  check_annealing(estimate, context);
  check_marginal(estimate, samples == nullptr ? estimate.at("model") : *samples, context);
  if (samples == nullptr) {
    check_grid(estimate, context);
    check_grid_method(estimate, context);
  }
  const Value* data = given(estimate, "data");
  if (!two_sided(method)) {
    if (data != nullptr) context.complain({"E0405", "data", fmt::format("{} uses the samples of the model alone, `data` has no use", method), {}, {"leave `data` out, or write `method = bar`"}});
    return;
  }
  if (samples == nullptr) {
    context.complain({"E0405", "model", fmt::format("{} compares samples that exist, {} draws its own", method, context.block), {}, {"write `samples = …` of a sample block, or `method = lfep`"}});
    return;
  }
  if (data == nullptr) {
    context.complain({"E0405", "", fmt::format("{} lacks `data`: {} needs samples of the crystal beside those of the model", context.block, method), {},
                      {"write for instance `data = ref[n].samples`, or `method = lfep`"}});
    return;
  }
  check_two_sides(estimate, context);
}

/// One free energy in the conventions of its users.
std::vector<schema::Result> free_energies() {
  return {{"per_particle", ResultType::number, "", "beta F / N, Lambda = sigma, one site type"},
          {"energy_per_particle", ResultType::number, "energy", "F / N"},
          {"all_sublattices", ResultType::number, "", "beta F / N with all sites of the primitive cell, ln(n_p) / N less"},
          {"absolute", ResultType::number, "", "beta F / N with the true de Broglie length; needs `mass`"},
          {"calphy", ResultType::number, "", "beta F / N as calphy counts it, ln(N) / N less; needs `mass`"}};
}

KindSchema reference() {
  KindSchema kind;
  kind.noun = "reference";
  kind.version = 2;
  kind.makes = Makes::task;
  kind.doc = "The free energy without a network: Markov chains along a path of states";
  kind.attributes = {
      {"method", Type::word({"mbar", "ais"}), "mbar: chains in every state; ais: trajectories that are annealed through them", false, "mbar"},
      {"system", Type::reference({"system"}), "the crystal", true, {}},
      {"ensemble", Type::reference({"ensemble"}), "its conditions", true, {}},
      {"path", Type::constructor({"base_to_target", "einstein_crystal", "mapped_states", "replica_exchange", "temperature_ladder"}, {"lambda"}),
       "the states", true, {}},
      {"sampler", Type::constructor({"hmc", "langevin"}), "how a state is sampled", true, {}},
      {"seed", Type::of(TypeKind::seed), "root of the random numbers", true, {}},
      {"equilibrate", Type::quantity("time"), "of langevin, in each state, before anything is kept; a quarter of `produce` when left out", false, {}, {}, kPositive, "200 ps"},
      {"produce", Type::quantity("time"), "of langevin, in each state", false, {}, {}, kPositive, "2 ns"},
      {"stress", Type::of(TypeKind::boolean), "of hmc: pressures along the axes too, bound to the free energy by their errors, as surfaces need them", false, {}},
  };
  for (schema::Attribute& variable : grid_attributes()) kind.attributes.push_back(std::move(variable));
  kind.coordinates = grid_coordinates();
  kind.of_whole_grid = {"states", "overlap", "closure", "consistency", "largest_error", "largest_difference_error", "largest_drift", "calls_per_state"};
  kind.results = free_energies();
  kind.results.insert(kind.results.end(), {
                  {"mean_energy", ResultType::number, "energy", "per atom"},
                  {"pressure", ResultType::number, "pressure", "with `stress`: mean of the three axes"},
                  {"pressure_xx", ResultType::number, "pressure", "with `stress`: along x"},
                  {"pressure_yy", ResultType::number, "pressure", "with `stress`: along y"},
                  {"pressure_zz", ResultType::number, "pressure", "with `stress`: along z"},
                  {"acceptance", ResultType::number, "", "of the moves"},
                  {"overlap", ResultType::number, "", "of mbar: smallest between neighbouring states"},
                  {"residual", ResultType::number, "", "of the MBAR equations"},
                  {"inefficiency", ResultType::number, "", "moves for one independent sample"},
                  {"lindemann", ResultType::number, "", "rms displacement over the distance of nearest neighbours"},
                  {"left_basin", ResultType::number, "", "chains that left the crystal; of a ladder of temperatures, configurations"},
                  {"exchange", ResultType::number, "", "of replica_exchange: lowest rate of neighbouring temperatures"},
                  {"round_trips", ResultType::number, "", "of replica_exchange: of configurations from the cold end to the hot one and back"},
                  {"independent", ResultType::number, "", "of a ladder of temperatures: how many independent configurations its samples are worth"},
                  {"drift", ResultType::number, "", "of a ladder of temperatures, and of a state of a grid: standard errors between the halves of its energies"},
                  {"consistency", ResultType::number, "", "of a ladder of temperatures or a grid: standard errors between its anchors, of the two furthest apart"},
                  {"closure", ResultType::number, "", "of a grid: standard errors between what two neighbours have by themselves and by way of others, where it is most"},
                  {"largest_error", ResultType::number, "", "of a grid: standard error of beta F / N where it is largest"},
                  {"largest_difference_error", ResultType::number, "", "of a grid: standard error of the difference of beta F / N between neighbours, where it is largest"},
                  {"largest_drift", ResultType::number, "", "of a grid: standard errors between the halves of the energies of a state, where it is most"},
                  {"calls_per_state", ResultType::number, "", "of a grid: evaluations of the energy, without the anchors"},
                  {"over_temperature", ResultType::curve, "", "of a ladder of temperatures: beta F / N against T"},
                  {"exchange_rates", ResultType::curve, "", "of replica_exchange: of each temperature with the next, against T"},
                  {"cumulant", ResultType::number, "", "of ais: beta F / N by the second cumulant of the weights"},
                  {"ess", ResultType::number, "", "of ais: effective fraction of the trajectories"},
                  {"variance", ResultType::number, "", "of ais: of the log weights"},
                  {"largest_weight", ResultType::number, "", "of ais: share of the heaviest trajectory"},
                  {"pareto_k", ResultType::number, "", "of ais: shape of the tail of the weights; above 0.7 averages with them cannot be trusted"},
                  {"states", ResultType::number, "", "of ais: of the ladder that its pilot has found; of a grid: how many"},
                  {"samples", ResultType::samples, "", "configurations of the target state"}});
  kind.complete = check_reference;
  add_task_members(kind);
  return kind;
}

KindSchema estimate() {
  Type method = Type::word({"bar", "mbar", "lfep", "cumulant", "ess", "ais", "lbar", "tfep"});
  method.aliases = {{"lbar", "bar"}, {"tfep", "lfep"}};
  KindSchema kind;
  kind.noun = "estimate";
  kind.version = 5;  // data outside of the basin do not count; resampled sets that tell nothing are drawn again
  kind.makes = Makes::task;
  kind.doc = "The free energy from samples";
  kind.attributes = {
      {"method", method, "bar, mbar: both sides; lfep, cumulant, ess: the model's side; ais: annealed from the model to the crystal", false, "bar"},
      {"samples", Type::samples({"sample"}), "drawn from the model; ais anneals from the model behind them", false, {}},
      {"data", Type::samples({"reference", "md", "data"}), "drawn from the crystal", false, {}},
      {"model", Type::reference({"train"}), "drawn from here, on a grid of states", false, {}},
      {"count", Type::of(TypeKind::integer), "of ais: trajectories, 200 when left out; draws from `model` in each state", false, {}, {}, {1.0, {}, 1e9}, "2_000"},
      {"stress", Type::of(TypeKind::boolean), "on a grid: pressures along the axes too, bound to the free energy by their errors, as surfaces need them; an energy call a draw", false, {}},
      {"states", Type::any_of({Type::of(TypeKind::integer), Type::word({"auto"})}), "of ais: of the ladder, with both ends; as many as it needs, auto, when left out", false, {}, {}, {2.0, {}, 1000.0}, "12"},
      {"moves", Type::of(TypeKind::integer), "of ais: by hmc, in each state; 1 when left out", false, {}, {}, {1.0, {}, 1e6}, "2"},
      {"marginal", Type::of(TypeKind::boolean), "average over the auxiliary copies of an augmented flow", false, false},
      {"aux_draws", Type::of(TypeKind::integer), "of a marginal: auxiliary draws for each sample, beside the one it came with; 32 when left out", false, {}, {}, {1.0, {}, 1e6}, "64"},
      {"bootstrap", Type::of(TypeKind::integer), "resamplings for the error bar", false, 200, {}, {2.0, {}, 1e6}},
      {"seed", Type::of(TypeKind::seed), "of the resampling", false, {}},
  };
  for (schema::Attribute& variable : variable_attributes(one_or_list, "of the grid of states")) kind.attributes.push_back(std::move(variable));
  kind.coordinates = variable_attributes([](const Type& single) { return single; }, "of a state of the grid");
  kind.of_whole_grid = {"states", "least_ess", "largest_pareto_k", "largest_error", "calls_per_state"};
  kind.results = free_energies();
  kind.results.insert(kind.results.end(), {
                  {"overlap", ResultType::number, "", "of the two sides"},
                  {"forward", ResultType::number, "", "from the model's side"},
                  {"reverse", ResultType::number, "", "from the crystal's side"},
                  {"lfep", ResultType::number, "", "beta F / N by the exponential average of the weights"},
                  {"cumulant", ResultType::number, "", "beta F / N by their second cumulant, exact for Gaussian ones"},
                  {"residual", ResultType::number, "", "of the MBAR equations"},
                  {"ess", ResultType::number, "", "effective sample fraction"},
                  {"variance", ResultType::number, "", "of the log weights"},
                  {"largest_weight", ResultType::number, "", "share of the heaviest sample"},
                  {"pareto_k", ResultType::number, "", "shape of the tail of the weights; above 0.7 averages with them cannot be trusted"},
                  {"consistency", ResultType::number, "", "standard errors between lfep, cumulant and bar of the same samples, of the two furthest apart"},
                  {"states", ResultType::number, "", "of ais: of the ladder; of a grid: how many"},
                  {"acceptance", ResultType::number, "", "of ais: of the moves"},
                  {"left_basin", ResultType::number, "", "draws, of ais trajectories, that ended outside of the crystal and weigh nothing"},
                  {"data_left_basin", ResultType::number, "", "of the data: configurations outside of the crystal, not counted"},
                  {"unreached", ResultType::number, "", "of the data: configurations where the model has no density"},
                  {"mean_energy", ResultType::number, "energy", "of ais: per atom, at the ends; of a state of a grid: under the weights"},
                  {"pressure", ResultType::number, "pressure", "of a state of a grid, with `stress`: mean of the three axes"},
                  {"pressure_xx", ResultType::number, "pressure", "of a state of a grid, with `stress`: along x"},
                  {"pressure_yy", ResultType::number, "pressure", "of a state of a grid, with `stress`: along y"},
                  {"pressure_zz", ResultType::number, "pressure", "of a state of a grid, with `stress`: along z"},
                  {"least_ess", ResultType::number, "", "of a grid: effective fraction where it is least"},
                  {"largest_pareto_k", ResultType::number, "", "of a grid: shape of the tail of the weights where it is heaviest; above 0.7 that state cannot be trusted"},
                  {"largest_error", ResultType::number, "", "of a grid: standard error of beta F / N where it is largest"},
                  {"calls_per_state", ResultType::number, "", "of a grid: evaluations of the energy"},
                  {"work_forward", ResultType::curve, "", "density of the work from model to crystal, in kT, on samples of the model"},
                  {"work_reverse", ResultType::curve, "", "the same on those of the crystal"}});
  kind.complete = check_estimate;
  add_task_members(kind);
  return kind;
}

KindSchema rdf() {
  KindSchema kind;
  kind.noun = "rdf";
  kind.makes = Makes::task;
  kind.doc = "Radial distribution function of samples";
  kind.attributes = {{"of", Type::samples({"sample", "reference", "md", "data"}), "configurations", true, {}},
                     {"weighted", Type::of(TypeKind::boolean), "use the weights of the samples", false, false},
                     {"bins", Type::of(TypeKind::integer), "up to half the box", false, 200, {}, {2.0, {}, 1e5}}};
  kind.results = {{"curve", ResultType::curve, "", "r and g"}};
  kind.complete = [](Map& arguments, CheckContext& context) { expect_weights(arguments, context.upstream(arguments.at("of")), context); };
  add_task_members(kind);
  return kind;
}

}  // namespace

void add_estimate_kinds(schema::Catalog& catalog) {
  catalog.add(reference());
  catalog.add(estimate());
  catalog.add_function(rdf());
  const schema::Attribute states{"states", Type::of(TypeKind::integer), "with both ends", true, {}, {}, {2.0, {}, 1000.0}, "3"};
  schema::Attribute or_auto = states;
  or_auto.type = Type::any_of({states.type, Type::word({"auto"})});
  or_auto.doc = "of the ladder, with both ends; auto: as many as annealing needs";
  catalog.add(ConstructorSchema{"base_to_target", {{"base", Type::reference({"base"}), "where the path begins", true, {}}, or_auto}, "States between a Gaussian and the crystal"});
  catalog.add(ConstructorSchema{"einstein_crystal", {{"spring", Type::quantity("spring"), "that ties each atom to its site: energy (spring / 2) |u|^2", true, {}, {}, kPositive, "5 kcal/mol/angstrom^2"}, or_auto},
                                "States between independent oscillators and the crystal"});
  constexpr int kLadderVersion = 2;  // correlations are shrunk between waves along the ladder: larger errors
  catalog.add(ConstructorSchema{"temperature_ladder", ladder_arguments(), "The crystal at several temperatures by themselves, tied to references at some of them", false, kLadderVersion});
  catalog.add(ConstructorSchema{"lambda", {{"from", Type::of(TypeKind::number), "where it begins", true, {}, {}, {0.0, {}, {}}, "0"},
                                           {"to", Type::of(TypeKind::number), "where it ends", true, {}, {}, {0.0, {}, {}}, "21"}, states},
                                "States of the crystal as the three-body term grows", true});
  catalog.add(ConstructorSchema{"mapped_states", mapped_states_arguments(), "The crystal on a grid of states, whose neighbours share their samples, tied to references at some of them"});
  catalog.add(ConstructorSchema{"replica_exchange", ladder_arguments(), "The crystal at several temperatures that change places, tied to references at some of them: for one that freezes in one of several forms", false, kLadderVersion});
  catalog.add(ConstructorSchema{"hmc",
                                {{"chains", Type::of(TypeKind::integer), "side by side; of ais: trajectories", true, {}, {}, {1.0, {}, 1e6}, "16"},
                                 {"steps", Type::of(TypeKind::integer), "recorded moves per chain and state, at least 4; of ais: moves in each state", true, {}, {}, {1.0, {}, 1e9}, "64"}},
                                "Hamiltonian Monte Carlo"});
}

}  // namespace bgw::catalog
