#include <algorithm>
#include <array>
#include <cctype>

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

/// `at(model, …)`: every variable that the training left open is fixed within its range, and no other.
void check_state(const Value& call, CheckContext& context) {
  const schema::UpstreamTask trained = context.upstream(call.at("model"));
  const State wide = state_of(trained, context);
  if (!wide.system || !wide.ensemble) return;
  for (const Variable& variable : variables()) {
    const Value* value = given(call, variable.name);
    const Value* range = wide.find(variable);
    const bool open = range != nullptr && is_interval(*range);
    if (value == nullptr && open) {
      context.complain({"E0413", "model", fmt::format("{} draws at one state, `{}` is open in `{}`", context.block, variable.name, trained.name), {},
                        {fmt::format("write for instance `model = at({}, {} = {})`", trained.name, variable.name, shown(context, range_of(*range).middle(), variable.dimension))}});
    } else if (value != nullptr && !open) {
      context.complain({"E0415", "model", fmt::format("`{}` was trained at one `{}`, {} cannot draw at another", trained.name, variable.name, context.block), {}, {"leave it out of `at(…)`"}});
    } else if (value != nullptr && !range_of(*range).holds(value->as_double())) {
      context.complain({"E0414", "model", fmt::format("`{}` of {} lies outside the training of `{}`", variable.name, context.block, trained.name),
                        {fmt::format("it is {}, trained were {}", shown(context, value->as_double(), variable.dimension), shown(context, range_of(*range), variable.dimension))},
                        {"stay within the range, or train on a wider one"}});
    }
  }
}

/// Every variable that the training left open has a value within its range where the model goes.
bool expect_within_training(const State& wide, const State& there, const std::string& trained, CheckContext& context) {
  bool within = true;
  const auto complain = [&](std::string message, std::vector<std::string> notes, std::string help) {
    within = false;
    context.complain({"E0414", "model", std::move(message), std::move(notes), {std::move(help)}});
  };
  for (const Variable& variable : wide.open()) {
    const Range range = range_of(*wide.find(variable));
    const Value* value = there.find(variable);
    if (value == nullptr) {
      complain(fmt::format("{} moves `{}` to a state without `{}`, which its training leaves open", context.block, trained, variable.name),
               {fmt::format("trained were {}", shown(context, range, variable.dimension))},
               fmt::format("write one value of `{}` in the {} it goes to, or train at one", variable.name, variable.holder));
    } else if (value->is_number() && !range.holds(value->as_double())) {
      complain(fmt::format("`{}` of {} lies outside the training of `{}`", variable.name, context.block, trained),
               {fmt::format("it is {}, trained were {}", shown(context, value->as_double(), variable.dimension), shown(context, range, variable.dimension))},
               "stay within the range, or train on a wider one");
    }
  }
  return within;
}

/// `transfer(model, to, base)`: the base must be one of the system it goes to, at conditions of the training.
void check_transfer(const Value& call, CheckContext& context) {
  const schema::UpstreamTask base = context.upstream(call.at("base"));
  const schema::UpstreamTask trained = context.upstream(call.at("model"));
  if (base.arguments == nullptr || trained.arguments == nullptr) return;
  const State there = state_of(base, context);
  const std::string other = fmt::format("`{}`", base.name);
  expect_same(call.at("to"), there.system, "system", "model", other, context);
  const State wide = state_of(trained, context);
  if (expect_within_training(wide, there, trained.name, context)) expect_within({there.system, wide.ensemble}, there, "model", other, context);
  const Value& flow = trained.arguments->at("flow");
  expect_movable(trained, call.at("to"), "model", context);
  expect_fitting_base(flow, base, {"model", "model"}, context);
  expect_closed_shells(flow, call.at("to"), "model", context);
  for (const Variable& variable : there.open()) {
    context.complain({"E0413", "model", fmt::format("{} draws at one state, {} leaves `{}` open", context.block, other, variable.name), {},
                      {fmt::format("give `to` and `base` one state, as `at(…, {} = …)`", variable.name)}});
  }
}

void check_sample(Map& sample, CheckContext& context) {
  const Value& model = sample.at("model");
  if (const Value* call = model.find("call")) return call->as_string() == "at" ? check_state(model, context) : check_transfer(model, context);
  check_state(Map{{"call", "at"}, {"model", model}}, context);
}

