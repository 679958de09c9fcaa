#include <fmt/format.h>

#include "runtime/catalog/kinds.h"

namespace bgw::catalog {
namespace {

using schema::Bounds;
using schema::CheckContext;
using schema::KindSchema;
using schema::Makes;
using schema::Map;
using schema::NestedSchema;
using schema::Type;
using schema::TypeKind;

const Bounds kPositive{{}, 0.0, {}};

void check_figure(Map& figure, CheckContext& context) {
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
                       {"y", Type::of(TypeKind::expression), "ordinate", true, {}},
                       {"yerr", Type::any_of({Type::word({"auto"}), Type::of(TypeKind::expression)}), "error bar; auto: that of y", false, "auto"},
                       {"label", Type::of(TypeKind::string), "in the legend; the name when left out", false, {}},
                       {"style", Type::word({"line", "dashed", "dotted", "points"}), "how it is drawn", false, {}}};
  KindSchema kind;
  kind.noun = "figure";
  kind.makes = Makes::inline_task;
  kind.doc = "A drawing of results";
  kind.attributes = {{"title", Type::of(TypeKind::string), "above it", false, {}},
                     {"xlabel", Type::of(TypeKind::string), "below it", false, {}},
                     {"ylabel", Type::of(TypeKind::string), "beside it", false, {}},
                     {"size", Type::list(Type::of(TypeKind::integer)), "width and height in points", false, {}, {}, {50.0, {}, 10000.0}}};
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

KindSchema resources() {
  KindSchema kind;
  kind.noun = "resources";
  kind.makes = Makes::policy;
  kind.doc = "What a task may take of the machine; never part of a key";
  kind.attributes = {{"cpus", Type::of(TypeKind::integer), "threads", false, 1, {}, {1.0, {}, 4096.0}},
                     {"memory", Type::quantity("memory"), "at most", false, {}, {}, kPositive, "4 GB"},
                     {"walltime", Type::quantity("duration"), "at most", false, {}, {}, kPositive, "2 h"}};
  return kind;
}

}  // namespace

void add_report_kinds(schema::Catalog& catalog) {
  catalog.add(figure());
  catalog.add(table());
  catalog.add(expect());
  catalog.add(resources());
}

void add_later_names(schema::Catalog& catalog) {
  for (const char* noun : {"md", "data", "phase_diagram"}) catalog.add_later(noun);
  for (const char* constructor : {"forward_kl", "mixed", "harmonic", "decay", "gnn", "legendre", "langevin", "einstein_crystal",
                                  "replica_exchange", "temperature_ladder", "at", "fit", "bootstrap"}) {
    catalog.add_later(constructor);
  }
  for (const char* attribute : {"lattice.c_over_a", "lattice.b_over_a", "lattice.delta", "lattice.path", "system.species", "ensemble.pressure",
                                "ensemble.box", "base.width", "flow.layers", "flow.bins", "flow.embedding", "flow.conditioner", "flow.aux_width",
                                "flow.condition_on", "train.warm_start", "stage.when", "stage.temperature", "stage.density", "stage.atoms",
                                "stage.data", "stage.linearize_below", "stage.grad_clip", "estimate.model", "estimate.temperature",
                                "estimate.density", "estimate.count", "estimate.marginal", "estimate.aux_draws", "reference.produce",
                                "reference.equilibrate", "series.fill", "series.band", "figure.format", "retry.backoff", "resources.gpus", "resources.nodes",
                                "resources.data_parallel", "resources.exclusive", "potential.switch_from"}) {
    catalog.add_later(attribute);
  }
}

}  // namespace bgw::catalog
