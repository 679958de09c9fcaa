#pragma once

#include <string>
#include <string_view>

namespace bgw::report {

/// Runs a gnuplot script and gives what it writes to its standard output. The one place that starts gnuplot, found on
/// the PATH or as BGW_GNUPLOT.
/// @throws StoreError when there is no gnuplot (naming the package) or it fails (with its own words)
std::string run_gnuplot(const std::string& script);

/// The text as a gnuplot string: in single quotes, where neither `$` nor backquotes, which would start a shell, mean
/// anything; line breaks become blanks.
std::string gnuplot_string(std::string_view text);

}  // namespace bgw::report
