#include <fmt/format.h>

#include "runtime/catalog/kinds.h"

namespace bgw::catalog {
namespace {

using schema::Attribute;
using schema::Bounds;
using schema::CheckContext;
using schema::ConstructorSchema;
using schema::KindSchema;
using schema::Makes;
using schema::Map;
using schema::ResultType;
using schema::Type;
using schema::TypeKind;
using schema::Value;

const Bounds kAtLeastOne{1.0, {}, {}};
const Bounds kPositive{{}, 0.0, {}};

void check_train(Map& train, CheckContext& context) {
  const schema::UpstreamTask base = context.upstream(train.at("base"));
  if (base.arguments == nullptr) return;
  const State theirs = state_of(base, context);
  const std::string other = fmt::format("`{}`", base.name);
  expect_same(&train.at("system"), theirs.system, "system", "base", other, context);
  expect_same(&train.at("ensemble"), theirs.ensemble, "ensemble", "base", other, context);
}

/// `transfer(model, to, base)`: the base must be one of the system it goes to, at the conditions of the training.
void check_sample(Map& sample, CheckContext& context) {
  const Value& model = sample.at("model");
  if (model.find("call") == nullptr) return;
  const schema::UpstreamTask base = context.upstream(model.at("base"));
  const schema::UpstreamTask trained = context.upstream(model.at("model"));
  if (base.arguments == nullptr || trained.arguments == nullptr) return;
  const State there = state_of(base, context);
  expect_same(&model.at("to"), there.system, "system", "model", fmt::format("`{}`", base.name), context);
  expect_same(state_of(trained, context).ensemble, there.ensemble, "ensemble", "model", fmt::format("`{}`", base.name), context);
}

KindSchema base() {
  KindSchema kind;
  kind.noun = "base";
  kind.makes = Makes::task;
  kind.doc = "The Gaussian that vibrates as the crystal does: its free energy, samples and whitened modes";
  kind.discriminator = "kind";
  kind.attributes = {
      {"kind", Type::word({"phonon", "scha"}, {"einstein_crystal"}), "phonon: harmonic; scha: the best Gaussian", true, {}},
      {"system", Type::reference({"system"}), "the crystal", true, {}},
      {"ensemble", Type::reference({"ensemble"}), "its conditions", true, {}},
      {"relax_sites", Type::of(TypeKind::boolean), "move the sites to where the mean force vanishes", false, true},
      {"samples", Type::of(TypeKind::integer), "configurations an iteration averages over", false, 150, {"scha"}, {1.0, {}, 1e6}},
  };
  kind.results = {{"bound", ResultType::number, "", "variational bound of beta F / N"},
                  {"harmonic", ResultType::number, "", "harmonic beta F / N"},
                  {"rms_displacement", ResultType::number, "length", "of one Cartesian component of an atom"},
                  {"lowest_mode", ResultType::number, "", "smallest stiffness"}};
  add_task_members(kind);
  return kind;
}

KindSchema flow() {
  KindSchema kind;
  kind.noun = "flow";
  kind.doc = "The bijection that carries the Gaussian to the crystal";
  kind.discriminator = "type";
  kind.attributes = {
      {"type", Type::word({"mode_split"}, {"augmented_coupling", "global_attention"}), "which bijection", true, {}},
      {"splits", Type::of(TypeKind::integer), "random halvings of the modes", false, 16, {}, {1.0, {}, 4096.0}},
      {"look_ahead", Type::of(TypeKind::integer), "every k-th split looks ahead; 0 is none", false, 4, {}, {0.0, {}, 4096.0}},
  };
  return kind;
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
  };
  schema::NestedSchema stage;
  stage.kind = "stage";
  stage.member = "stages";
  stage.many = true;
  stage.required = true;
  stage.doc = "One stretch of training, in order";
  stage.attributes = {
      {"loss", Type::constructor({"reverse_kl"}, {"forward_kl", "mixed"}), "what is made small", true, {}},
      {"steps", Type::of(TypeKind::integer), "gradient steps", true, {}, {}, {1.0, {}, 1e9}, "60"},
      {"batch", Type::of(TypeKind::integer), "samples a step", false, 16, {}, {1.0, {}, 1e7}},
      {"learning_rate", Type::any_of({Type::of(TypeKind::number), Type::constructor({"one_cycle", "cosine"}, {"decay"})}),
       "of Adam", false, 2e-2, {}, kPositive},
  };
  kind.nested.push_back(stage);
  kind.results = {{"loss", ResultType::number, "", "mean of the last batches, kT"}, {"ess", ResultType::number, "", "effective sample fraction"}};
  kind.complete = check_train;
  add_task_members(kind);
  return kind;
}

KindSchema sample() {
  KindSchema kind;
  kind.noun = "sample";
  kind.makes = Makes::task;
  kind.doc = "Draws from a trained flow, with their weights";
  kind.attributes = {
      {"model", Type::any_of({Type::reference({"train"}), Type::constructor({"transfer"}, {"at"})}), "what is drawn from", true, {}},
      {"count", Type::of(TypeKind::integer), "samples", true, {}, {}, {1.0, {}, 1e9}, "4_000"},
      {"batch", Type::of(TypeKind::integer), "samples at once", false, 500, {}, {1.0, {}, 1e7}},
      {"seed", Type::of(TypeKind::seed), "root of the random numbers", true, {}},
  };
  Attribute keep{"keep", Type::list(Type::word({"energy", "log_prob", "positions"})), "what is stored", false,
                 schema::List{"energy", "log_prob", "positions"}};
  keep.only = keep.otherwise;
  kind.attributes.push_back(keep);
  kind.results = {{"ess", ResultType::number, "", "effective sample fraction"},
                  {"per_particle", ResultType::number, "", "beta F / N"},
                  {"variance", ResultType::number, "", "of the log weights"},
                  {"largest_weight", ResultType::number, "", "share of the heaviest sample"},
                  {"samples", ResultType::samples, "", "the configurations"}};
  kind.complete = check_sample;
  add_task_members(kind);
  return kind;
}

void add_constructors(schema::Catalog& catalog) {
  const Attribute peak{"peak", Type::of(TypeKind::number), "largest rate", true, {}, {}, kPositive, "2e-2"};
  catalog.add(ConstructorSchema{"reverse_kl", {{"gradient", Type::word({"path", "total"}), "estimator of the gradient", false, "path"}},
                                "Kullback-Leibler divergence of the model from the target"});
  catalog.add(ConstructorSchema{"one_cycle", {peak}, "up to the peak and down again"});
  catalog.add(ConstructorSchema{"cosine", {peak}, "from the peak down to zero"});
  catalog.add(ConstructorSchema{"transfer",
                                {{"model", Type::reference({"train"}), "the trained flow", true, {}},
                                 {"to", Type::reference({"system"}), "the crystal it is used on", true, {}},
                                 {"base", Type::reference({"base"}), "the Gaussian of that crystal", true, {}}},
                                "A trained flow on another crystal"});
}

}  // namespace

