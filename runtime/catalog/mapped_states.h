#pragma once

#include <vector>

#include "compiler/schema/kind_schema.h"

// The path of a reference that goes over a grid of states: mapped_states.
namespace bgw::catalog {

/// Whether the path of a reference is this one.
bool is_mapped_states(const schema::Value& path);

/// What a reference may list of its grid, one attribute a variable.
std::vector<schema::Attribute> grid_attributes();
/// By which a state of it is picked.
std::vector<schema::Attribute> grid_coordinates();

/// Checks base, grid and anchors of a reference by mapped_states; of another one, that it has no grid.
void check_grid_of_reference(const schema::Map& reference, schema::CheckContext& context);

/// What the constructor takes.
std::vector<schema::Attribute> mapped_states_arguments();

}  // namespace bgw::catalog
