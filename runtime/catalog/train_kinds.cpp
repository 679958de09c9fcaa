#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/catalog/flow_checks.h"
#include "runtime/catalog/kinds.h"
#include "runtime/catalog/lattice_checks.h"
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

std::string place_in(const Value& stage, const char* attribute) { return fmt::format("stage.{}.{}", stage.at("name").as_string(), attribute); }

/// An interval makes the training a family of states: the flow has to know which.
void check_conditions(const Map& train, CheckContext& context) {
  const Value* listed = given(train.at("flow"), "condition_on");
  std::string names;
  for (const Value& name : listed == nullptr ? schema::List{} : listed->as_list()) names += name.as_string() + ", ";
  for (const Variable& variable : state_of(train).open()) {
    if (names.find(variable.name + ",") != std::string::npos) continue;
    context.complain({"E0412", "flow", fmt::format("the flow of {} is not conditioned on `{}`", context.block, variable.name),
                      {fmt::format("`{}` is an interval in the {}", variable.name, variable.holder)},
                      {fmt::format("write `condition_on = [{}{}]` in the flow, or one value in the {}", names, variable.name, variable.holder)}});
  }
}

/// A number that the flow takes though it is fixed. Where a lattice has no such number at all, the flow is one for several.
void warn_of_fixed(const Map& train, CheckContext& context) {
  const Value* listed = given(train.at("flow"), "condition_on");
  if (listed == nullptr) return;
  const State state = state_of(train);
  for (const Variable& variable : variables()) {
    const Value* value = state.find(variable);
    const bool asked = std::any_of(listed->as_list().begin(), listed->as_list().end(), [&](const Value& name) { return name.as_string() == variable.name; });
    if (!asked || value == nullptr || is_interval(*value)) continue;
    context.complain({"W0523", "flow", fmt::format("the flow of {} is conditioned on `{}`, which has one value", context.block, variable.name),
                      {fmt::format("it is {} in the {}", shown(context, value->as_double(), variable.dimension), variable.holder)},
                      {fmt::format("write an interval in the {}, or leave `{}` out of `condition_on`", variable.holder, variable.name)}, true});
  }
}

constexpr std::int64_t kSamplesOfAState = 8;  // of ConditionalTraining

/// Weights of a training over ranges are known among those of one state.
void check_weights_of_states(const Value& stage, const Variable& open, CheckContext& context) {
  const std::string& name = stage.at("name").as_string();
  for (const char* end : {"until_ess", "until_error"}) {
    if (given(stage, end) == nullptr) continue;
    context.complain({"E0428", place_in(stage, end), fmt::format("`{}` of stage `{}` judges the weights of one state, {} leaves `{}` open", end, name, context.block, open.name),
                      {fmt::format("weights are compared among the {} samples that share a state, too few to tell", kSamplesOfAState)},
                      {"leave it out, and look at the `least_ess` of an `estimate` on a grid"}});
  }
  const std::int64_t batch = stage.at("batch").as_int();
  if (batch % kSamplesOfAState == 0) return;
  context.complain({"E0428", place_in(stage, "batch"), fmt::format("stage `{}` has {} samples a step, {} of each state", name, batch, kSamplesOfAState),
                    {"the weights of fewer are compared among fewer, and one alone says nothing"},
                    {fmt::format("write `batch = {}`", (batch / kSamplesOfAState + 1) * kSamplesOfAState)}});
}

/// Where something else is open, a temperature of a stage would not be heard.
void check_fixed_temperature(const Value& stage, const Value& temperature, const Range& own, CheckContext& context) {
  if (temperature.is_list() && temperature.as_list().empty()) return;
  const Range walked = range_of(temperature);
  if (own.holds(walked.low) && own.holds(walked.high)) return;
  context.complain({"E0428", place_in(stage, "temperature"), fmt::format("stage `{}` has a `temperature` of its own, {} is at one and leaves others open", stage.at("name").as_string(), context.block),
                    {fmt::format("the stage has {}, the training {}", shown(context, walked, "temperature"), shown(context, own, "temperature"))},
                    {"write an interval as the `temperature` of the ensemble and condition the flow on it, or leave it out of the stage"}});
}

