#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {
namespace {

using schema::Attribute;

bool belongs_to(const Attribute& attribute, const std::string& variant) {
  return attribute.variants.empty() || std::find(attribute.variants.begin(), attribute.variants.end(), variant) != attribute.variants.end();
}

/// Equal, for lists in any order.
bool same_members(const Value& a, const Value& b) {
  if (!a.is_list() || !b.is_list()) return a == b;
  const schema::List &one = a.as_list(), &other = b.as_list();
  return one.size() == other.size() && std::is_permutation(one.begin(), one.end(), other.begin());
}

/// As a program writes it: `true`, `[energy, positions]`.
std::string shown_plainly(const Value& value) {
  std::string text = schema::to_json(value);
  std::erase(text, '"');
  return fmt::format("`{}`", text);
}

/// The number a product of units begins with: `6.189 kcal` of `6.189 kcal/mol`.
const syntax::Expression* leftmost(const syntax::Expression* expression) {
  while (const auto* binary = std::get_if<syntax::Binary>(&expression->what)) {
    if (binary->op != syntax::BinaryOperator::multiply && binary->op != syntax::BinaryOperator::divide) return nullptr;
    expression = binary->left.get();
  }
  return expression;
}

}  // namespace

Instance& Elaborator::add_instance(const schema::KindSchema& kind, const std::string& block, SourceRange range) {
  Instance& instance = model_->instances.emplace_back();
  instance.kind = &kind;
  instance.block = block;
  instance.range = range;
  return instance;
}

/// The member of a family at a position of its axes, resolved; nullptr when it needs itself.
Instance* Elaborator::instance_at(Family& family, const std::vector<std::size_t>& position) {
  const auto known = family.instances.find(position);
  if (known != family.instances.end()) {
    if (!family.running.count(known->second)) return known->second;
    const auto begin = std::find(chain_.begin(), chain_.end(), known->second->name);
    std::string path;
    for (auto at = begin; at != chain_.end(); ++at) path += *at + " needs ";
    error("E0210", family.block->name.range, fmt::format("`{}` needs itself", known->second->name), {}, {path + known->second->name});
    return nullptr;
  }
  Instance& instance = add_instance(*family.kind, family.block->name.text, family.block->name.range);
  family.instances[position] = &instance;
  Scope scope;
  scope.run_time = family.kind->makes == schema::Makes::inline_task || family.kind->makes == schema::Makes::check;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < position.size(); ++i) {
    const auto* values = axis_values(family.axes[i]);
    if (!values) {
      instance.good = false;
      return &instance;
    }
    const Evaluated& value = (*values)[position[i]];
    scope.locals[family.variables[i]] = {value, family.axes[i]};
    instance.indices.push_back({family.variables[i], family.axes[i], index_text(value), to_value(value)});
    texts.push_back(index_text(value));
  }
  instance.name = texts.empty() ? instance.block : fmt::format("{}[{}]", instance.block, fmt::join(texts, ","));
  instance.full_name = fmt::format("{}.{}", family.kind->noun, instance.name);
  by_full_name_[instance.full_name] = &instance;
  Instance* outer = current_;
  std::map<std::string, SourceRange> outer_origins;
  outer_origins.swap(origins_);
  const std::size_t errors_before = errors_;
  current_ = &instance;
  family.running.insert(&instance);
  chain_.push_back(instance.name);
  resolve_instance(family, instance, scope);
  chain_.pop_back();
  family.running.erase(&instance);
  current_ = outer;
  origins_.swap(outer_origins);
  if (errors_ != errors_before) instance.good = false;
  return &instance;
}

