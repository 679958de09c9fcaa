#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {
namespace {

/// What a nested block brings to its block: its numbers stand further in.
void add_below(Traits& to, const Traits& from, const std::string& place) {
  if (from.reduced && !to.reduced) to.reduced_at = from.reduced_at;
  if (from.physical && !to.physical) to.physical_at = from.physical_at;
  to.reduced = to.reduced || from.reduced;
  to.physical = to.physical || from.physical;
  for (const UnboundNumber& number : from.unbound) to.unbound.push_back({place + "." + number.path, number.dimension});
  for (const std::string& what : from.later) {
    if (std::find(to.later.begin(), to.later.end(), what) == to.later.end()) to.later.push_back(what);
  }
}

}  // namespace

/// Of a kind that may stand several times the nearest body that has any counts; of others all bodies, attribute by attribute.
void Elaborator::plan_nested(Family& family) {
  const schema::KindSchema& kind = *family.kind;
  std::set<std::string> meant;  // by a kind that there is not: the required one is not missing, too
  for (const Layer& layer : family.members.layers) {
    for (const syntax::Member& member : layer.body->members) {
      const auto* block = std::get_if<syntax::NestedBlock>(&member.what);
      if (!block || kind.find_nested(block->kind.text)) continue;
      std::vector<std::string> known;
      for (const auto& n : kind.nested) known.push_back(n.kind);
      meant.insert(meant_by(block->kind.text, known));
      const std::vector<std::string> helps = did_you_mean(block->kind.text, known, known.empty() ? "leave it out" : fmt::format("it takes {}", fmt::join(known, ", ")));
      error("E0201", block->kind.range, fmt::format("no block kind `{}` inside a {}", block->kind.text, kind.noun), helps);
      family.good = false;
    }
  }
  for (const schema::NestedSchema& nested : kind.nested) {
    std::vector<std::pair<std::size_t, const syntax::NestedBlock*>> found;
    for (std::size_t k = 0; k < family.members.layers.size() && (found.empty() || !nested.many); ++k) {
      for (const syntax::Member& member : family.members.layers[k].body->members) {
        const auto* block = std::get_if<syntax::NestedBlock>(&member.what);
        if (block && block->kind.text == nested.kind) found.emplace_back(k, block);
      }
    }
    if (!plan_nested_block(family, nested, found)) family.good = false;
    if (nested.required && found.empty() && meant.empty()) {
      error("E0204", family.block->name.range, fmt::format("{} `{}` has no `{}`", kind.noun, family.block->name.text, nested.kind),
            {fmt::format("write `{} NAME {{ … }}` in it", nested.kind)}, {fmt::format("`{}`: {}", nested.kind, nested.doc)});
      family.good = false;
    }
  }
}