/// What a stage over ranges cannot do, and what a stage at one state cannot do yet.
void check_ranges(const Value& stage, const Map& train, CheckContext& context) {
  const State state = state_of(train);
  const std::vector<Variable> open = state.open();
  const auto leaves_open = [&](const char* name) { return std::any_of(open.begin(), open.end(), [&](const Variable& variable) { return variable.name == name; }); };
  const Value *temperature = given(stage, "temperature"), *density = given(stage, "density");
  if (density != nullptr && !leaves_open("density")) context.not_yet("`stage.density` of a training at one density");
  if (temperature != nullptr && !open.empty() && !leaves_open("temperature")) {
    check_fixed_temperature(stage, *temperature, range_of(state.ensemble->at("temperature")), context);
  }
  if (temperature != nullptr && is_interval(*temperature) && open.empty()) context.not_yet("an interval as `stage.temperature` of a training at one temperature");
  const std::string& loss = stage.at("loss").at("call").as_string();
  if (!open.empty() && loss == "reverse_kl") check_weights_of_states(stage, open.front(), context);
  if (open.empty() || loss == "reverse_kl" || loss == "force_matching") return;
  context.complain({"E0428", place_in(stage, "loss"), fmt::format("{} of stage `{}` learns from data, which are of one state; {} leaves `{}` open", loss, stage.at("name").as_string(), context.block, open.front().name), {},
                    {"write `loss = reverse_kl`, which needs no data"}});
}

/// Where a schedule ends: its last value, or all of its interval.
Range end_of(const Value& schedule) {
  return schedule.is_list() ? range_of(schedule.as_list().back()) : range_of(schedule);
}

bool same(const Range& a, const Range& b) { return a.holds(b.low) && a.holds(b.high) && b.holds(a.low) && b.holds(a.high); }

/// A stage trains where the training is asked for, and the last one ends there.
void check_schedule(const Value& stage, bool last, const char* name, const char* dimension, const Value& target, CheckContext& context) {
  const Value* schedule = given(stage, name);
  if (schedule == nullptr) return;
  if (schedule->is_list() && schedule->as_list().empty()) {
    context.complain({"E0416", place_in(stage, name), fmt::format("`{}` of stage `{}` lists nothing", name, stage.at("name").as_string()), {}, {"leave it out"}});
    return;
  }
  if (schedule->is_list() && std::ssize(schedule->as_list()) > stage.at("steps").as_int()) {
    context.complain({"E0416", place_in(stage, name), fmt::format("stage `{}` has fewer steps than values of `{}`", stage.at("name").as_string(), name),
                      {fmt::format("{} steps, {} values", stage.at("steps").as_int(), schedule->as_list().size())}, {"give it more steps, or list fewer"}});
    return;
  }
  const Range asked = range_of(target), walked = range_of(*schedule);
  if (is_interval(target) && !(asked.holds(walked.low) && asked.holds(walked.high))) {
    context.complain({"E0416", place_in(stage, name), fmt::format("`{}` of stage `{}` leaves the range of {}", name, stage.at("name").as_string(), context.block),
                      {fmt::format("the stage has {}, the training {}", shown(context, walked, dimension), shown(context, asked, dimension))},
                      {"stay within the range, or widen it"}});
  } else if (last && !same(end_of(*schedule), asked)) {
    context.complain({"W0520", place_in(stage, name), fmt::format("the last stage of {} does not end at its {}", context.block, name),
                      {fmt::format("it ends at {}, the training is for {}", shown(context, end_of(*schedule), dimension), shown(context, asked, dimension))},
                      {fmt::format("end at {}", shown(context, asked, dimension))}, true});
  }
}

