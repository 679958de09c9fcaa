#include <fmt/format.h>

#include "runtime/catalog/kinds.h"

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

/// The path begins at a base of the same crystal under the same conditions.
void check_reference(Map& reference, CheckContext& context) {
  const schema::UpstreamTask base = context.upstream(reference.at("path").at("base"));
  const State theirs = state_of(base, context);
  const std::string other = fmt::format("`{}`", base.name);
  expect_same(&reference.at("system"), theirs.system, "system", "path", other, context);
  expect_same(&reference.at("ensemble"), theirs.ensemble, "ensemble", "path", other, context);
}

/// `bar` compares two sets of samples of one crystal; `lfep` needs those of the model alone.
void check_estimate(Map& estimate, CheckContext& context) {
  const Value& data = estimate.at("data");
  if (estimate.at("method").as_string() == "lfep") {
    if (!data.is_none()) {
      context.complain({"E0405", "data", "lfep uses the samples of the model alone, `data` has no use", {}, {"leave `data` out, or write `method = bar`"}});
    }
    return;
  }
  if (data.is_none()) {
    context.complain({"E0405", "", fmt::format("{} lacks `data`: bar needs samples of the crystal beside those of the model", context.block), {},
                      {"write for instance `data = ref[n].samples`, or `method = lfep`"}});
    return;
  }
  const schema::UpstreamTask drawn = context.upstream(estimate.at("samples"));
  const schema::UpstreamTask chains = context.upstream(data);
  const State ours = state_of(drawn, context);
  const State theirs = state_of(chains, context);
  if (ours.system && theirs.system && *ours.system != *theirs.system) {
    context.complain({"E0404", "data", fmt::format("`{}` and `{}` differ in their system", drawn.name, chains.name), {}, {"give both the same system"}});
  }
  if (ours.ensemble && theirs.ensemble && *ours.ensemble != *theirs.ensemble) {
    context.complain({"E0404", "data", fmt::format("`{}` and `{}` differ in their ensemble", drawn.name, chains.name), {}, {"give both the same ensemble"}});
  }
}

KindSchema reference() {
  KindSchema kind;
  kind.noun = "reference";
  kind.makes = Makes::task;
  kind.doc = "The free energy without a network: Markov chains along a path of states";
  kind.attributes = {
      {"method", Type::word({"mbar"}, {"ais"}), "how the states are combined", false, "mbar"},
      {"system", Type::reference({"system"}), "the crystal", true, {}},
      {"ensemble", Type::reference({"ensemble"}), "its conditions", true, {}},
      {"path", Type::constructor({"base_to_target"}, {"einstein_crystal", "temperature_ladder", "lambda", "replica_exchange"}),
       "the states", true, {}},
      {"sampler", Type::constructor({"hmc"}, {"langevin"}), "how a state is sampled", true, {}},
      {"seed", Type::of(TypeKind::seed), "root of the random numbers", true, {}},
  };
  kind.results = {{"per_particle", ResultType::number, "", "beta F / N"},
                  {"mean_energy", ResultType::number, "energy", "per atom"},
                  {"overlap", ResultType::number, "", "smallest between neighbouring states"},
                  {"acceptance", ResultType::number, "", "of the moves"},
                  {"residual", ResultType::number, "", "of the MBAR equations"},
                  {"samples", ResultType::samples, "", "configurations of the target state"}};
  kind.complete = check_reference;
  add_task_members(kind);
  return kind;
}

KindSchema estimate() {
  Type method = Type::word({"bar", "lfep", "lbar", "tfep"}, {"mbar", "cumulant", "ais", "ess"});
  method.aliases = {{"lbar", "bar"}, {"tfep", "lfep"}};
  KindSchema kind;
  kind.noun = "estimate";
  kind.makes = Makes::task;
  kind.doc = "The free energy from samples";
  kind.attributes = {
      {"method", method, "bar: both sides; lfep: the model's side", true, {}},
      {"samples", Type::samples({"sample"}), "drawn from the model", true, {}},
      {"data", Type::samples({"reference"}), "drawn from the crystal", false, {}},
      {"bootstrap", Type::of(TypeKind::integer), "resamplings for the error bar", false, 200, {}, {2.0, {}, 1e6}},
      {"seed", Type::of(TypeKind::seed), "of the resampling", false, {}},
  };
  kind.results = {{"per_particle", ResultType::number, "", "beta F / N"},
                  {"energy_per_particle", ResultType::number, "energy", "F / N"},
                  {"absolute", ResultType::number, "", "beta F / N with the true de Broglie length; needs `mass`"},
                  {"overlap", ResultType::number, "", "of the two sides"},
                  {"forward", ResultType::number, "", "from the model's side"},
                  {"reverse", ResultType::number, "", "from the crystal's side"},
                  {"ess", ResultType::number, "", "effective sample fraction"}};
  kind.complete = check_estimate;
  add_task_members(kind);
  return kind;
}

void check_rdf(Map& rdf, CheckContext& context) {
  if (!rdf.at("weighted").as_bool() || context.upstream(rdf.at("of")).noun == "sample") return;
  context.complain({"E0405", "weighted", fmt::format("the samples of {} carry no weights", context.upstream(rdf.at("of")).name), {}, {"leave `weighted` out"}});
}

KindSchema rdf() {
  KindSchema kind;
  kind.noun = "rdf";
  kind.makes = Makes::task;
  kind.doc = "Radial distribution function of samples";
  kind.attributes = {{"of", Type::samples({"sample", "reference"}), "configurations", true, {}},
                     {"weighted", Type::of(TypeKind::boolean), "use the weights of the samples", false, false},
                     {"bins", Type::of(TypeKind::integer), "up to half the box", false, 200, {}, {2.0, {}, 1e5}}};
  kind.results = {{"curve", ResultType::curve, "", "r and g"}};
  kind.complete = check_rdf;
  add_task_members(kind);
  return kind;
}

}  // namespace

void add_estimate_kinds(schema::Catalog& catalog) {
  catalog.add(reference());
  catalog.add(estimate());
  catalog.add_function(rdf());
  catalog.add(ConstructorSchema{"base_to_target",
                                {{"base", Type::reference({"base"}), "where the path begins", true, {}},
                                 {"states", Type::of(TypeKind::integer), "with both ends", true, {}, {}, {2.0, {}, 1000.0}, "3"}},
                                "States between a Gaussian and the crystal"});
  catalog.add(ConstructorSchema{"hmc",
                                {{"chains", Type::of(TypeKind::integer), "side by side", true, {}, {}, {1.0, {}, 1e6}, "16"},
                                 {"steps", Type::of(TypeKind::integer), "recorded moves per chain and state", true, {}, {}, {4.0, {}, 1e9}, "64"}},
                                "Hamiltonian Monte Carlo"});
}

}  // namespace bgw::catalog