void add_task_members(KindSchema& kind) {
  kind.attributes.push_back({"precision", Type::word({"float64"}, {"float32"}), "of the arithmetic", false, "float64"});
  Attribute deterministic{"deterministic", Type::of(TypeKind::boolean), "the same bits on every run", false, true};
  deterministic.only = true;
  kind.attributes.push_back(deterministic);
  Attribute uses{"uses", Type::reference({"resources"}), "what it may take of the machine", false, {}};
  uses.policy = true;
  kind.attributes.push_back(uses);
  schema::NestedSchema checkpoint;
  checkpoint.kind = checkpoint.member = "checkpoint";
  checkpoint.policy = true;
  checkpoint.doc = "When the state is saved";
  checkpoint.attributes = {{"every", Type::quantity("duration"), "time between two", false, 3e17, {}, kPositive, "5 min"},
                           {"keep", Type::of(TypeKind::integer), "how many stay", false, 2, {}, kAtLeastOne},
                           {"on_signal", Type::of(TypeKind::boolean), "save when asked to stop", false, true}};
  checkpoint.attributes.back().only = true;
  schema::NestedSchema retry;
  retry.kind = retry.member = "retry";
  retry.policy = true;
  retry.doc = "When a failed task is tried again";
  retry.attributes = {{"attempts", Type::of(TypeKind::integer), "at most so many", false, 3, {}, {1.0, {}, 1000.0}},
                      {"on", Type::list(Type::word({"node_lost", "preempted", "timeout", "oom", "crash", "nan"})), "causes", false,
                       schema::List{"node_lost", "preempted", "timeout"}}};
  kind.nested.push_back(checkpoint);
  kind.nested.push_back(retry);
}

void expect_same(const Value* mine, const Value* theirs, const char* what, const std::string& attribute,
                 const std::string& other, CheckContext& context) {
  if (mine == nullptr || theirs == nullptr || *mine == *theirs) return;
  context.complain({"E0404", attribute, fmt::format("{} and {} differ in their {}", context.block, other, what), {},
                    {fmt::format("give both the same {}", what)}});
}

State state_of(const schema::UpstreamTask& task, const CheckContext& context) {
  if (task.arguments == nullptr) return {};
  const Map& arguments = *task.arguments;
  if (arguments.count("system") && arguments.count("ensemble")) return {&arguments.at("system"), &arguments.at("ensemble")};
  const auto model = arguments.find("model");
  if (model == arguments.end()) return {};
  const bool transferred = model->second.find("call") != nullptr;
  return state_of(context.upstream(transferred ? model->second.at("base") : model->second), context);
}

void add_model_kinds(schema::Catalog& catalog) {
  catalog.add(base());
  catalog.add(flow());
  catalog.add(train());
  catalog.add(sample());
  add_constructors(catalog);
}

}  // namespace bgw::catalog