/// The crystals of a curriculum over sizes all exist and are wide enough for the potential.
void check_sizes(const Value& stage, bool last, const Value& system, CheckContext& context) {
  const Value* sizes = given(stage, "atoms");
  const Value* own = given(system.at("lattice"), "atoms");
  if (sizes == nullptr) return;
  const std::string place = place_in(stage, "atoms");
  if (is_interval(*sizes)) {
    context.complain({"E0416", place, fmt::format("the sizes of stage `{}` are an interval", stage.at("name").as_string()), {"few atom counts fill a box"}, {"list them, as `atoms = [64, 216]`"}});
    return;
  }
  const schema::List list = sizes->is_list() ? sizes->as_list() : schema::List{*sizes};
  for (const Value& atoms : list) {
    if (!expect_filled(system.at("lattice"), atoms.as_int(), place, context)) return;
    expect_wide_box(system, atoms.as_int(), place, context);
  }
  if (own != nullptr && last) check_schedule(stage, last, "atoms", "", *own, context);
}

/// The conditions of a stage: those of the training, at the stage's own temperature where it has a single one.
Value ensemble_of(const Value& stage, const Value& ensemble) {
  const Value* schedule = given(stage, "temperature");
  if (schedule == nullptr || !schedule->is_number()) return ensemble;
  Map own = ensemble.as_map();
  own["temperature"] = *schedule;
  return own;
}

/// Where forward_kl and mixed get their configurations from.
void check_data(const Value& stage, const Map& train, CheckContext& context) {
  const Value* data = given(stage, "data");
  const std::string& loss = stage.at("loss").at("call").as_string();
  const bool learns_from_data = loss == "forward_kl" || loss == "mixed";
  if (!learns_from_data && data != nullptr) {
    context.complain({"E0428", place_in(stage, "data"), fmt::format("{} of stage `{}` draws from the {}, `data` has no use", loss, stage.at("name").as_string(), loss == "reverse_kl" ? "model" : "base"), {}, {"leave it out, or write `loss = forward_kl`"}});
  }
  if (learns_from_data && data == nullptr) {
    context.complain({"E0428", place_in(stage, "loss"), fmt::format("{} of stage `{}` needs configurations of the crystal, the stage has no `data`", loss, stage.at("name").as_string()), {},
                      {"write for instance `data = harmonic(…, ensemble = …)`"}});
  }
  if (data == nullptr) return;
  const bool harmonic = data->find("call") != nullptr;
  if (!harmonic && carries_weights(context.upstream(*data))) {
    context.complain({"E0428", place_in(stage, "data"), fmt::format("the samples of `{}` carry weights, {} of stage `{}` learns from those of chains", context.upstream(*data).name, loss, stage.at("name").as_string()), {},
                      {"take a reference with `method = mbar`, dynamics, or `harmonic(…)`"}});
    return;
  }
  const State theirs = harmonic ? state_of(data->as_map()) : state_of(context.upstream(*data), context);
  const State mine = state_of(train);
  const std::string other = harmonic ? "its data" : fmt::format("`{}`", context.upstream(*data).name);
  expect_same(mine.system, theirs.system, "system", place_in(stage, "data"), other, context);
  if (mine.ensemble) expect_same(ensemble_of(stage, *mine.ensemble), theirs.ensemble, "ensemble", place_in(stage, "data"), other, context);
}

/// A learned force has to be learned before it is used, and one that is not there cannot be.
void check_force_matching(const Map& train, CheckContext& context) {
  const bool learned = given(train.at("flow"), "force") != nullptr;
  bool any = false;
  for (const Value& stage : train.at("stages").as_list()) {
    const Value& loss = stage.at("loss");
    if (loss.at("call").as_string() != "force_matching") continue;
    any = true;
    const std::string& name = stage.at("name").as_string();
    if (!learned) {
      context.complain({"E0428", place_in(stage, "loss"), fmt::format("stage `{}` matches forces, the flow of {} learns none", name, context.block), {},
                        {"write `force = learned(neighbours = …)` in a flow of type mode_split, or take another loss"}});
    }
    for (const char* end : {"until_ess", "until_error"}) {
      if (given(stage, end) == nullptr) continue;
      context.complain({"E0428", place_in(stage, end), fmt::format("stage `{}` matches forces and draws no samples, `{}` has no use", name, end), {}, {"leave it out"}});
    }
    if (loss.at("smallest").as_double() > loss.at("largest").as_double()) {
      context.complain({"E0428", place_in(stage, "loss"), fmt::format("the smallest amplitude of stage `{}` is above its largest", name),
                        {fmt::format("{} > {}", loss.at("smallest").as_double(), loss.at("largest").as_double())}, {"exchange the two"}});
    }
  }
  if (learned && !any && given(train, "warm_start") == nullptr) {
    context.complain({"E0428", "flow", fmt::format("{} never learns the force of its flow", context.block), {"no stage of it matches forces, and it starts from no other training"},
                      {"begin with a stage of `loss = force_matching`"}});
  }
}

