#include <fmt/format.h>

#include "runtime/catalog/kinds.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {
namespace {

using schema::CheckContext;
using schema::KindSchema;
using schema::Makes;
using schema::Map;
using schema::NestedSchema;
using schema::Type;
using schema::TypeKind;

/// A series is a line through `y`, or the plane that `fill` covers.
void check_series(const schema::Value& series, CheckContext& context) {
  const bool line = series.has("y"), plane = series.has("fill");
  const std::string& name = series.at("name").as_string();
  // The name of a member of a family ends in its indices, the block does not.
  const std::string place = fmt::format("series.{}", name.substr(0, name.find('[')));
  if (line == plane) {
    context.complain({"E0429", plane ? place + ".fill" : place, fmt::format("series `{}` of {} needs either `y` or `fill`, it has {}", name, context.block, plane ? "both" : "neither"), {},
                      {"write `y = …` for a line or points, `fill = …` for a coloured plane"}});
    return;
  }
  if (!plane) return;
  for (const char* attribute : {"x", "band"}) {
    const schema::Value* given = series.find(attribute);
    if (given == nullptr || given->is_none() || (given->is_bool() && !given->as_bool())) continue;
    context.complain({"E0429", place + "." + attribute, fmt::format("`fill` of series `{}` covers the plane, `{}` has no use", name, attribute), {}, {"leave it out"}});
  }
}

void check_figure(Map& figure, CheckContext& context) {
  for (const schema::Value& series : figure.at("series").as_list()) check_series(series, context);
  const schema::Value& size = figure.at("size");
  if (size.is_none() || size.as_list().size() == 2) return;
  context.complain({"E0303", "size", fmt::format("the size of {} is two ints, width and height, got {}", context.block, size.as_list().size()), {}, {"write for instance `size = [640, 400]`"}});
}

KindSchema figure() {
  NestedSchema series;
  series.kind = series.member = "series";
  series.many = true;
  series.required = true;
  series.doc = "One line or set of points";
  series.attributes = {{"x", Type::of(TypeKind::expression), "abscissa; a curve brings its own", false, {}},
                       {"y", Type::of(TypeKind::expression), "ordinate", false, {}},
                       {"fill", Type::of(TypeKind::expression), "a word over the plane, as the stable phase", false, {}},
                       {"yerr", Type::any_of({Type::word({"auto"}), Type::of(TypeKind::expression)}), "error bar; auto: that of y", false, "auto"},
                       {"label", Type::of(TypeKind::string), "in the legend; the name when left out", false, {}},
                       {"style", Type::word({"line", "dashed", "dotted", "points"}), "how it is drawn", false, {}},
                       {"band", Type::of(TypeKind::boolean), "draw the error as a band", false, false}};
  KindSchema kind;
  kind.noun = "figure";
  kind.version = 2;  // errors of curves and of abscissae
  kind.makes = Makes::inline_task;
  kind.doc = "A drawing of results";
  kind.attributes = {{"title", Type::of(TypeKind::string), "above it", false, {}},
                     {"xlabel", Type::of(TypeKind::string), "below it", false, {}},
                     {"ylabel", Type::of(TypeKind::string), "beside it", false, {}},
                     {"size", Type::list(Type::of(TypeKind::integer)), "width and height in points", false, {}, {}, {50.0, {}, 10000.0}},
                     later({"format", Type::list(Type::word({"svg", "pdf"})), "files that are written; svg when left out", false, schema::List{"svg"}})};
  kind.nested = {series};
  kind.complete = check_figure;
  return kind;
}

KindSchema table() {
  NestedSchema column;
  column.kind = "column";
  column.member = "columns";
  column.many = true;
  column.required = true;
  column.doc = "One number a row";
  column.attributes = {{"value", Type::of(TypeKind::expression), "of the row", true, {}},
                       {"unit", Type::of(TypeKind::string), "shown with it", false, {}},
                       {"digits", Type::any_of({Type::of(TypeKind::integer), Type::word({"auto"})}), "after the point; auto: from the error", false, "auto", {}, {0.0, {}, 17.0}}};
  KindSchema kind;
  kind.noun = "table";
  kind.makes = Makes::inline_task;
  kind.doc = "Results in rows; the index set makes the rows";
  kind.nested = {column};
  kind.indexed_as_rows = true;
  return kind;
}

void check_expect(Map& expect, CheckContext& context) {
  int given = 0;
  for (const char* name : {"sigmas", "tolerance", "relative"}) given += expect.at(name).is_none() ? 0 : 1;
  if (given == 1) return;
  context.complain({"E0406", "", fmt::format("{} needs exactly one of `sigmas`, `tolerance` and `relative`, it has {}", context.block, given), {},
                    {"write for instance `sigmas = 3`"}});
}

KindSchema expect() {
  KindSchema kind;
  kind.noun = "expect";
  kind.makes = Makes::check;
  kind.doc = "A result compared with what is known";
  kind.attributes = {{"value", Type::of(TypeKind::expression), "the result", true, {}},
                     {"reference", Type::of(TypeKind::expression), "what it should be", true, {}},
                     {"sigmas", Type::of(TypeKind::number), "within so many standard errors", false, {}, {}, kPositive, "3"},
                     {"tolerance", Type::quantity("any"), "within this difference", false, {}, {}, kPositive, "0.04"},
                     {"relative", Type::of(TypeKind::number), "within this fraction", false, {}, {}, kPositive, "0.01"},
                     {"source", Type::of(TypeKind::string), "where the reference comes from", false, {}}};
  kind.complete = check_expect;
  return kind;
}

void check_resources(Map& resources, CheckContext& context) {
  const auto count = [&](const char* name, std::int64_t otherwise) {
    const schema::Value* value = given(resources, name);
    return value == nullptr ? otherwise : value->as_int();
  };
  const schema::Value* parallel = given(resources, "data_parallel");
  if (parallel == nullptr || !parallel->as_bool() || count("gpus", 0) * count("nodes", 1) > 1 || count("cpus", 1) > 1) return;
  context.complain({"E0424", "data_parallel", fmt::format("{} has one device, `data_parallel` has nothing to share", context.block),
                    {fmt::format("`gpus` times `nodes` is {}, `cpus` {}", count("gpus", 0) * count("nodes", 1), count("cpus", 1))}, {"take more `gpus`, `nodes` or `cpus`, or leave it out"}});
}

KindSchema resources() {
  KindSchema kind;
  kind.noun = "resources";
  kind.makes = Makes::policy;
  kind.doc = "What a task may take of the machine; never part of a key";
  kind.attributes = {{"cpus", Type::of(TypeKind::integer), "threads", false, 1, {}, {1.0, {}, 4096.0}},
                     {"memory", Type::quantity("memory"), "at most", false, {}, {}, kPositive, "4 GB"},
                     {"walltime", Type::quantity("duration"), "of one attempt at most", false, {}, {}, kPositive, "2 h"},
                     {"gpus", Type::of(TypeKind::integer), "for itself, of each node", false, 0, {}, {0.0, {}, 1024.0}},
                     later({"nodes", Type::of(TypeKind::integer), "of a cluster", false, 1, {}, {1.0, {}, 65536.0}}),
                     later({"data_parallel", Type::of(TypeKind::boolean), "share each batch among the devices", false, false}),
                     {"exclusive", Type::of(TypeKind::boolean), "no other task beside it", false, false}};
  kind.complete = check_resources;
  return kind;
}

}  // namespace

void add_report_kinds(schema::Catalog& catalog) {
  catalog.add(figure());
  catalog.add(table());
  catalog.add(expect());
  catalog.add(resources());
}

}  // namespace bgw::catalog
