#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/catalog/kinds.h"
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

/// Force constants of another box serve where both are boxes of one crystal with one potential.
/// Over ranges a base is fitted at nodes.
void check_nodes(Map& base, CheckContext& context) {
  leave_out(base, {"nodes"});
  const std::vector<Variable> open = state_of(base).open();
  if (open.empty() && given(base, "nodes") != nullptr) {
    context.complain({"E0415", "nodes", fmt::format("{} is of one state, `nodes` has no use", context.block), {"they lie in the ranges that intervals of the system and ensemble leave open"}, {"leave it out"}});
  }
  if (!open.empty() && given(base, "force_constants") != nullptr) {
    context.complain({"E0413", "force_constants", fmt::format("{} leaves `{}` open, the force constants given to it are of one state", context.block, open.front().name), {}, {"leave `force_constants` out, or fix the state with `at(…)`"}});
  }
}

void check_base(Map& base, CheckContext& context) {
  expect_constant_volume(base, "base", context);
  check_nodes(base, context);
  const Value* given_constants = given(base, "force_constants");
  if (given_constants == nullptr) return;
  const schema::UpstreamTask source = context.upstream(*given_constants);
  const auto complain = [&](const char* what, const char* help) {
    context.complain({"E0404", "force_constants", fmt::format("{} and `{}` differ in their {}", context.block, source.name, what), {}, {help}});
  };
  if (source.arguments != nullptr && !state_of(*source.arguments).open().empty()) {
    context.complain({"E0413", "force_constants", fmt::format("{} takes the force constants of one state, `{}` is of a range", context.block, source.name), {}, {fmt::format("write for instance `at({}, {} = …)`", source.name, state_of(*source.arguments).open().front().name)}});
    return;
  }
  const Value* theirs = source.arguments == nullptr ? nullptr : given(*source.arguments, "system");
  const Value* mine = given(base, "system");
  if (theirs == nullptr || mine == nullptr) return;
  const auto one_cell = [](const Value& system) {
    Map lattice = system.at("lattice").as_map();
    for (const char* size : {"atoms", "repeats"}) lattice.erase(size);
    return lattice;
  };
  if (source.arguments->at("kind") != base.at("kind")) complain("kind", "take the force constants of a base of the same kind");
  if (theirs->at("potential") != mine->at("potential")) complain("potential", "give both the same potential");
  if (one_cell(*theirs) != one_cell(*mine)) complain("lattice", "only `atoms` and `repeats` may differ");
  // Those of phonons are of the lattice at rest, those of a scha are means at its temperature.
  const Value *their_ensemble = given(*source.arguments, "ensemble"), *my_ensemble = given(base, "ensemble");
  if (base.at("kind").as_string() == "scha" && their_ensemble != nullptr && my_ensemble != nullptr && *their_ensemble != *my_ensemble) {
    complain("ensemble", "take the force constants of a scha at the same conditions");
  }
}

KindSchema base() {
  const std::vector<std::string> einstein{"einstein_crystal"}, vibrating{"phonon", "scha"};
  KindSchema kind;
  kind.noun = "base";
  kind.makes = Makes::task;
  kind.doc = "The Gaussian that vibrates as the crystal does: its free energy, samples and whitened modes";
  kind.discriminator = "kind";
  kind.attributes = {
      {"kind", Type::word({"phonon", "scha", "einstein_crystal"}), "phonon: harmonic; scha: the best Gaussian; einstein_crystal: each atom by itself", true, {}},
      {"system", Type::reference({"system"}), "the crystal", true, {}},
      {"ensemble", Type::reference({"ensemble"}), "its conditions", true, {}},
      {"width", Type::quantity("length"), "standard deviation of one Cartesian component of an atom", true, {}, einstein, kPositive, "0.2 angstrom"},
      {"relax_sites", Type::of(TypeKind::boolean), "move the sites to where the mean force vanishes", false, true, vibrating},
      {"samples", Type::of(TypeKind::integer), "configurations an iteration averages over; enough of them when left out: fewer, the larger the crystal", false, {}, {"scha"}, {1.0, {}, 1e6}, "64"},
      {"nodes", Type::of(TypeKind::integer), "over ranges: of each open number, where the base is fitted; polynomials go through them; 3 when left out", false, {}, vibrating, {2.0, {}, 16.0}, "3"},
      {"force_constants", Type::reference({"base"}), "base of another box of the same crystal, whose force constants are taken in place of computing them", false, {}, vibrating},
  };
  kind.results = {{"bound", ResultType::number, "", "variational bound of beta F / N"},
                  {"harmonic", ResultType::number, "", "harmonic beta F / N"},
                  {"rms_displacement", ResultType::number, "length", "of one Cartesian component of an atom"},
                  {"lowest_mode", ResultType::number, "", "smallest stiffness"},
                  {"highest_mode", ResultType::number, "", "largest stiffness"},
                  {"imaginary_modes", ResultType::number, "", "of the static lattice; scha"},
                  {"floored_modes", ResultType::number, "", "of a scha that no Gaussian fits: made stiffer than they are"},
                  {"iterations", ResultType::number, "", "of a scha"},
                  {"nodes", ResultType::number, "", "over ranges: states at which it is fitted"}};
  kind.version = 2;  // modes by wave vector
  kind.complete = check_base;
  add_task_members(kind);
  return kind;
}