void check_linear_part(const Value& stage, const Value& system, CheckContext& context) {
  const Value* below = given(stage, "linearize_below");
  if (below == nullptr) return;
  const double nearest = nearest_distance(system.at("lattice"));
  if (below->as_double() < nearest) return;
  context.complain({"E0419", place_in(stage, "linearize_below"), fmt::format("`linearize_below` of stage `{}` reaches the nearest neighbours", stage.at("name").as_string()),
                    {fmt::format("they are {} apart, the energy would be changed below {}", shown(context, nearest, "length"), shown(context, below->as_double(), "length"))},
                    {"take about half their distance"}});
}

/// What a training leaves open: its parameters are polynomials in these.
std::vector<std::string> open_in(const Map& train) {
  std::vector<std::string> names;
  for (const Variable& variable : state_of(train).open()) names.push_back(variable.name);
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "nothing" : fmt::format("`{}`", fmt::join(names, "` and `"));
}

void check_warm_start(const Map& train, CheckContext& context) {
  const Value* start = given(train, "warm_start");
  const schema::UpstreamTask other = start == nullptr ? schema::UpstreamTask{} : context.upstream(*start);
  if (other.arguments == nullptr) return;
  if (other.arguments->at("flow") != train.at("flow")) {
    context.complain({"E0427", "warm_start", fmt::format("{} cannot start from `{}`: their flows differ", context.block, other.name), {}, {"give both the same `flow`"}});
  } else if (const std::vector<std::string> mine = open_in(train), theirs = open_in(*other.arguments); mine != theirs) {
    context.complain({"E0427", "warm_start", fmt::format("{} cannot start from `{}`: their flows are functions of different states", context.block, other.name),
                      {fmt::format("{} leaves {} open, `{}` {}", context.block, listed(mine), other.name, listed(theirs))}, {"leave the same open in both, or leave `warm_start` out"}});
  } else {
    expect_movable(other, train.at("system"), "warm_start", context);
  }
}

/// Springs have no kernels in float32.
void check_float32(const Map& train, CheckContext& context) {
  const Value& flow = train.at("flow");
  if (train.at("precision").as_string() != "float32" || flow.at("type").as_string() != "mode_split" || given(flow, "force") != nullptr) return;
  const std::string& style = train.at("system").at("potential").at("style").as_string();
  if (style != "einstein" && style != "harmonic") return;
  context.complain({"E0428", "precision", fmt::format("{} asks for forces in float32, the potential has none", context.block), {fmt::format("its style is {}", style)},
                    {"leave `precision` out"}});
}

/// A stage that says nothing of the density is as it was before stages could.
void leave_out_densities(Map& train) {
  schema::List stages = train.at("stages").as_list();
  for (Value& stage : stages) {
    Map members = stage.as_map();
    leave_out(members, {"density"});
    stage = std::move(members);
  }
  train["stages"] = std::move(stages);
}

