#include <fmt/format.h>

#include "runtime/catalog/kinds.h"
#include "runtime/catalog/states.h"
#include "runtime/catalog/values.h"

// Tasks that are written as a call: averages and distributions over samples.
namespace bgw::catalog {
namespace {

using schema::Attribute;
using schema::CheckContext;
using schema::KindSchema;
using schema::Makes;
using schema::Map;
using schema::ResultType;
using schema::Type;
using schema::TypeKind;
using schema::UpstreamTask;
using schema::Value;

/// What of the state behind the samples a task needs to know.
enum class Needs { nothing, state };

/// Puts the state behind the samples into the arguments: the task needs no other look at the program.
void complete_state(Map& arguments, const UpstreamTask& samples, Needs needs, CheckContext& context) {
  if (needs == Needs::nothing || samples.arguments == nullptr) return;
  const State state = state_of(samples, context);
  if (!state.system) return;
  arguments["system"] = *state.system;
  if (!state.ensemble) {
    context.complain({"E0405", "of", fmt::format("`{}` does not say at which conditions it was drawn, {} needs them", samples.name, context.block), {},
                      {"write `ensemble = …` in the data block"}});
    return;
  }
  arguments["ensemble"] = *state.ensemble;
  expect_one_state(arguments, context);
}

KindSchema observable(const char* name, const char* doc, schema::Result result, Needs needs) {
  KindSchema kind;
  kind.noun = name;
  kind.makes = Makes::task;
  kind.doc = doc;
  kind.attributes = {{"of", Type::samples({"sample", "reference", "md", "data"}), "configurations", true, {}},
                     {"weighted", Type::of(TypeKind::boolean), "use the weights of the samples", false, false}};
  kind.results = {std::move(result)};
  kind.complete = [needs](Map& arguments, CheckContext& context) {
    const UpstreamTask samples = context.upstream(arguments.at("of"));
    expect_weights(arguments, samples, context);
    complete_state(arguments, samples, needs, context);
  };
  return kind;
}

KindSchema with(KindSchema kind, std::vector<Attribute> more) {
  for (Attribute& attribute : more) kind.attributes.push_back(std::move(attribute));
  add_task_members(kind);
  return kind;
}

schema::Result number(const char* dimension, const char* doc) { return {"value", ResultType::number, dimension, doc}; }
schema::Result curve(const char* doc) { return {"curve", ResultType::curve, "", doc}; }

Attribute bins() { return {"bins", Type::of(TypeKind::integer), "from the smallest to the largest number", false, 100, {}, {1.0, {}, 1e5}}; }
Attribute cutoff() {
  return {"cutoff", Type::quantity("length"), "atoms up to this distance are neighbours; the first two shells when left out", false, {}, {}, kPositive, "4.8 angstrom"};
}

KindSchema msd_over_time() {
  KindSchema kind = observable("msd_over_time", "Mean squared displacement of an atom over time, per atom", curve("t and msd"), Needs::nothing);
  kind.attributes = {{"of", Type::samples({"md", "data"}), "a trajectory", true, {}}};
  return with(std::move(kind), {{"points", Type::of(TypeKind::integer), "times, up to half the trajectory", false, 100, {}, {1.0, {}, 1e5}}});
}

KindSchema work_histogram() {
  KindSchema kind;
  kind.noun = "work_histogram";
  kind.makes = Makes::task;
  kind.doc = "Distribution of the work from model to crystal behind an estimate, in kT";
  kind.attributes = {{"of", Type::reference({"estimate"}), "the estimate", true, {}},
                     {"side", Type::word({"forward", "reverse"}), "forward: of the samples of the model; reverse: of the data", false, "forward"}};
  kind.results = {curve("work and density")};
  kind.complete = [](Map& arguments, CheckContext& context) {
    const UpstreamTask estimate = context.upstream(arguments.at("of"));
    if (estimate.arguments == nullptr || arguments.at("side").as_string() == "forward" || given(*estimate.arguments, "data") != nullptr) return;
    context.complain({"E0405", "side", fmt::format("`{}` has no data, and no work of that side", estimate.name), {}, {"leave `side` out"}});
  };
  return with(std::move(kind), {bins()});
}

}  // namespace

void add_observable_kinds(schema::Catalog& catalog) {
  catalog.add_function(with(observable("energy_histogram", "Distribution of the potential energy, beta U / N", curve("beta U / N and density"), Needs::state), {bins()}));
  catalog.add_function(with(observable("q6_histogram", "Distribution of the averaged bond order q6 of the atoms", curve("q6 and density"), Needs::nothing), {cutoff(), bins()}));
  catalog.add_function(work_histogram());
  catalog.add_function(msd_over_time());
  catalog.add_function(with(observable("q6", "Mean averaged bond order q6 (Lechner and Dellago 2008) of the atoms", number("", "mean over atoms"), Needs::nothing), {cutoff()}));
  catalog.add_function(with(observable("msd", "Mean squared displacement of an atom from its site", number("area", "mean over atoms"), Needs::nothing), {}));
  catalog.add_function(with(observable("mean_energy", "Mean potential energy per atom", number("energy", "per atom"), Needs::state),
                            {{"mapped", Type::of(TypeKind::boolean), "take the harmonic noise out of it (harmonically mapped averaging)", false, false}}));
  catalog.add_function(with(observable("mean_density", "Mean number of atoms per volume", number("density", "atoms per volume"), Needs::nothing), {}));
  catalog.add_function(with(observable("mean_pressure", "Mean pressure, from the virial", number("pressure", "of the classical crystal"), Needs::state), {}));
  catalog.add_function(with(observable("heat_capacity", "Heat capacity per atom in units of kB, from fluctuations; with the classical 3/2 of the motion", number("", "C / (N kB)"), Needs::state), {}));
}

}  // namespace bgw::catalog
