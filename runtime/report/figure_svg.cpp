#include "runtime/report/figure_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/report/gnuplot.h"

namespace bgw::report {
namespace {

using schema::List;
using schema::Value;

constexpr std::int64_t kWidth = 640, kHeight = 400;
constexpr double kShade = 0.25;  // of bands and planes, behind lines of the same colour
// Told apart with every kind of colour vision, and readable on white and on black (after Okabe and Ito).
constexpr std::array<const char*, 6> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};

std::int64_t extent(const Value& figure, std::size_t which, std::int64_t otherwise) {
  if (!figure.has("size")) return otherwise;
  const List& size = figure.at("size").as_list();
  return which < size.size() ? size[which].as_int() : otherwise;
}

std::string number_text(const Value& value) { return value.is_number() ? fmt::format("{}", value.as_double()) : "NaN"; }

bool is_plane(const Value& series) { return series.string_or("style", "") == "fill"; }

/// Half the width of a series in y and in x at a point, as text.
std::string error_text(const Value& series, const char* which, std::size_t i) {
  return series.has(which) ? number_text(series.at(which).as_list().at(i)) : "0";
}

/// x, y and the errors of y and x.
std::string data_block(const Value& series, std::size_t number) {
  const List& x = series.at("x").as_list();
  const List& y = series.at("y").as_list();
  std::string text = fmt::format("$series{} << END\n", number);
  for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
    text += number_text(x[i]) + " " + number_text(y[i]);
    if (series.has("yerr") || series.has("xerr")) text += " " + error_text(series, "yerr", i) + " " + error_text(series, "xerr", i);
    text += "\n";
  }
  return text + "END\n";
}

/// Outlines of the band, there on one side and back on the other; a point whose error is not known ends one.
std::string band_block(const Value& series, std::size_t number) {
  const List &x = series.at("x").as_list(), &y = series.at("y").as_list();
  const auto half = [&](const char* which, std::size_t i) {
    return series.has(which) && series.at(which).as_list().at(i).is_number() ? series.at(which).as_list()[i].as_double() : 0.0;
  };
  std::string text = fmt::format("$band{} << END\n", number), back;
  const auto close = [&] {
    if (!back.empty()) text += back + "\n";
    back.clear();
  };
  for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
    const double dx = half("xerr", i), dy = half("yerr", i);
    if (!x[i].is_number() || !y[i].is_number() || (dx == 0.0 && dy == 0.0)) {
      close();
      continue;
    }
    text += fmt::format("{} {}\n", x[i].as_double() - dx, y[i].as_double() + dy);
    back = fmt::format("{} {}\n", x[i].as_double() + dx, y[i].as_double() - dy) + back;
  }
  close();
  return text + "END\n";
}

/// Where the cells of a grid end: half way to the next number, at the ends the numbers themselves.
std::vector<double> cell_ends(const List& grid) {
  std::vector<double> ends;
  for (std::size_t i = 0; i < grid.size(); ++i) ends.push_back(i == 0 ? grid[0].as_double() : 0.5 * (grid[i - 1].as_double() + grid[i].as_double()));
  if (!grid.empty()) ends.push_back(grid.back().as_double());
  return ends;
}

// Rectangles, one for each run of one word along x: few, and sharp at every size.
std::string plane_part(const Value& series) {
  const std::vector<double> x = cell_ends(series.at("x").as_list()), y = cell_ends(series.at("y").as_list());
  const List& places = series.at("places").as_list();
  if (x.size() < 2 || y.size() < 2) return "";
  const std::size_t columns = x.size() - 1;
  std::string text = fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset offsets 0, 0, 0, 0\n", x.front(), x.back(), y.front(), y.back());
  for (std::size_t row = 0; row + 1 < y.size(); ++row) {
    for (std::size_t begin = 0, end = 0; begin < columns; begin = end) {
      const std::int64_t word = places.at(row * columns + begin).as_int();
      while (end < columns && places.at(row * columns + end).as_int() == word) ++end;
      if (word < 0) continue;
      text += fmt::format("set object rectangle from {},{} to {},{} behind fillcolor rgb '{}' fillstyle transparent solid {} noborder\n", x[begin], y[row], x[end],
                          y[row + 1], kColours[static_cast<std::size_t>(word) % kColours.size()], kShade);
    }
  }
  return text;
}

/// What the colours of a plane mean.
std::string legend_part(const Value& series) {
  std::string text = "NaN notitle";
  const List& words = series.at("words").as_list();
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += fmt::format(", NaN with boxes fillcolor rgb '{}' fillstyle transparent solid {} noborder title {}", kColours[i % kColours.size()], kShade,
                        gnuplot_string(words[i].as_string()));
  }
  return text;
}

