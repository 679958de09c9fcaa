#include "runtime/catalog/flow_checks.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/catalog/lattice_checks.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {
namespace {

using schema::CheckContext;
using schema::Map;
using schema::Value;

/// What of a lattice stays when it is stretched.
Map shape_of(const Value& system) {
  Map lattice = system.at("lattice").as_map();
  lattice.erase("density");
  return lattice;
}

/// The same without what a training leaves open.
Map shape_of(const Value& system, const Value& training) {
  Map lattice = shape_of(system);
  for (const auto& [name, value] : training.at("lattice").as_map()) {
    if (is_interval(value)) lattice.erase(name);
  }
  return lattice;
}

/// The unit cell of a lattice: kind and, of a file, cell and sites, whatever its repeats.
Map crystal_of(const Value& system) {
  Map lattice = shape_of(system);
  for (const char* name : {"atoms", "repeats", "b_over_a", "c_over_a", "delta"}) lattice.erase(name);
  return lattice;
}

}  // namespace

const Value* neighbours_of(const Value& flow) {
  const Value* neighbours = given(flow, "neighbours");
  return neighbours != nullptr ? neighbours : given(flow.at("conditioner"), "neighbours");
}

void expect_fitting_base(const Value& flow, const schema::UpstreamTask& base, const FlowPlaces& places, CheckContext& context) {
  if (base.arguments == nullptr) return;
  const std::string& type = flow.at("type").as_string();
  const std::string& kind = base.arguments->at("kind").as_string();
  if (kind == "einstein_crystal") return;
  if (type == "augmented_coupling" && given(flow, "aux_width") == nullptr) {
    context.complain({"E0434", places.flow, fmt::format("the copies of the flow of {} have no width: `{}` is a {}, which is wider along some modes than along others", context.block, base.name, kind), {},
                      {"write `aux_width` in the flow, for instance half the rms displacement of an atom"}});
  }
  if (type != "global_attention") return;
  context.complain({"E0434", places.base, fmt::format("the global flow of {} begins from atoms that vibrate by themselves, `{}` is a {}", context.block, base.name, kind), {},
                    {"write a base with `kind = einstein_crystal`, or take a flow of another type"}});
}

void expect_closed_shells(const Value& flow, const Value& system, const std::string& attribute, CheckContext& context) {
  const Value* force = given(flow, "force");
  const Value* neighbours = force != nullptr ? given(*force, "neighbours") : flow.at("type").as_string() == "augmented_coupling" ? neighbours_of(flow) : nullptr;
  if (neighbours == nullptr) return;
  const std::vector<int> closed = closed_shells(system.at("lattice"), neighbours->as_int());
  if (closed.empty() || std::find(closed.begin(), closed.end(), neighbours->as_int()) != closed.end()) return;
  context.complain({"E0435", attribute, fmt::format("the {} neighbours of the flow of {} close no shell around an atom of its lattice", neighbours->as_int(), context.block),
                    {"atoms at one distance belong together"}, {fmt::format("take one of {}", fmt::join(closed, ", "))}});
}

void expect_movable(const schema::UpstreamTask& source, const Value& system, const std::string& attribute, CheckContext& context) {
  const Value* theirs = source.arguments == nullptr ? nullptr : given(*source.arguments, "system");
  if (theirs == nullptr) return;
  const Value& flow = source.arguments->at("flow");
  const std::string& type = flow.at("type").as_string();
  if (type == "global_attention" && shape_of(*theirs, *theirs) != shape_of(system, *theirs)) {
    context.complain({"E0436", attribute, fmt::format("{} moves the global flow of `{}` to another crystal", context.block, source.name),
                      {"its atoms know each other by their places in one box"}, {"train it there from its own start, or take a flow of another type"}});
  }
  if (given(flow, "force") != nullptr && crystal_of(*theirs) != crystal_of(system)) {
    context.complain({"E0436", attribute, fmt::format("{} moves the learned force of `{}` to another crystal", context.block, source.name),
                      {"its networks know the neighbours of a site by their order around it"}, {"train it there, or move a flow whose forces are the crystal's"}});
  }
  const Value *before = given(theirs->at("lattice"), "atoms"), *now = given(system.at("lattice"), "atoms");
  if (type != "augmented_coupling" || neighbours_of(flow) != nullptr || before == nullptr || now == nullptr || *before == *now) return;
  context.complain({"E0436", attribute, fmt::format("{} moves the flow of `{}` from {} to {} atoms, and every atom hears all others", context.block, source.name, before->as_int(), now->as_int()),
                    {"what an atom hears is divided by the root of the number of its neighbours"}, {"write `neighbours = …` in the flow, as many as close a shell"}});
}

}  // namespace bgw::catalog