void check_train(Map& train, CheckContext& context) {
  leave_out_densities(train);
  const schema::UpstreamTask base = context.upstream(train.at("base"));
  const State mine = state_of(train);
  if (base.arguments != nullptr) {
    const State theirs = state_of(base, context);
    const std::string other = fmt::format("`{}`", base.name);
    expect_same(mine.system, theirs.system, "system", "base", other, context);
    expect_same(mine.ensemble, theirs.ensemble, "ensemble", "base", other, context);
  }
  check_float32(train, context);
  expect_fitting_base(train.at("flow"), base, {"flow", "base"}, context);
  expect_closed_shells(train.at("flow"), *mine.system, "flow", context);
  check_conditions(train, context);
  warn_of_fixed(train, context);
  check_warm_start(train, context);
  check_force_matching(train, context);
  const schema::List& stages = train.at("stages").as_list();
  if (stages.empty()) {
    context.complain({"E0204", "", fmt::format("{} has no `stage`: the `when` of each is false", context.block), {}, {"let one of them hold for every member"}});
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const bool last = i + 1 == stages.size();
    check_schedule(stages[i], last, "temperature", "temperature", mine.ensemble->at("temperature"), context);
    check_schedule(stages[i], last, "density", "density", mine.system->at("lattice").at("density"), context);
    check_sizes(stages[i], last, *mine.system, context);
    check_ranges(stages[i], train, context);
    check_data(stages[i], train, context);
    check_linear_part(stages[i], *mine.system, context);
  }
}

schema::NestedSchema stage() {
  schema::NestedSchema stage;
  stage.kind = "stage";
  stage.member = "stages";
  stage.many = true;
  stage.required = true;
  stage.doc = "One stretch of training, in order";
  stage.attributes = {
      {"when", Type::of(TypeKind::boolean), "known before anything runs: false leaves the stage out", false, true},
      {"loss", Type::constructor({"reverse_kl", "forward_kl", "mixed", "force_matching"}), "what is made small", true, {}},
      {"steps", Type::of(TypeKind::integer), "gradient steps", true, {}, {}, {1.0, {}, 1e9}, "60"},
      {"batch", Type::of(TypeKind::integer), "samples a step", false, 16, {}, {1.0, {}, 1e7}},
      {"learning_rate", Type::any_of({Type::of(TypeKind::number), Type::constructor({"one_cycle", "cosine", "decay"})}),
       "of Adam", false, 2e-2, {}, kPositive},
      {"temperature", schedule(Type::quantity("temperature")), "one value, a list taken in order, or an interval that is drawn from; that of the ensemble when left out", false, {}, {}, kPositive, "[600 K, 400 K]"},
      {"density", schedule(Type::quantity("density")), "the same of the density of a lattice that leaves it open", false, {}, {}, kPositive, "0.05 /angstrom^3"},
      later({"atoms", schedule(Type::of(TypeKind::integer)), "sizes of the crystal, taken in order", false, {}, {}, {1.0, {}, 1e7}, "[64, 216]"}),
      {"data", Type::any_of({Type::constructor({"harmonic"}), Type::samples({"md", "data", "reference", "sample"})}), "configurations that forward_kl learns from", false, {}, {}, {}, "harmonic(…, ensemble = …)"},
      {"linearize_below", Type::quantity("length"), "below this distance the pair energy goes on as its tangent", false, {}, {}, kPositive, "1.2 angstrom"},
      {"grad_clip", Type::of(TypeKind::number), "longest gradient; longer ones are shortened to it", false, {}, {}, kPositive, "1e4"},
      {"optimizer", Type::constructor({"adam"}), "memory of Adam; adam(0.9, 0.99) when left out", false, {}, {}, {}, "adam(0.9, 0.999)"},
      {"average", Type::of(TypeKind::number), "the stage ends with the mean of its parameters, whose memory fades by this factor a step", false, {}, {}, {{}, 0.0, 0.999999999}, "0.99"},
      {"until_ess", Type::of(TypeKind::number), "ends the stage early: effective fraction of its latest 1,024 samples", false, {}, {}, {{}, 0.0, 1.0}, "0.8"},
      {"until_error", Type::of(TypeKind::number), "ends the stage early: standard error of beta F / N from its latest 1,024 samples", false, {}, {}, kPositive, "1e-4"},
  };
  return stage;
}