std::string look(const std::string& style, const char* colour) {
  if (style == "points") return fmt::format("with points pt 7 ps 0.8 lc rgb '{}'", colour);
  const char* dash = style == "dashed" ? " dt 2" : style == "dotted" ? " dt 3" : "";
  return fmt::format("with lines lw 2{} lc rgb '{}'", dash, colour);
}

std::string plot_part(const Value& series, std::size_t number) {
  if (is_plane(series)) return legend_part(series);
  const char* colour = kColours[number % kColours.size()];
  const std::string style = series.string_or("style", "line");
  const std::string label = gnuplot_string(series.string_or("label", series.string_or("name", "")));
  std::string part = fmt::format("$series{} using 1:2 {} title {}", number, look(style, colour), label);
  if (series.bool_or("band", false)) {
    return fmt::format("$band{} using 1:2 with filledcurves closed fillcolor rgb '{}' fillstyle transparent solid {} noborder notitle, ", number, colour, kShade) + part;
  }
  // Not gnuplot's error bars: they wipe a white disc behind each point, over whatever is drawn there.
  const double width = style == "points" ? 1.5 : 0.75;
  if (series.has("yerr")) {
    part += fmt::format(", $series{} using 1:($2-$3):(0):(2*$3) with vectors nohead lw {} lc rgb '{}' notitle", number, width, colour);
  }
  if (series.has("xerr")) {
    part += fmt::format(", $series{} using ($1-$4):2:(2*$4):(0) with vectors nohead lw {} lc rgb '{}' notitle", number, width, colour);
  }
  return part;
}

// Some five ticks at round numbers: gnuplot's own choice lets long numbers run into each other on a small figure.
std::string ticks_of_x(const List& series) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Value& one : series) {
    for (const Value& x : one.at("x").as_list()) {
      if (!x.is_number()) continue;
      low = std::min(low, x.as_double());
      high = std::max(high, x.as_double());
    }
  }
  if (!(high > low)) return "";
  const double rough = (high - low) / 5;
  const double decade = std::pow(10.0, std::floor(std::log10(rough)));
  const double digit = rough / decade < 1.5 ? 1 : rough / decade < 3.5 ? 2 : rough / decade < 7.5 ? 5 : 10;
  return fmt::format("set xtics {:g}\n", digit * decade);
}

std::string label_line(const char* what, const Value& figure) {
  const std::string text = figure.string_or(what, "");
  return text.empty() ? "" : fmt::format("set {} {}\n", what, gnuplot_string(text));
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

std::string figure_script(const Value& figure) {
  const List& series = figure.at("series").as_list();
  // noenhanced: an underscore in a label is an underscore
  std::string script = fmt::format("set terminal svg size {},{} noenhanced font 'sans-serif,13' background 'white'\n",
                                   extent(figure, 0, kWidth), extent(figure, 1, kHeight));
  script +=
      "set encoding utf8\nset datafile missing 'NaN'\nset border 3\nset tics nomirror out\nset "
      "grid lw 0.5 lc rgb '#808080'\n";
  script += "set key above spacing 1.2\nset autoscale xfix\nset offsets graph 0.02, graph 0.02, graph 0.05, 0\n";
  script += label_line("title", figure) + label_line("xlabel", figure) + label_line("ylabel", figure);
  script += ticks_of_x(series);
  if (figure.has("ymin")) script += fmt::format("set yrange [{:g}:*]\n", figure.at("ymin").as_double());
  for (std::size_t i = 0; i < series.size(); ++i) {
    script += is_plane(series[i]) ? plane_part(series[i]) : data_block(series[i], i);
    if (series[i].bool_or("band", false)) script += band_block(series[i], i);
  }
  std::string parts;
  for (std::size_t i = 0; i < series.size(); ++i) parts += (i > 0 ? ", " : "") + plot_part(series[i], i);
  return script + "plot " + parts + "\n";
}

std::string draw_svg(const Value& figure) {
  std::string svg = run_gnuplot(figure_script(figure));
  svg.erase(0, std::min(svg.find("<svg"), svg.size()));  // the XML head has no place inside a page
  for (const char* black : {"color=\"black\"", "fill=\"black\"", "stroke=\"black\"", "stroke='black'"}) {
    const std::string word(black);
    replace_all(svg, word, word.substr(0, word.find('=')) + "=\"currentColor\"");
  }
  replace_all(svg, "color=\"#FFFFFF\"", "color=\"currentColor\"");
  replace_all(svg, "fill=\"white\"", "fill=\"none\"");
  replace_all(svg, "fill=\"#ffffff\"", "fill=\"none\"");
  return svg;
}

}  // namespace bgw::report