bool Elaborator::plan_nested_block(Family& family, const schema::NestedSchema& nested, const std::vector<std::pair<std::size_t, const syntax::NestedBlock*>>& blocks) {
  std::map<std::pair<std::size_t, std::string>, SourceRange> names;
  bool good = true;
  const auto fail = [&](const char* id, SourceRange range, std::string message, std::vector<std::string> helps, std::vector<source::Label> others = {}) {
    error(id, range, std::move(message), std::move(helps), {}, {}, std::move(others));
    good = false;
  };
  for (const auto& [layer, block] : blocks) {
    const std::string name = block->name ? block->name->text : nested.kind;
    const SourceRange where = block->name ? block->name->range : block->kind.range;
    if (nested.many && !block->name) {
      fail("E0204", block->kind.range, fmt::format("this {} has no name", nested.kind), {fmt::format("write `{} NAME {{ … }}`", nested.kind)});
      continue;
    }
    const auto [first, fresh] = names.emplace(std::pair{layer, nested.many ? name : nested.kind}, where);
    if (!fresh) {
      fail("E0206", where, fmt::format("{} `{}` stands twice", nested.kind, name), {"give one of the two another name"}, {{first->second, "first here"}});
      continue;
    }
    const Layer& outer = family.members.layers[layer];
    if (!nested.many && !family.nested.empty() && family.nested.back().schema == &nested) {
      family.nested.back().members.layers.push_back({block->body.get(), layer, outer.varying});
      continue;
    }
    NestedPlan& plan = family.nested.emplace_back();
    plan.schema = &nested;
    plan.block = block;
    plan.name = name;
    plan.where = where;
    plan.title = block->name ? fmt::format("{} `{}` of {} `{}`", nested.kind, name, family.kind->noun, family.block->name.text)
                             : fmt::format("{} of {} `{}`", nested.kind, family.kind->noun, family.block->name.text);
    Layer own{block->body.get(), layer, outer.varying};
    Module& module = layer == 0 ? *family.module : *family.bases[layer - 1].family->module;
    std::size_t copies = 1;
    for (const syntax::IndexBinding& binding : block->indices) {
      own.varying.insert(binding.variable.text);
      plan.axes.push_back(axis_table(module, binding.axis.text));
      if (plan.axes.back()) {
        copies = std::min(copies * plan.axes.back()->values.size(), 2 * kMostInstances);
        continue;
      }
      const auto declared = module.declarations.find(binding.axis.text);
      if (declared == module.declarations.end() || !std::holds_alternative<syntax::Axis>(declared->second.item->what)) missing_axis(module, binding.axis);
      good = false;
    }
    if (!plan.axes.empty() && nested.kind != "series") fail("E0211", block->kind.range, fmt::format("a {} has no index set", nested.kind), {"leave the brackets out"});
    if (copies > kMostInstances) fail("E0410", where, fmt::format("{} `{}` has more members than the limit {}", nested.kind, name, kMostInstances), {"take shorter axes"});
    plan.members.layers.push_back(std::move(own));
  }
  for (NestedPlan& plan : family.nested) {
    if (plan.schema != &nested || !plan.members.written.empty()) continue;
    plan_members(plan.members, plan.title);
    plan.varies = !plan.axes.empty() || !plan.members.statements.empty();
    for (const auto& [name, written] : plan.members.written) plan.varies = plan.varies || written.varies;
  }
  return good;
}

void Elaborator::resolve_nested(Family& family, Instance& instance, std::vector<Scope>& scopes, schema::Map& arguments, schema::Map& policy) {
  std::map<std::string, schema::List> members;
  for (NestedPlan& plan : family.nested) {
    schema::List& list = members[plan.schema->kind];
    Resolved fresh;
    const std::size_t before = errors_;
    if (!plan.kept) {
      Traits* outer = std::exchange(traits_, &fresh.traits);
      schema::List made;
      resolve_copies(plan, scopes, made);
      traits_ = outer;
      fresh.value = Value(std::move(made));
      if (!plan.varies && errors_ == before) plan.kept = fresh;
    }
    const Resolved& resolved = plan.kept ? *plan.kept : fresh;
    for (const Value& value : resolved.value->as_list()) {
      plan.ever = true;
      add_below(instance.traits, resolved.traits, plan.schema->many ? fmt::format("{}.{}", plan.schema->member, list.size()) : plan.schema->member);
      list.push_back(value);
    }
  }
  for (const schema::NestedSchema& nested : family.kind->nested) {
    const schema::List& found = members[nested.kind];
    if (nested.many) arguments[nested.member] = found;
    else if (!found.empty()) (nested.policy ? policy : arguments)[nested.member] = found[0];
  }
}

/// A nested block for each value of its index set; none where its `when` does not hold.
void Elaborator::resolve_copies(NestedPlan& plan, std::vector<Scope>& scopes, schema::List& into) {
  const schema::NestedSchema& nested = *plan.schema;
  std::vector<std::size_t> position(plan.axes.size(), 0);
  while (affords(1, plan.where)) {
    std::vector<Scope> inner;
    for (const Layer& layer : plan.members.layers) inner.push_back(Scope::inside(scopes[layer.scope]));
    std::string full = plan.name;
    for (std::size_t i = 0; i < plan.axes.size(); ++i) {
      const auto& binding = plan.block->indices[i];
      inner[0].locals.push_back({binding.variable.text, plan.axes[i]->values[position[i]], binding.axis.text});
      full += (i == 0 ? "[" : ",") + plan.axes[i]->texts[position[i]];
    }
    if (!plan.axes.empty()) full += "]";
    schema::Map map;
    resolve_members(plan.members, nested.attributes, "", nested.kind, plan.title, plan.where, inner, map, nullptr);
    if (nested.kind == "column") check_column_unit(plan, inner, map);
    const auto when = map.find("when");
    const bool wanted = when == map.end() || !when->second.is_bool() || when->second.as_bool();
    if (when != map.end()) map.erase(when);
    if (wanted) {
      if (nested.many) map["name"] = full;
      if (nested.kind == "series" && map["label"].is_none()) map["label"] = full;
      into.push_back(std::move(map));
    }
    std::size_t digit = plan.axes.size();
    while (digit > 0 && ++position[digit - 1] == plan.axes[digit - 1]->values.size()) position[--digit] = 0;
    if (digit == 0) return;
  }
}