KindSchema train() {
  KindSchema kind;
  kind.noun = "train";
  kind.makes = Makes::task;
  kind.doc = "Finds the parameters of a flow";
  kind.attributes = {
      {"system", Type::reference({"system"}), "the crystal", true, {}},
      {"ensemble", Type::reference({"ensemble"}), "its conditions", true, {}},
      {"base", Type::reference({"base"}), "the Gaussian", true, {}},
      {"flow", Type::reference({"flow"}), "the bijection", true, {}},
      {"seed", Type::of(TypeKind::seed), "root of the random numbers", true, {}},
      {"warm_start", Type::reference({"train"}), "training whose parameters it begins with", false, {}, {}, {}, "bg[prev(n)]"},
  };
  kind.nested.push_back(stage());
  kind.results = {{"loss", ResultType::number, "", "mean of the last batches, kT"}, {"ess", ResultType::number, "", "effective sample fraction"},
                  {"outside", ResultType::number, "", "data of forward_kl where the model had no density, left out"},
                  {"loss_history", ResultType::curve, "", "loss against step, kT"},
                  {"ess_history", ResultType::curve, "", "running effective fraction against step"}};
  kind.complete = check_train;
  kind.version = 4;  // smaller portions of a batch; polynomial gains carry the scale of their modes
  add_task_members(kind);
  for (schema::Attribute& attribute : kind.attributes) {
    if (attribute.name != "precision") continue;
    attribute.type = Type::word({"float64", "float32"});
    attribute.doc = "of the networks or forces of a flow; states, weights and energies are float64";
  }
  return kind;
}

}  // namespace

void add_train_kinds(schema::Catalog& catalog) {
  catalog.add(train());
  const schema::Attribute peak{"peak", Type::of(TypeKind::number), "largest rate", true, {}, {}, kPositive, "2e-2"};
  const schema::Attribute gradient{"gradient", Type::word({"path", "total"}), "estimator of the gradient", false, "path"};
  catalog.add(ConstructorSchema{"reverse_kl", {gradient}, "Kullback-Leibler divergence of the model from the target"});
  catalog.add(ConstructorSchema{"forward_kl", {}, "that of the target from the model: the likelihood of data"});
  catalog.add(ConstructorSchema{"mixed", {{"alpha", Type::of(TypeKind::number), "weight of forward_kl, the rest is reverse_kl", true, {}, {}, {0.0, {}, 1.0}, "0.5"}, gradient},
                                "Both divergences"});
  const schema::Bounds amplitude{{}, 0.0, 10.0};
  catalog.add(ConstructorSchema{"force_matching",
                                {{"labels", Type::of(TypeKind::integer), "fields on which the true force is computed, turned by the symmetry of the crystal and learned from again and again; new ones every step when left out", false, {}, {}, {1.0, {}, 1e8}, "2_000"},
                                 {"smallest", Type::of(TypeKind::number), "amplitude of the fields, from this times the draws of the base", false, 0.75, {}, amplitude},
                                 {"largest", Type::of(TypeKind::number), "to this", false, 1.1, {}, amplitude}},
                                "Squared error of a learned force, in whitened modes; moves its network and nothing else"});
  catalog.add(ConstructorSchema{"one_cycle", {peak}, "up to the peak and down again"});
  catalog.add(ConstructorSchema{"cosine", {peak}, "from the peak down to zero"});
  catalog.add(ConstructorSchema{"decay",
                                {{"rate", Type::of(TypeKind::number), "at the beginning", true, {}, {}, kPositive, "7e-5"},
                                 {"at", Type::list(Type::of(TypeKind::integer)), "steps at which it drops", true, {}, {}, {1.0, {}, 1e9}, "[250_000, 500_000]"},
                                 {"factor", Type::of(TypeKind::number), "of each drop", false, 0.1, {}, {{}, 0.0, 1.0}}},
                                "constant, with drops"});
  const schema::Bounds memory{0.0, {}, 0.999999999};
  catalog.add(ConstructorSchema{"adam",
                                {{"first", Type::of(TypeKind::number), "of the mean gradient", false, 0.9, {}, memory},
                                 {"second", Type::of(TypeKind::number), "of the mean square", false, 0.99, {}, memory}},
                                "Adam with these memories, as factors a step"});
  catalog.add(ConstructorSchema{"harmonic",
                                {{"system", Type::reference({"system"}), "the crystal", true, {}},
                                 {"ensemble", Type::reference({"ensemble"}), "its conditions", true, {}}},
                                "Draws of the harmonic crystal: they cost nothing"});
}

}  // namespace bgw::catalog