KindSchema sample() {
  KindSchema kind;
  kind.noun = "sample";
  kind.makes = Makes::task;
  kind.version = 4;  // draws outside of the crystal weigh nothing; float32 forces on a grid
  kind.doc = "Draws from a trained flow or from a base, with their weights";
  kind.attributes = {
      {"model", Type::any_of({Type::reference({"train", "base"}), Type::constructor({"transfer", "at"})}), "what is drawn from: a trained flow, or a base itself", true, {}},
      {"count", Type::of(TypeKind::integer), "samples", true, {}, {}, {1.0, {}, 1e9}, "4_000"},
      {"batch", Type::of(TypeKind::integer), "samples at once", false, 500, {}, {1.0, {}, 1e7}},
      {"seed", Type::of(TypeKind::seed), "root of the random numbers", true, {}},
  };
  schema::Attribute keep{"keep", Type::list(Type::word({"energy", "log_prob", "positions"})), "what is stored", false,
                         schema::List{"energy", "log_prob", "positions"}};
  keep.only = keep.otherwise;
  kind.attributes.push_back(keep);
  kind.results = {{"ess", ResultType::number, "", "effective sample fraction"},
                  {"per_particle", ResultType::number, "", "beta F / N"},
                  {"variance", ResultType::number, "", "of the log weights"},
                  {"largest_weight", ResultType::number, "", "share of the heaviest sample"},
                  {"pareto_k", ResultType::number, "", "shape of the tail of the weights; above 0.7 averages with them cannot be trusted"},
                  {"left_basin", ResultType::number, "", "draws outside of the crystal, which weigh nothing"},
                  {"samples", ResultType::samples, "", "the configurations"}};
  kind.complete = check_sample;
  add_task_members(kind);
  return kind;
}

constexpr double kMostFrames = 1e7;
// The largest product of time step and angular frequency: some twelve steps a period. Verlet is unstable at 2.
constexpr double kLargestPhase = 0.5;

void check_times(const Map& md, CheckContext& context) {
  const double step = md.at("timestep").as_double(), every = md.at("every").as_double(), produce = md.at("produce").as_double();
  const auto complain = [&](const char* attribute, std::string message, std::string note, std::string help) {
    context.complain({"E0420", attribute, std::move(message), {std::move(note)}, {std::move(help)}});
  };
  if (every > produce) {
    complain("every", fmt::format("{} produces less than one configuration", context.block),
             fmt::format("`every` is {}, `produce` {}", shown(context, every, "time"), shown(context, produce, "time")), "take a smaller `every`");
  } else if (produce / every > kMostFrames) {
    complain("every", fmt::format("{} produces {:.3g} configurations, limit {:.0f}", context.block, produce / every, kMostFrames),
             fmt::format("`every` is {}, `produce` {}", shown(context, every, "time"), shown(context, produce, "time")), "take a larger `every`");
  }
  if (every < step) {
    complain("every", fmt::format("{} keeps configurations more often than it makes them", context.block),
             fmt::format("`every` is {}, `timestep` {}", shown(context, every, "time"), shown(context, step, "time")), "take at least one step");
  }
}

void check_timestep(const Map& md, CheckContext& context) {
  const Value& system = md.at("system");
  const bool reduced = context.shown(1.0, "length").ends_with("lj");
  const Value* mass = given(system, "mass");
  if (mass == nullptr && !reduced) {
    context.complain({"E0407", "system", fmt::format("{} needs the mass of an atom", context.block), {}, {"write `mass = …` in the system"}});
    return;
  }
  const auto frequency = stiffest_mode(system, mass == nullptr ? 1.0 : mass->as_double());
  const double step = md.at("timestep").as_double();
  if (!frequency || *frequency * step <= kLargestPhase) return;
  context.complain({"W0522", "timestep", fmt::format("the time step of {} is long for the stiffest vibration", context.block),
                    {fmt::format("its period is about {}, {:.2g} steps", shown(context, 2.0 * 3.141592653589793 / *frequency, "time"), 2.0 * 3.141592653589793 / (*frequency * step))},
                    {fmt::format("take at most {}", shown(context, kLargestPhase / *frequency, "time"))}, true});
}

void check_md(Map& md, CheckContext& context) {
  expect_one_state(md, context);
  check_times(md, context);
  check_timestep(md, context);
  if (given(md.at("integrator"), "timestep") != nullptr) {
    context.complain({"E0428", "integrator", fmt::format("{} has its own `timestep`, that of langevin has no use", context.block), {}, {"leave it out of `langevin(…)`"}});
  }
  const Value* start = given(md, "start");
  if (start == nullptr) return;
  const schema::UpstreamTask other = context.upstream(*start);
  expect_same(md.at("system"), state_of(other, context).system, "system", "start", fmt::format("`{}`", other.name), context);
}

KindSchema md() {
  KindSchema kind;
  kind.noun = "md";
  kind.makes = Makes::task;
  kind.doc = "Molecular dynamics of the crystal";
  kind.attributes = {
      {"system", Type::reference({"system"}), "the crystal, with its mass", true, {}},
      {"ensemble", Type::reference({"ensemble"}), "its conditions", true, {}},
      {"integrator", Type::constructor({"langevin"}), "how it moves and keeps its temperature", true, {}, {}, {}, "langevin(friction = 1 /ps)"},
      {"timestep", Type::quantity("time"), "of the integrator", true, {}, {}, kPositive, "2 fs"},
      {"equilibrate", Type::quantity("time"), "before anything is kept", true, {}, {}, {0.0, {}, {}}, "200 ps"},
      {"produce", Type::quantity("time"), "while configurations are kept", true, {}, {}, kPositive, "4 ns"},
      {"every", Type::quantity("time"), "between two that are kept", true, {}, {}, kPositive, "1 ps"},
      {"seed", Type::of(TypeKind::seed), "root of the random numbers", true, {}},
      {"replicas", Type::of(TypeKind::integer), "independent copies", false, 1, {}, {1.0, {}, 1e6}},
      {"start", Type::samples({"md", "data", "reference", "sample"}), "where they begin; the lattice when left out", false, {}},
  };
  kind.results = {{"mean_energy", ResultType::number, "energy", "per atom"},
                  {"mean_temperature", ResultType::number, "temperature", "of the motion"},
                  {"mean_pressure", ResultType::number, "pressure", "from the virial"},
                  {"density", ResultType::number, "density", "mean atoms per volume"},
                  {"heat_capacity", ResultType::number, "", "in kB per atom, at constant volume or pressure"},
                  {"lindemann", ResultType::number, "", "rms displacement over the distance of nearest neighbours"},
                  {"left_basin", ResultType::number, "", "replicas that left the crystal"},
                  {"samples", ResultType::samples, "", "the configurations"}};
  kind.complete = check_md;
  add_task_members(kind);
  return kind;
}