/// The unit of a column is one of its numbers: the table would find out when everything has run.
void Elaborator::check_column_unit(NestedPlan& plan, const std::vector<Scope>& scopes, const schema::Map& column) {
  const auto unit = column.find("unit");
  const auto value = plan.members.written.find("value"), written = plan.members.written.find("unit");
  if (unit == column.end() || !unit->second.is_string() || value == plan.members.written.end() || written == plan.members.written.end()) return;
  const Evaluated number = evaluate(*value->second.attribute->value, scopes[value->second.layer]);
  const auto* result = number.as<RunTime>();
  const auto quantity = as_quantity(number);
  if (!result && !quantity) return;
  const units::Dimension dimension = result ? result->dimension : quantity->dimension;
  const std::string& text = unit->second.as_string();
  const SourceRange range = written->second.attribute->value->range;
  if (text == "kT" && dimension.is_dimensionless()) return;
  std::string problem;
  const auto wanted = quantity_from_text(text, problem);
  if (!wanted) {
    error("E0207", range, fmt::format("there is no unit `{}`", text), did_you_mean(text, unit_names(), "write for instance `unit = \"eV\"`"));
  } else if (wanted->dimension != dimension) {
    error("E0301", range, fmt::format("the unit of a column is that of its numbers, got {} for {}", units::dimension_name(wanted->dimension), units::dimension_phrase(dimension)),
          {dimension.is_dimensionless() ? "leave `unit` out" : fmt::format("write for instance `unit = \"{}\"`", units::usual_unit(dimension))});
  }
}

/// The index set of a table makes its rows, a row has one expression a column.
void Elaborator::resolve_rows(Family& family, Instance& instance, schema::Map& arguments, schema::Map& policy) {
  const schema::NestedSchema& column_schema = *family.kind->find_nested("column");
  schema::List rows, columns;
  const std::size_t rank = family.tables.size();
  std::vector<std::size_t> position(rank, 0);
  while (affords(1, family.block->name.range)) {
    std::vector<Scope> scopes(family.members.layers.size());
    schema::Map index;
    scopes[0].module = family.module;
    scopes[0].run_time = true;
    for (std::size_t i = 0; i < rank; ++i) {
      const Evaluated& value = family.tables[i]->values[position[i]];
      scopes[0].locals.push_back({family.variables[i], value, family.axes[i]});
      index[family.variables[i]] = to_value(value);
    }
    enter_bases(family, scopes);
    run_statements(family.members, scopes);
    schema::Map row;
    resolve_nested(family, instance, scopes, row, policy);
    schema::List cells;
    columns.clear();
    for (const Value& resolved : row[column_schema.member].as_list()) {
      schema::Map column = resolved.as_map();
      cells.push_back(column["value"]);
      column.erase("value");
      columns.push_back(std::move(column));
    }
    rows.push_back(schema::Map{{"index", std::move(index)}, {"cells", std::move(cells)}});
    std::size_t digit = rank;
    while (digit > 0 && ++position[digit - 1] == family.tables[digit - 1]->values.size()) position[--digit] = 0;
    if (digit == 0) break;
  }
  schema::List indices;
  for (std::size_t i = 0; i < rank; ++i) indices.push_back(family.variables[i]);
  arguments["indices"] = std::move(indices);
  arguments["rows"] = std::move(rows);
  arguments["columns"] = std::move(columns);
}

/// A stage whose `when` holds for no member is there for nothing.
void Elaborator::warn_unreachable_stages() {
  if (errors_ > 0) return;
  for (const Family& family : families_) {
    if (family.module != &main()) continue;
    for (const NestedPlan& plan : family.nested) {
      if (plan.ever || !plan.schema->many) continue;
      warn("W0505", plan.where, fmt::format("{} is never reached: its `when` holds for no member", plan.title), {"leave it out, or change `when`"});
    }
  }
}

}  // namespace bgw::semantics