void Elaborator::resolve_instance(Family& family, Instance& instance, Scope& scope) {
  const syntax::Block& block = *family.block;
  const std::string title = fmt::format("{} `{}`", block.kind.text, block.name.text);
  std::map<std::string, SourceRange> places;
  resolve_members(block.body, family.kind->attributes, family.kind->discriminator, block.kind.text, title, block.name.range, scope,
                  instance.arguments, places, family.kind);
  if (family.kind->indexed_as_rows) resolve_table(family, instance);
  else resolve_nested(block.body, *family.kind, instance, scope);
  for (const Attribute& attribute : family.kind->attributes) {
    if (!attribute.policy) continue;
    const Value value = instance.arguments[attribute.name];
    instance.arguments.erase(attribute.name);
    if (value.is_map()) instance.policy.insert(value.as_map().begin(), value.as_map().end());
  }
  // The units in which a potential is written are those its results are shown in.
  for (const syntax::Member& member : block.body.members) {
    const auto* attribute = std::get_if<syntax::Attribute>(&member.what);
    if (!attribute) continue;
    if (!family.axes.empty() && attribute->name.text == "seed" && std::holds_alternative<syntax::NumberLiteral>(attribute->value->what)) {
      warn("W0502", attribute->value->range, fmt::format("every member of `{}` has the same seed", block.name.text),
           {fmt::format("write `seed = derive({}, {})`", shown(attribute->value->range), fmt::join(family.variables, ", "))});
    }
    const bool energy = attribute->name.text == "epsilon";
    if (block.kind.text != "potential" || (!energy && attribute->name.text != "sigma")) continue;
    const syntax::Expression* written = attribute->value.get();
    if (const auto* name = std::get_if<syntax::Reference>(&written->what); name && name->trailers.empty() && declarations_.count(name->name.text)) {
      const auto& item = declarations_.at(name->name.text).item->what;
      if (const auto* param = std::get_if<syntax::Param>(&item); param && param->value) written = param->value.get();
      if (const auto* let = std::get_if<syntax::Let>(&item)) written = let->value.get();
    }
    const syntax::Expression* first = leftmost(written);
    const auto* literal = first ? std::get_if<syntax::NumberLiteral>(&first->what) : nullptr;
    if (!literal || !literal->unit) continue;
    std::string unit = shown({literal->unit->range.begin, written->range.end});
    std::erase_if(unit, [](unsigned char c) { return std::isspace(c) != 0 || c == '(' || c == ')'; });
    (energy ? instance.energy_unit : instance.length_unit) = unit;
  }
  if (block.kind.text == "potential") {
    if (instance.energy_unit.empty()) instance.energy_unit = instance.physical ? "eV" : "lj";
    if (instance.length_unit.empty()) instance.length_unit = instance.physical ? "angstrom" : "lj";
  }
  if (block.kind.text == "expect") {
    const auto find = [&](const char* name) -> std::optional<units::Dimension> {
      for (const syntax::Member& member : block.body.members) {
        const auto* attribute = std::get_if<syntax::Attribute>(&member.what);
        if (!attribute || attribute->name.text != name) continue;
        const Evaluated value = evaluate(*attribute->value, scope);
        if (const auto* run_time = value.as<RunTime>()) return run_time->dimension;
        if (const auto quantity = as_quantity(value)) return quantity->dimension;
      }
      return std::nullopt;
    };
    const auto value = find("value"), reference = find("reference"), tolerance = find("tolerance");
    const auto compare = [&](const char* name, const std::optional<units::Dimension>& other) {
      if (!value || !other || *value == *other) return;
      error("E0301", places.count(name) ? places.at(name) : block.name.range,
            fmt::format("{} given where {} is expected", units::dimension_name(*other), units::dimension_phrase(*value)), {},
            {fmt::format("`value` is {}", units::dimension_phrase(*value))});
    };
    compare("reference", reference);
    compare("tolerance", tolerance);
  }
  if (errors_ == 0 || instance.good) run_domain_check(instance, places);
  check_units_mixed(instance);
}