/// A coupling flow whose parts do not go together.
void check_flow(Map& flow, CheckContext& context) {
  const auto complain = [&](const char* attribute, std::string message, std::string help) {
    context.complain({"E0423", attribute, std::move(message), {}, {std::move(help)}});
  };
  leave_out(flow, {"condition_on"});
  if (const Value* variables = given(flow, "condition_on")) {
    const schema::List& list = variables->as_list();
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (std::find(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(i), list[i]) == list.begin() + static_cast<std::ptrdiff_t>(i)) continue;
      complain("condition_on", fmt::format("`condition_on` of {} lists `{}` twice", context.block, list[i].as_string()), "leave one of the two out");
    }
  }
  for (const char* guide : {"soften", "reach"}) {
    if (given(flow, "force") == nullptr || given(flow, guide) == nullptr) continue;
    complain(guide, fmt::format("the modes of {} are moved by a learned force, `{}` has no use", context.block, guide), "leave one of the two out");
  }
  const Value* conditioner = given(flow, "conditioner");
  if (conditioner == nullptr) return;
  const bool graph = conditioner->at("call").as_string() == "gnn";
  if (flow.at("type").as_string() == "augmented_coupling" && !graph) {
    complain("conditioner", fmt::format("the couplings of {} pass messages between neighbours, `attention` does not", context.block),
             "write `conditioner = gnn(…)`, or `type = global_attention`");
  }
  if (flow.at("type").as_string() == "global_attention" && graph) {
    complain("conditioner", fmt::format("the atoms of {} all attend to each other, `gnn` sees neighbours alone", context.block),
             "write `conditioner = attention(…)`, or `type = augmented_coupling`");
  }
  const Value* heads = given(*conditioner, "heads");
  const std::int64_t width = flow.at("embedding").as_int();
  if (heads != nullptr && width % heads->as_int() != 0) {
    complain("conditioner", fmt::format("the {} heads of {} do not divide its embedding of {}", heads->as_int(), context.block, width),
             fmt::format("write `embedding = {}`, or other `heads`", (width / heads->as_int() + 1) * heads->as_int()));
  }
  const Value* neighbours = given(flow, "neighbours");
  const Value* of_graph = given(*conditioner, "neighbours");
  if (!graph && neighbours != nullptr) complain("neighbours", fmt::format("the atoms of {} attend to all others, `neighbours` has no use", context.block), "leave it out");
  if (of_graph != nullptr && neighbours != nullptr) complain("neighbours", fmt::format("{} gives its neighbours twice, here and in `gnn`", context.block), "leave one of the two out");
  if (flow.count("recompute_neighbours") != 0 && flow.at("recompute_neighbours").as_bool() && neighbours == nullptr && of_graph == nullptr) {
    complain("recompute_neighbours", fmt::format("all atoms of {} are neighbours, there is nothing to recompute", context.block), "write `neighbours = …`, or leave it out");
  }
}

