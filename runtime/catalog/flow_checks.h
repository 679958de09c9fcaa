#pragma once

#include <string>

#include "compiler/schema/kind_schema.h"

// Whether a flow fits the crystal and the Gaussian that it is trained on, or is moved to.
namespace bgw::catalog {

/// The neighbours that an atom of an augmented flow sees, given in the flow or in its network; nullptr where all are.
const schema::Value* neighbours_of(const schema::Value& flow);

/// Where in a block the parts stand that a complaint names.
struct FlowPlaces {
  std::string flow, base;
};

/// E0434: the global flow begins from its own noise around the sites, whose width it takes from independent oscillators; so do
/// the copies of an augmented flow that is not told theirs.
void expect_fitting_base(const schema::Value& flow, const schema::UpstreamTask& base, const FlowPlaces& places,
                         schema::CheckContext& context);
/// E0435: a network that sees part of a shell sees a crystal of lower symmetry.
void expect_closed_shells(const schema::Value& flow, const schema::Value& system, const std::string& attribute,
                          schema::CheckContext& context);
/// E0436: parameters that mean something in one crystal alone. Those of a global flow belong to its box, at any density; those
/// of a complete graph to its number of atoms, whose root divides what an atom hears.
/// @param source  the training that found them
void expect_movable(const schema::UpstreamTask& source, const schema::Value& system, const std::string& attribute,
                    schema::CheckContext& context);

}  // namespace bgw::catalog