/// Attributes of a block or nested block, against their schema.
void Elaborator::resolve_members(const syntax::Body& body, const std::vector<Attribute>& attributes, const std::string& discriminator,
                                 const std::string& owner, const std::string& title, SourceRange where, Scope& scope, schema::Map& into,
                                 std::map<std::string, SourceRange>& places, const schema::KindSchema* kind) {
  std::map<std::string, const syntax::Attribute*> written;
  for (const syntax::Member& member : body.members) {
    if (const auto* let = std::get_if<syntax::Let>(&member.what)) {
      scope.locals[let->name.text] = {let->type ? typed(*let->type, *let->value, let->name.text, scope) : evaluate(*let->value, scope), {}};
    } else if (const auto* require = std::get_if<syntax::Require>(&member.what)) {
      const auto holds = truth(*require->condition, scope);
      if (holds && !*holds) error("E0411", require->condition->range, fmt::format("this does not hold: {}", require->message.value_or(shown(require->condition->range))));
    } else if (const auto* attribute = std::get_if<syntax::Attribute>(&member.what)) {
      const auto [first, fresh] = written.emplace(attribute->name.text, attribute);
      if (!fresh) {
        error("E0205", attribute->name.range, fmt::format("`{}` is given twice in {}", attribute->name.text, title), {"leave one of the two out"}, {}, {},
              {{first->second->name.range, "first here"}});
      }
    }
  }
  const auto resolve_one = [&](const Attribute& attribute) {
    const auto given = written.find(attribute.name);
    if (given == written.end()) {
      if (attribute.required) {
        error("E0204", where, fmt::format("{} lacks `{}`", title, attribute.name),
              {fmt::format("write `{} = {}`", attribute.name, attribute.example.empty() ? "…" : attribute.example)},
              {fmt::format("`{}` is {}: {}", attribute.name, attribute.type.describe(), attribute.doc)});
        if (current_) current_->good = false;
      }
      into[attribute.name] = attribute.otherwise;
      return;
    }
    const syntax::Expression& expression = *given->second->value;
    const auto value = resolve(expression, attribute.type, {fmt::format("{}.{}", owner, attribute.name), expression.range, &attribute}, scope);
    places[attribute.name] = expression.range;
    // A value that is wrong was told where it comes from, perhaps in another block.
    if (!value && current_) current_->good = false;
    if (value && !value->is_none() && !attribute.only.is_none() && !same_members(*value, attribute.only)) {
      error("E0203", expression.range, fmt::format("`{}.{}` can only be {} in this version", owner, attribute.name, shown_plainly(attribute.only)), {"leave it out"});
    }
    // An attribute written `none` is one left out.
    into[attribute.name] = !value ? Value() : value->is_none() ? attribute.otherwise : attribute.only.is_none() ? *value : attribute.only;
  };
  std::string variant;
  if (!discriminator.empty()) {
    const auto chooser = std::find_if(attributes.begin(), attributes.end(), [&](const Attribute& a) { return a.name == discriminator; });
    resolve_one(*chooser);
    if (!into[discriminator].is_string()) {
      if (current_) current_->good = false;
      return;  // without its variant nothing more can be said of the block
    }
    variant = into[discriminator].as_string();
  }
  std::vector<std::string> legal;
  for (const Attribute& attribute : attributes) {
    if (belongs_to(attribute, variant)) legal.push_back(attribute.name);
  }
  for (const auto& [name, attribute] : written) {
    if (std::find(legal.begin(), legal.end(), name) != legal.end()) continue;
    const bool elsewhere = std::any_of(attributes.begin(), attributes.end(), [&](const Attribute& a) { return a.name == name; });
    if (catalog_.is_later(owner + "." + name)) {
      error("E0203", attribute->name.range, fmt::format("`{}` is not available in this version", name), {"leave it out"});
    } else if (elsewhere) {
      error("E0202", attribute->name.range, fmt::format("{} with `{} = {}` has no `{}`", title, discriminator, variant, name), {"leave it out"});
    } else {
      std::vector<std::string> helps = did_you_mean(name, legal);
      if (helps.empty()) helps.push_back(fmt::format("it takes {}", fmt::join(legal, ", ")));
      if (kind && kind->find_nested(name)) helps = {fmt::format("`{}` is a block: write `{} {{ … }}`", name, name)};
      error("E0202", attribute->name.range, fmt::format("unknown attribute `{}` in {}", name, title), helps);
    }
  }
  for (const Attribute& attribute : attributes) {
    if (attribute.name != discriminator && belongs_to(attribute, variant)) resolve_one(attribute);
  }
}