KindSchema flow() {
  const std::vector<std::string> mode_split{"mode_split"}, couplings{"augmented_coupling", "global_attention"}, augmented{"augmented_coupling"};
  KindSchema kind;
  kind.noun = "flow";
  kind.doc = "The bijection that carries the Gaussian to the crystal";
  kind.discriminator = "type";
  kind.attributes = {
      {"type", Type::word({"mode_split", "augmented_coupling", "global_attention"}), "which bijection", true, {}},
      {"splits", Type::of(TypeKind::integer), "random halvings of the modes", false, 16, mode_split, {1.0, {}, 4096.0}},
      {"look_ahead", Type::of(TypeKind::integer), "every k-th split looks ahead; 0 is none", false, 4, mode_split, {0.0, {}, 4096.0}},
      {"gains", Type::word({"constant", "polynomial"}), "constant: five numbers; polynomial: each of second order in the depth of a split and the stiffness of a mode, for soft crystals", false, "constant", mode_split},
      {"soften", Type::of(TypeKind::number), "in units of sigma: the forces that move the modes go on along the tangent of the pair energy below this distance; the crystal's own when left out", false, {}, mode_split, {{}, 0.0, 1.1}, "0.9"},
      {"reach", Type::of(TypeKind::number), "in units of sigma: the forces that move the modes are those of atoms nearer than this in the crystal at rest, what they lack is harmonic; all when left out", false, {}, mode_split, kPositive, "1.2"},
      {"force", Type::constructor({"learned"}), "what moves the modes in place of the crystal's forces; its energy is then computed once a draw", false, {}, mode_split, {}, "learned(neighbours = 16)"},
      {"layers", Type::of(TypeKind::integer), "couplings one after the other", true, {}, couplings, {1.0, {}, 4096.0}, "4"},
      {"bins", Type::of(TypeKind::integer), "of each rational-quadratic spline", true, {}, couplings, {2.0, {}, 1024.0}, "16"},
      {"embedding", Type::of(TypeKind::integer), "features of an atom", true, {}, couplings, {1.0, {}, 65536.0}, "32"},
      {"conditioner", Type::constructor({"gnn", "attention"}), "network that sets the splines", true, {}, couplings, {}, "gnn(layers = 2, frequencies = 8)"},
      {"aux_width", Type::quantity("length"), "spread of the auxiliary copies; that of an einstein_crystal when left out", false, {}, augmented, kPositive, "0.2 angstrom"},
      {"range", Type::quantity("length"), "the splines move displacements up to this; half the edge of the published box of the lattice when left out", false, {}, augmented, kPositive, "6.2 angstrom"},
      {"neighbours", Type::of(TypeKind::integer), "nearest atoms an atom sees; all when left out", false, {}, couplings, {1.0, {}, 1e5}, "12"},
      {"recompute_neighbours", Type::of(TypeKind::boolean), "from the positions, in place of those of the lattice", false, false, couplings},
      {"condition_on", Type::list(Type::word(variable_names())), "variables of the system and ensemble it is a function of", false, {}, {}, {}, "[temperature]"},
  };
  kind.complete = check_flow;
  return kind;
}

}  // namespace

void add_model_kinds(schema::Catalog& catalog) {
  catalog.add(base());
  catalog.add(flow());
  const schema::Attribute layers{"layers", Type::of(TypeKind::integer), "one after the other", true, {}, {}, {1.0, {}, 256.0}, "2"};
  const schema::Attribute frequencies{"frequencies", Type::of(TypeKind::integer), "of the periodic features of a position", false, 8, {}, {1.0, {}, 1024.0}};
  catalog.add(ConstructorSchema{"gnn", {layers, frequencies, {"neighbours", Type::of(TypeKind::integer), "nearest atoms that send messages; all when left out", false, {}, {}, {1.0, {}, 1e5}, "12"}},
                      "Messages between neighbours"});
  catalog.add(ConstructorSchema{"learned",
                                {{"neighbours", Type::of(TypeKind::integer), "nearest atoms whose displacements an atom sees, whole shells", true, {}, {}, {1.0, {}, 1e5}, "16"},
                                 {"hidden", Type::of(TypeKind::integer), "numbers of each of two layers", false, 128, {}, {1.0, {}, 65536.0}},
                                 {"length", Type::quantity("length"), "unit of the displacements that the network sees, near those of neighbours from each other; 0.2 angstrom when left out", false, {}, {}, kPositive, "0.2 angstrom"}},
                                "A network for the force that the Gaussian base lacks, from the displacements of near neighbours"});
  catalog.add(ConstructorSchema{"attention", {layers, frequencies, {"heads", Type::of(TypeKind::integer), "side by side", false, 2, {}, {1.0, {}, 256.0}}},
                      "Attention of every atom to all others"});
}

}  // namespace bgw::catalog
