#pragma once

#include "compiler/schema/value.h"
#include "runtime/inline_tasks/results.h"

namespace bgw::inline_tasks {

/// The arguments of a table with its cells evaluated: {"indices", "columns", "rows": [{"index", "cells"}]}. A column
/// with a `unit` shows its numbers in it.
/// @throws InputError, NumericalError naming row and column of the cell that cannot be had
schema::Value make_table(const schema::Value& arguments, const Results& results);

}  // namespace bgw::inline_tasks