void Elaborator::resolve_nested(const syntax::Body& body, const schema::KindSchema& kind, Instance& instance, Scope& scope) {
  std::map<std::string, schema::List> members;
  std::map<std::string, std::map<std::string, SourceRange>> names;
  for (const syntax::Member& member : body.members) {
    const auto* block = std::get_if<syntax::NestedBlock>(&member.what);
    if (!block) continue;
    const schema::NestedSchema* nested = kind.find_nested(block->kind.text);
    if (!nested) {
      std::vector<std::string> known;
      for (const auto& n : kind.nested) known.push_back(n.kind);
      error("E0201", block->kind.range, fmt::format("no block kind `{}` inside a {}", block->kind.text, kind.noun), did_you_mean(block->kind.text, known));
      continue;
    }
    const std::string name = block->name ? block->name->text : nested->kind;
    if (nested->many && !block->name) {
      error("E0204", block->kind.range, fmt::format("this {} has no name", nested->kind), {fmt::format("write `{} NAME {{ … }}`", nested->kind)});
      continue;
    }
    const SourceRange where = block->name ? block->name->range : block->kind.range;
    const auto [first, fresh] = names[nested->kind].emplace(name, where);
    if (!fresh) {
      error("E0206", where, fmt::format("{} `{}` stands twice", nested->kind, name), {"give one of the two another name"}, {}, {}, {{first->second, "first here"}});
      continue;
    }
    std::vector<const std::vector<Evaluated>*> axes;
    bool axes_good = true;
    for (const syntax::IndexBinding& binding : block->indices) {
      axes.push_back(axis_values(binding.axis.text));
      if (!axes.back()) {
        error("E0212", binding.axis.range, fmt::format("there is no axis `{}`", binding.axis.text));
        axes_good = false;
      }
    }
    if (!axes_good) continue;
    if (!axes.empty() && nested->kind != "series") {
      error("E0211", block->kind.range, fmt::format("a {} has no index set", nested->kind), {"leave the brackets out"});
      continue;
    }
    std::size_t copies = 1;
    for (const auto* axis : axes) copies = std::min(copies * axis->size(), 2 * kMostInstances);
    if (copies > kMostInstances) {
      error("E0410", where, fmt::format("{} `{}` has more members than the limit {}", nested->kind, name, kMostInstances), {"take shorter axes"});
      continue;
    }
    std::vector<std::size_t> position(axes.size(), 0);
    while (true) {
      Scope inner;
      inner.parent = &scope;
      inner.run_time = scope.run_time;
      std::vector<std::string> texts;
      for (std::size_t i = 0; i < axes.size(); ++i) {
        const Evaluated& value = (*axes[i])[position[i]];
        inner.locals[block->indices[i].variable.text] = {value, block->indices[i].axis.text};
        texts.push_back(index_text(value));
      }
      schema::Map map;
      std::map<std::string, SourceRange> places;
      const std::string title = block->name ? fmt::format("{} `{}` of {} `{}`", nested->kind, name, kind.noun, instance.block)
                                            : fmt::format("{} of {} `{}`", nested->kind, kind.noun, instance.block);
      resolve_members(*block->body, nested->attributes, "", nested->kind, title, where, inner, map, places, nullptr);
      const std::string full = texts.empty() ? name : fmt::format("{}[{}]", name, fmt::join(texts, ","));
      if (nested->many) map["name"] = full;
      if (nested->kind == "series" && map["label"].is_none()) map["label"] = full;
      members[nested->kind].push_back(std::move(map));
      std::size_t digit = axes.size();
      while (digit > 0 && ++position[digit - 1] == axes[digit - 1]->size()) position[--digit] = 0;
      if (digit == 0) break;
    }
  }
  for (const schema::NestedSchema& nested : kind.nested) {
    const schema::List& found = members[nested.kind];
    if (nested.required && found.empty() && !names.count(nested.kind)) {
      error("E0204", instance.range, fmt::format("{} `{}` has no `{}`", kind.noun, instance.block, nested.kind), {fmt::format("write `{} NAME {{ … }}` in it", nested.kind)}, {nested.doc});
    }
    if (nested.many) instance.arguments[nested.member] = found;
    else if (!found.empty()) (nested.policy ? instance.policy : instance.arguments)[nested.member] = found[0];
  }
}

