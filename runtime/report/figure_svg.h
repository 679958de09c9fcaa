#pragma once

#include <string>

#include "compiler/schema/value.h"

namespace bgw::report {

/// The gnuplot script of a figure as inline_tasks/figure.h makes it; it writes SVG to the standard output.
/// Points without a number are left out. Styles: line, dashed, dotted, points, and fill for a plane of words.
std::string figure_script(const schema::Value& figure);

/// The figure as an <svg> element that takes the colour of its text from the page around it, so that it is readable
/// on a light and on a dark one.
/// @throws StoreError as run_gnuplot() does
std::string draw_svg(const schema::Value& figure);

}  // namespace bgw::report