bool is_hash(const std::string& text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0 || (c >= 'a' && c <= 'f'); });
}

/// The content of the file stands for it in the arguments, so that a changed file makes another key and a moved one none.
void hash_content(Map& data, CheckContext& context) {
  const std::string path = data.at("file").as_string();
  std::string problem;
  const auto hash = context.hash_file(path, "file", problem);
  if (!hash) {
    context.complain({"E0432", "file", problem, {}, {"the path is seen from the file in which it stands"}});
    return;
  }
  const Value* wanted = given(data, "sha256");
  if (wanted != nullptr && wanted->as_string() != *hash) {
    context.complain({"E0432", "sha256", fmt::format("{} has another content than `sha256` of {} says", path, context.block), {fmt::format("it is {}", *hash)},
                      {"bring the file back, or write its hash"}});
  }
  data["sha256"] = *hash;
  data.erase("file");
}

void check_data(Map& data, CheckContext& context) {
  const Value* hash = given(data, "sha256");
  if (hash != nullptr && !is_hash(hash->as_string())) {
    context.complain({"E0307", "sha256", fmt::format("`sha256` of {} is 64 lower-case hexadecimal digits, got \"{}\"", context.block, hash->as_string()), {}, {"write what `sha256sum` prints, or leave it out"}});
    return;
  }
  expect_one_state(data, context);
  const Value* unit = given(data, "unit");
  static const std::array<const char*, 4> known{"angstrom", "nm", "bohr", "lj"};
  if (unit != nullptr && std::find(known.begin(), known.end(), unit->as_string()) == known.end()) {
    context.complain({"E0306", "unit", fmt::format("`unit` of {} is the length unit of the file, one of {}, got \"{}\"", context.block, fmt::join(known, ", "), unit->as_string()), {}, {"write for instance `unit = \"angstrom\"`"}});
    return;
  }
  hash_content(data, context);
}

KindSchema data() {
  KindSchema kind;
  kind.noun = "data";
  kind.makes = Makes::task;
  kind.doc = "Configurations of a file; the key holds its content";
  kind.attributes = {
      {"file", Type::of(TypeKind::string), "path from the program", true, {}, {}, {}, "\"traj.h5\""},
      {"format", Type::word({"hdf5", "extxyz", "lammpsdump"}), "how it is written", true, {}},
      {"system", Type::reference({"system"}), "the crystal it is of", true, {}},
      {"ensemble", Type::reference({"ensemble"}), "the conditions it was drawn at; bar and mbar need them", false, {}},
      {"sha256", Type::of(TypeKind::string), "of the file; another content is refused", false, {}},
      {"unit", Type::of(TypeKind::string), "of its lengths; that of the format when left out", false, {}, {}, {}, "\"angstrom\""},
  };
  kind.results = {{"count", ResultType::number, "", "configurations"}, {"samples", ResultType::samples, "", "the configurations"}};
  kind.complete = check_data;
  add_task_members(kind);
  return kind;
}

}  // namespace

void add_sample_kinds(schema::Catalog& catalog) {
  catalog.add(sample());
  catalog.add(md());
  catalog.add(data());
  const Type model = Type::reference({"train"});
  catalog.add(ConstructorSchema{"transfer",
                                {{"model", model, "the trained flow", true, {}},
                                 {"to", Type::reference({"system"}), "the crystal it is used on", true, {}},
                                 {"base", Type::reference({"base"}), "the Gaussian of that crystal", true, {}}},
                                "A trained flow on another crystal"});
  ConstructorSchema at{"at", {{"model", model, "the trained flow", true, {}}}, "A conditional flow at one state"};
  for (schema::Attribute& variable : variable_attributes([](const Type& single) { return single; }, "of the state")) at.arguments.push_back(std::move(variable));
  catalog.add(at);
  catalog.add(ConstructorSchema{"langevin",
                                {{"friction", Type::quantity("frequency"), "rate at which velocities are forgotten", true, {}, {}, kPositive, "1 /ps"},
                                 {"timestep", Type::quantity("time"), "where the block has none of its own", false, {}, {}, kPositive, "2 fs"}},
                                "Langevin dynamics"});
}

}  // namespace bgw::catalog
