#pragma once

#include "compiler/schema/value.h"
#include "runtime/inline_tasks/results.h"

namespace bgw::inline_tasks {

/// A figure as data: {"title", "xlabel", "ylabel", "size", "format", "series": [{"label", "style", "x", "y", "yerr", "xerr",
/// "band"}]}; a series of style "fill" has the grid of a plane in x and y, and {"words", "places": [y, x]}.
///
/// A curve is a series of its own and brings x. Numbers of one family (`lbar[64]`, `lbar[216]`, …) become one series;
/// where x turns back a new one begins, told apart by the part of the index its members share. Without
/// `yerr` the error of y is drawn, when there is one, and so is that of x.
/// @throws InputError naming the series whose parts do not fit together
schema::Value make_figure(const schema::Value& arguments, const Results& results);

}  // namespace bgw::inline_tasks