/// The index set of a table makes its rows, a row has one expression a column.
void Elaborator::resolve_table(Family& family, Instance& instance) {
  const schema::NestedSchema& column_schema = *family.kind->find_nested("column");
  std::vector<const std::vector<Evaluated>*> axes;
  schema::List indices;
  for (std::size_t i = 0; i < family.axes.size(); ++i) {
    axes.push_back(axis_values(family.axes[i]));
    indices.push_back(family.variables[i]);
  }
  schema::List rows, columns;
  std::vector<std::size_t> position(axes.size(), 0);
  while (true) {
    Scope scope;
    scope.run_time = true;
    schema::Map index;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const Evaluated& value = (*axes[i])[position[i]];
      scope.locals[family.variables[i]] = {value, family.axes[i]};
      index[family.variables[i]] = to_value(value);
    }
    Instance row;
    row.kind = family.kind;
    row.block = instance.block;
    row.range = instance.range;
    resolve_nested(family.block->body, *family.kind, row, scope);
    schema::List cells;
    columns.clear();
    for (const Value& resolved : row.arguments[column_schema.member].as_list()) {
      schema::Map column = resolved.as_map();
      cells.push_back(column["value"]);
      column.erase("value");
      columns.push_back(std::move(column));
    }
    rows.push_back(schema::Map{{"index", std::move(index)}, {"cells", std::move(cells)}});
    std::size_t digit = axes.size();
    while (digit > 0 && ++position[digit - 1] == axes[digit - 1]->size()) position[--digit] = 0;
    if (digit == 0) break;
  }
  instance.arguments["indices"] = std::move(indices);
  instance.arguments["rows"] = std::move(rows);
  instance.arguments["columns"] = std::move(columns);
}

void Elaborator::run_domain_check(Instance& instance, const std::map<std::string, SourceRange>& places) {
  if (!instance.kind->complete || !instance.good) return;
  const std::string title = fmt::format("{} `{}`", instance.kind->noun, instance.block);
  schema::CheckContext context;
  context.block = title;
  context.complain = [&](schema::Complaint complaint) {
    const auto place = places.find(complaint.attribute);
    const SourceRange attribute = place == places.end() ? instance.range : place->second;
    SourceRange range = attribute;
    std::string label;
    const auto origin = origins_.find(fmt::format("{}.{}", instance.kind->noun, complaint.attribute));
    if (origin != origins_.end() && (origin->second.begin < attribute.begin || origin->second.end > attribute.end)) {
      range = origin->second;
      label = fmt::format("used as `{}` in {} `{}` (line {})", complaint.attribute, instance.kind->noun, instance.block, text_.position(attribute.begin).line);
    }
    error(complaint.id, range, complaint.message, complaint.helps, complaint.notes, label);
    instance.good = false;
  };
  context.upstream = [&](const Value& task) -> schema::UpstreamTask {
    const Value* name = task.find("task");
    const auto found = name ? by_full_name_.find(name->as_string()) : by_full_name_.end();
    if (found == by_full_name_.end() || !found->second->good) return {};
    return {found->second->kind->noun, found->second->name, &found->second->arguments};
  };
  instance.kind->complete(instance.arguments, context);
}

void Elaborator::check_units_mixed(Instance& instance) {
  if (!instance.reduced || !instance.physical || !instance.good) return;
  error("E0304", instance.range, fmt::format("{} `{}` mixes reduced (lj) and physical units", instance.kind->noun, instance.name),
        {"write all quantities of a system in lj, or none"}, {"in reduced units epsilon, sigma and the mass are 1"});
  instance.good = false;
}

}  // namespace bgw::semantics
