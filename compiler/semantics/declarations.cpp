#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"
#include "compiler/source/read_source.h"

namespace bgw::semantics {
namespace {

using schema::Type;
using schema::TypeKind;

constexpr std::size_t kLongestAxis = 10'000;

const schema::KindSchema& require_kind() {
  static const schema::KindSchema kind = [] {
    schema::KindSchema k;
    k.noun = "require";
    k.makes = schema::Makes::check;
    return k;
  }();
  return kind;
}

std::string without_underscores(std::string text) {
  std::erase(text, '_');
  return text;
}

}  // namespace

bool Elaborator::claim_name(const syntax::Name& name, const char* what, const std::string& noun) {
  // `lj` never stands without its number, so a potential may have this name.
  if (unit_named(name.text) && !(name.text == "lj" && !noun.empty())) {
    error("E0213", name.range, fmt::format("`{}` is a unit, no {} can have its name", name.text, what), {"take another name"});
    return false;
  }
  const auto declared = declarations_.find(name.text);
  const auto families = families_by_name_.find(name.text);
  const syntax::Name* other = nullptr;
  if (declared != declarations_.end()) {
    std::visit([&](const auto& item) {
      if constexpr (requires { item.name; }) other = &item.name;
    }, declared->second.item->what);
  } else if (families != families_by_name_.end()) {
    for (const Family* family : families->second) {
      if (noun.empty() || family->block->kind.text == noun) other = &family->block->name;
    }
  }
  if (!other) return true;
  error("E0206", name.range, fmt::format("`{}` is defined twice", name.text), {"give one of the two another name"}, {}, {}, {{other->range, "first here"}});
  return false;
}

void Elaborator::collect() {
  for (const syntax::Item& item : file_.items) {
    std::visit([&](const auto& what) {
      using T = std::decay_t<decltype(what)>;
      if constexpr (std::is_same_v<T, syntax::Import>) {
        error("E0203", item.range, "`import` is not available in this version", {"copy the blocks you need into this program"});
      } else if constexpr (std::is_same_v<T, syntax::Param> || std::is_same_v<T, syntax::Let> || std::is_same_v<T, syntax::Function> || std::is_same_v<T, syntax::Axis>) {
        if (claim_name(what.name, "param, let, fn or axis", {})) declarations_[what.name.text].item = &item;
      } else if constexpr (std::is_same_v<T, syntax::Block>) {
        collect_block(what);
      }
    }, item.what);
  }
  check_overrides();
  for (const syntax::Item& item : file_.items) {
    std::visit([&](const auto& what) {
      using T = std::decay_t<decltype(what)>;
      if constexpr (std::is_same_v<T, syntax::Param> || std::is_same_v<T, syntax::Let> || std::is_same_v<T, syntax::Axis>) {
        const auto declared = declarations_.find(what.name.text);
        if (declared == declarations_.end() || declared->second.item != &item) return;
        const auto* let = std::get_if<syntax::Let>(&item.what);
        // A let may hold results, which families are not ready for; it is evaluated where it is used.
        if (!let) value_of(declared->second);
      }
    }, item.what);
  }
}

void Elaborator::collect_block(const syntax::Block& block) {
  const schema::KindSchema* kind = catalog_.find_kind(block.kind.text);
  bool good = true;
  if (!kind) {
    good = false;
    if (catalog_.is_later(block.kind.text)) {
      error("E0203", block.kind.range, fmt::format("`{}` is not available in this version", block.kind.text));
    } else {
      error("E0201", block.kind.range, fmt::format("no block kind `{}`", block.kind.text), did_you_mean(block.kind.text, catalog_.nouns()));
    }
  }
  if (block.base) {
    error("E0203", block.base->range, "`extends` is not available in this version", {"write the attributes out"});
    good = false;
  }
  good = claim_name(block.name, "block", block.kind.text) && good;
  Family& family = families_.emplace_back();
  family.block = &block;
  family.kind = kind;
  family.good = good;
  for (const syntax::IndexBinding& binding : block.indices) {
    if (std::find(family.variables.begin(), family.variables.end(), binding.variable.text) != family.variables.end()) {
      error("E0206", binding.variable.range, fmt::format("index `{}` is bound twice", binding.variable.text));
      family.good = false;
    }
    family.axes.push_back(binding.axis.text);
    family.variables.push_back(binding.variable.text);
    if (unit_named(binding.variable.text)) {
      error("E0213", binding.variable.range, fmt::format("`{}` is a unit, an index cannot have its name", binding.variable.text), {"take another name"});
      family.good = false;
    }
  }
  families_by_name_[block.name.text].push_back(&family);
}

/// The declared value, computed when it is first asked for.
Evaluated Elaborator::value_of(Declaration& declaration) {
  if (declaration.state == Declaration::State::done) return declaration.value;
  const auto name = [&]() -> const syntax::Name& {
    if (const auto* param = std::get_if<syntax::Param>(&declaration.item->what)) return param->name;
    if (const auto* let = std::get_if<syntax::Let>(&declaration.item->what)) return let->name;
    if (const auto* axis = std::get_if<syntax::Axis>(&declaration.item->what)) return axis->name;
    return std::get<syntax::Function>(declaration.item->what).name;
  }();
  if (declaration.state == Declaration::State::running) {
    const auto begin = std::find(chain_.begin(), chain_.end(), name.text);
    std::string path;
    for (auto at = begin; at != chain_.end(); ++at) path += *at + " needs ";
    return error("E0210", name.range, fmt::format("`{}` is defined by itself", name.text), {}, {path + name.text});
  }
  if (std::holds_alternative<syntax::Function>(declaration.item->what)) {
    return error("E0217", name.range, fmt::format("`{}` is a function", name.text), {fmt::format("call it: `{}(…)`", name.text)});
  }
  declaration.state = Declaration::State::running;
  chain_.push_back(name.text);
  if (const auto* param = std::get_if<syntax::Param>(&declaration.item->what)) declaration.value = evaluate_param(*param);
  else if (const auto* axis = std::get_if<syntax::Axis>(&declaration.item->what)) declaration.value = evaluate_axis(*axis);
  else {
    const auto& let = std::get<syntax::Let>(declaration.item->what);
    Scope scope;
    scope.run_time = true;
    declaration.value = let.type ? typed(*let.type, *let.value, let.name.text, scope) : evaluate(*let.value, scope);
  }
  chain_.pop_back();
  declaration.state = Declaration::State::done;
  return declaration.value;
}

std::optional<Type> Elaborator::type_named(const syntax::TypeName& type) {
  if (type.list || type.name.text == "list") {
    syntax::TypeName item = type;
    item.list = false;
    if (type.name.text == "list") {
      if (type.arguments.empty()) return Type::list(Type::of(TypeKind::number));
      item = type.arguments[0];
    }
    const auto of = type_named(item);
    return of ? std::optional(Type::list(*of)) : std::nullopt;
  }
  const std::string& name = type.name.text;
  if (name == "int") return Type::of(TypeKind::integer);
  if (name == "float" || name == "dimensionless") return Type::of(TypeKind::number);
  if (name == "bool") return Type::of(TypeKind::boolean);
  if (name == "string" || name == "enum" || name == "path") return Type::of(TypeKind::string);
  if (name == "seed") return Type::of(TypeKind::seed);
  if (name == "lattice_kind") {
    const schema::KindSchema* lattice = catalog_.find_kind("lattice");
    const schema::Attribute* kind = lattice ? lattice->find_attribute("kind") : nullptr;
    if (kind) return kind->type;
  }
  if (dimension_named(name)) return Type::quantity(name);
  std::vector<std::string> known = units::dimension_names();
  for (const char* other : {"int", "float", "bool", "string", "enum", "seed", "path", "lattice_kind"}) known.emplace_back(other);
  error("E0310", type.range, fmt::format("there is no type `{}`", name), did_you_mean(name, known));
  return std::nullopt;
}

Evaluated Elaborator::typed(const syntax::TypeName& type, const syntax::Expression& expression, const std::string& path, Scope& scope) {
  const auto wanted = type_named(type);
  std::vector<std::string> words;
  if (wanted) {
    const Type& item = wanted->kind == TypeKind::list ? wanted->items[0] : *wanted;
    words = item.words;
    words.insert(words.end(), item.later.begin(), item.later.end());
  }
  Evaluated value = evaluate(expression, scope, words.empty() ? nullptr : &words);
  if (!wanted || value.is_poison()) return poison();
  if (!convert(value, *wanted, {path, expression.range, nullptr}, false)) return poison();
  if (wanted->kind == TypeKind::number && value.as<std::int64_t>()) value.what = plain(static_cast<double>(*value.as<std::int64_t>()));
  return value;
}

Evaluated Elaborator::evaluate_param(const syntax::Param& param) {
  const auto type = type_named(param.type);
  if (!type) return poison();
  const auto given = overrides_.find(param.name.text);
  Scope scope;
  if (given == overrides_.end()) {
    if (!param.value) {
      return error("E0204", param.name.range, fmt::format("param `{}` has no value", param.name.text), {fmt::format("give it a default, or `-p {}=…`", param.name.text)});
    }
    Evaluated value = typed(param.type, *param.value, param.name.text, scope);
    if (!value.is_poison() && !inside_domain(param, value, shown(param.value->range), param.value->range)) return poison();
    return value;
  }
  const std::string old = param.value ? shown(param.value->range) : "none";
  Evaluated value = overridden(param, *type, given->second);
  if (value.is_poison()) return value;
  if (!inside_domain(param, value, fmt::format("-p {}={}", param.name.text, given->second), param.name.range)) return poison();
  model_->overridden[param.name.text] = schema::Map{{"old", old}, {"new", given->second}};
  return value;
}

/// The text given outside the program as a value of the param's type.
Evaluated Elaborator::overridden(const syntax::Param& param, const Type& type, const std::string& text) {
  const SourceRange range = param.name.range;
  const auto complain = [&](const std::string& problem) {
    std::vector<std::string> helps;
    if (param.value) helps.push_back(fmt::format("write it as the program does: {}", shown(param.value->range)));
    return error("E0311", range, fmt::format("-p {}={}: {}", param.name.text, text, problem), helps);
  };
  const std::string digits = without_underscores(text);
  if (source::first_invalid_utf8(text)) return complain("this is no UTF-8 text");
  switch (type.kind) {
    case TypeKind::integer:
    case TypeKind::seed: {
      std::int64_t number = 0;
      const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (problem != std::errc() || end != digits.data() + digits.size()) return complain(fmt::format("{} is needed", type.describe()));
      if (type.kind == TypeKind::seed && number < 0) return complain("a seed is at least 0");
      return {number, range};
    }
    case TypeKind::boolean:
      if (text == "true" || text == "false") return {text == "true", range};
      return complain("true or false is needed");
    case TypeKind::string: return {text, range};
    case TypeKind::word:
      if (std::find(type.words.begin(), type.words.end(), text) == type.words.end()) return complain(fmt::format("{} is needed", type.describe()));
      return {Word{text}, range};
    case TypeKind::number:
    case TypeKind::quantity: {
      std::string problem;
      const auto quantity = quantity_from_text(digits, problem);
      if (!quantity) return complain(problem);
      if (text.find_first_of("0123456789") > text.find_first_not_of(" +-.")) return complain("the number is missing");
      if (!std::isfinite(quantity->value)) return complain("this is too large for a number");
      if (quantity->reduced && type.kind == TypeKind::number) return complain("a plain number is needed, got one in lj units");
      const units::Dimension wanted = type.kind == TypeKind::number ? units::Dimension{} : dimension_named(type.dimension).value_or(units::Dimension{});
      if (quantity->reduced && type.kind == TypeKind::quantity) return {*quantity, range};
      if (quantity->dimension == wanted) return {*quantity, range};
      if (is_plain(*quantity)) return complain(fmt::format("the unit is missing, did you mean {} {}", text, units::usual_unit(wanted)));
      return complain(fmt::format("{} given where {} is expected", units::dimension_phrase(quantity->dimension), units::dimension_phrase(wanted)));
    }
    default: return complain("a param of this type cannot be given from outside");
  }
}

/// `in 50 K .. 260 K`, `in [64, 216]`.
bool Elaborator::inside_domain(const syntax::Param& param, const Evaluated& value, const std::string& written, SourceRange place) {
  if (!param.domain) return true;
  Scope scope;
  const auto* range = std::get_if<syntax::RangeExpression>(&param.domain->what);
  bool inside = false;
  if (range && !range->step) {
    // The ends alone: `1 .. 1_000_000` is no list of a million here.
    const Evaluated low = evaluate(*range->first, scope), high = evaluate(*range->last, scope);
    if (low.is_poison() || high.is_poison()) return false;
    const auto a = as_quantity(low), b = as_quantity(high), v = as_quantity(value);
    if (!a || !b || !v || a->dimension != v->dimension || b->dimension != v->dimension) {
      error("E0308", param.domain->range, fmt::format("the range of `{}` is of another kind than its value", param.name.text), {},
            {fmt::format("the value is {}, the range goes from {} to {}", describe(value), describe(low), describe(high))});
      return false;
    }
    inside = a->value <= v->value && v->value <= b->value;
  } else {
    const Evaluated domain = evaluate(*param.domain, scope);
    if (domain.is_poison()) return false;
    const auto* list = domain.as<ListValue>();
    if (!list) {
      error("E0303", param.domain->range, fmt::format("after `in` stands a range or a list, got {}", describe(domain)));
      return false;
    }
    inside = std::any_of(list->items.begin(), list->items.end(), [&](const Evaluated& item) { return equal(item, value); });
  }
  if (!inside) {
    error("E0307", place, fmt::format("{} is outside {} for param `{}`", written, shown(param.domain->range), param.name.text));
  }
  return inside;
}

Evaluated Elaborator::evaluate_axis(const syntax::Axis& axis) {
  Scope scope;
  Evaluated value = poison();
  if (axis.type) {
    syntax::TypeName list = *axis.type;
    list.list = true;
    value = typed(list, *axis.values, axis.name.text, scope);
  } else {
    value = evaluate(*axis.values, scope);
  }
  if (value.is_poison()) return value;
  const auto* list = value.as<ListValue>();
  if (!list || list->items.empty()) {
    return error("E0303", axis.values->range, fmt::format("axis `{}` needs a list of values, got {}", axis.name.text, list ? "an empty one" : describe(value)), {"write `[64, 216]`, or `1 .. 3`"});
  }
  if (list->items.size() > kLongestAxis) return error("E0410", axis.values->range, fmt::format("axis `{}` has {} values, limit {}", axis.name.text, list->items.size(), kLongestAxis));
  std::map<std::string, SourceRange> seen;
  for (const Evaluated& item : list->items) {
    const std::string text = index_text(item);
    if (text == "?") return error("E0303", item.origin, fmt::format("axis `{}` holds numbers or words, got {}", axis.name.text, describe(item)));
    const auto [first, fresh] = seen.emplace(text, item.origin);
    if (!fresh) return error("E0408", item.origin, fmt::format("{} stands twice in axis `{}`", text, axis.name.text), {"leave one of the two out"});
  }
  return value;
}

const std::vector<Evaluated>* Elaborator::axis_values(const std::string& axis) {
  const auto declared = declarations_.find(axis);
  if (declared == declarations_.end() || !std::holds_alternative<syntax::Axis>(declared->second.item->what)) return nullptr;
  // Not asked again when done: it answers with a copy, and each member of a family comes here.
  if (declared->second.state != Declaration::State::done) value_of(declared->second);
  const auto* list = declared->second.value.as<ListValue>();
  return list ? &list->items : nullptr;
}

const AxisTable* Elaborator::axis_table(const std::string& axis) {
  const auto* values = axis_values(axis);
  if (!values) return nullptr;
  const auto [found, fresh] = axis_tables_.try_emplace(axis);
  AxisTable& table = found->second;
  if (!fresh) return &table;
  table.values = values;
  for (std::size_t i = 0; i < values->size(); ++i) {
    table.positions.emplace(index_text((*values)[i]), i);
    if (const auto* word = (*values)[i].as<Word>()) table.words.push_back(word->text);
  }
  return &table;
}

// `-p temp=250K` where the program says `param T : temperature`: the beginning of the type is what people remember.
std::optional<std::string> Elaborator::param_of_type(const std::string& written) const {
  std::optional<std::string> found;
  if (written.size() < 3) return found;
  for (const auto& [name, declaration] : declarations_) {
    const auto* param = std::get_if<syntax::Param>(&declaration.item->what);
    if (!param || !param->type.name.text.starts_with(written)) continue;
    if (found) return std::nullopt;
    found = name;
  }
  return found;
}

void Elaborator::check_overrides() {
  std::vector<std::string> params;
  for (const auto& [name, declaration] : declarations_) {
    if (std::holds_alternative<syntax::Param>(declaration.item->what)) params.push_back(name);
  }
  for (const auto& [name, text] : overrides_) {
    if (std::find(params.begin(), params.end(), name) != params.end()) continue;
    std::vector<std::string> helps = did_you_mean(param_of_type(name).value_or(name), params);
    for (const std::string& param : params) {
      if (helps.empty() || helps[0].find("`" + param + "`") != std::string::npos) helps.push_back(shown(declarations_.at(param).item->range));
    }
    error("E0216", {0, 0}, fmt::format("-p {}={}: there is no param `{}`", name, text, name), helps);
  }
}

void Elaborator::resolve_requires() {
  int count = 0;
  for (const syntax::Item& item : file_.items) {
    const auto* require = std::get_if<syntax::Require>(&item.what);
    if (!require) continue;
    ++count;
    Scope scope;
    scope.run_time = true;
    const Evaluated condition = evaluate(*require->condition, scope);
    if (condition.is_poison()) continue;
    const std::string message = require->message.value_or(shown(require->condition->range));
    if (const bool* known = condition.as<bool>()) {
      if (!*known) error("E0411", require->condition->range, fmt::format("this does not hold: {}", message));
      continue;
    }
    const auto* run_time = condition.as<RunTime>();
    const std::string op = run_time ? run_time->expression.at("op").as_string() : "";
    static const std::vector<std::string> kTruths{"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "and", "or", "not"};
    if (std::find(kTruths.begin(), kTruths.end(), op) == kTruths.end()) {
      error("E0303", require->condition->range, fmt::format("`require` needs a condition, got {}", describe(condition)), {"compare it: `require F.ess > 0.01`"});
      continue;
    }
    Instance& instance = add_instance(require_kind(), fmt::format("require({})", count), item.range);
    instance.name = instance.full_name = instance.block;
    instance.arguments = {{"condition", run_time->expression}, {"message", message}};
  }
}

void Elaborator::resolve_targets() {
  std::map<std::string, SourceRange> seen;
  for (const syntax::Item& item : file_.items) {
    const auto* target = std::get_if<syntax::Target>(&item.what);
    if (!target) continue;
    const auto [first, fresh] = seen.emplace(target->name.text, target->name.range);
    if (!fresh) {
      error("E0206", target->name.range, fmt::format("target `{}` is defined twice", target->name.text), {"give one of the two another name"}, {}, {}, {{first->second, "first here"}});
      continue;
    }
    TargetDeclaration declaration{target->name.text, {}};
    std::vector<const syntax::Expression*> wanted;
    if (const auto* list = std::get_if<syntax::ListExpression>(&target->value->what)) {
      for (const auto& expression : list->items) wanted.push_back(expression.get());
    } else {
      wanted.push_back(target->value.get());
    }
    for (const syntax::Expression* expression : wanted) {
      const auto* reference = std::get_if<syntax::Reference>(&expression->what);
      if (!reference) {
        error("E0218", expression->range, "a target lists tasks, families and slices", {"write for instance `target quick = [F[64], rdf]`"});
        continue;
      }
      syntax::Name name = reference->name;
      std::string noun;
      std::size_t next = 0;
      if (!reference->trailers.empty() && catalog_.find_kind(name.text) && !families_by_name_.count(name.text)) {
        if (const auto* dot = std::get_if<syntax::MemberTrailer>(&reference->trailers[0].what)) {
          noun = name.text;
          name = dot->name;
          next = 1;
        }
      }
      const auto families = families_by_name_.find(name.text);
      if (families == families_by_name_.end()) {
        std::vector<std::string> known;
        for (const Family& family : families_) known.push_back(family.block->name.text);
        error("E0207", name.range, fmt::format("`{}` is not defined", name.text), did_you_mean(name.text, known));
        continue;
      }
      std::vector<Family*> matching;
      for (Family* family : families->second) {
        if (noun.empty() || family->block->kind.text == noun) matching.push_back(family);
      }
      if (matching.size() != 1) {
        std::vector<std::string> kinds;
        for (const Family* family : families->second) kinds.push_back(fmt::format("`{}.{}`", family->block->kind.text, name.text));
        error("E0214", name.range, fmt::format("`{}` names several blocks", name.text), {fmt::format("write {}", fmt::join(kinds, " or "))});
        continue;
      }
      Family& family = *matching[0];
      if (!family.good || !family.kind) continue;
      if (family.kind->makes == schema::Makes::value || family.kind->makes == schema::Makes::policy) {
        error("E0218", expression->range, fmt::format("{} `{}` is a value, nothing is run for it", family.kind->noun, name.text), {"a target lists tasks"});
        continue;
      }
      const syntax::IndexTrailer* index = next < reference->trailers.size() ? std::get_if<syntax::IndexTrailer>(&reference->trailers[next].what) : nullptr;
      if (next + (index ? 1 : 0) != reference->trailers.size()) {
        error("E0218", expression->range, "a target lists tasks, not their results", {fmt::format("write `{}`", name.text)});
        continue;
      }
      if (index && family.kind->indexed_as_rows) {
        error("E0211", expression->range, fmt::format("{} `{}` is made as a whole, its index set are its rows", family.kind->noun, name.text), {fmt::format("write `{}`", name.text)});
        continue;
      }
      if (!index) {
        for (const auto& [position, instance] : family.instances) declaration.wanted.push_back(instance);
        continue;
      }
      bool sliced = false, wrong = false;
      Scope scope;
      const auto chosen = select(family, index, scope, expression->range, sliced, wrong);
      declaration.wanted.insert(declaration.wanted.end(), chosen.begin(), chosen.end());
    }
    model_->targets.push_back(std::move(declaration));
  }
}

// Only in a program without errors: a mistake elsewhere often is why a param has no reader.
void Elaborator::warn_unused() {
  if (sink_.has_errors()) return;
  for (const auto& [name, declaration] : declarations_) {
    const auto* param = std::get_if<syntax::Param>(&declaration.item->what);
    if (param && !declaration.used && !declaration.value.is_poison()) {
      warn("W0501", param->name.range, fmt::format("param `{}` is not used", name), {"leave it out, or use it"});
    }
  }
}

void Elaborator::resolve_all() {
  std::size_t total = 0;
  for (Family& family : families_) {
    if (!family.good) continue;
    std::size_t size = 1;
    std::string shape;
    for (const syntax::IndexBinding& binding : family.block->indices) {
      const auto declared = declarations_.find(binding.axis.text);
      if (declared == declarations_.end() || !std::holds_alternative<syntax::Axis>(declared->second.item->what)) {
        std::vector<std::string> axes;
        for (const auto& [name, declaration] : declarations_) {
          if (std::holds_alternative<syntax::Axis>(declaration.item->what)) axes.push_back(name);
        }
        error("E0212", binding.axis.range, fmt::format("there is no axis `{}`", binding.axis.text), did_you_mean(binding.axis.text, axes));
        family.good = false;
        continue;
      }
      const auto* values = axis_values(binding.axis.text);
      if (!values) {
        family.good = false;
        continue;
      }
      size *= values->size();
      shape += fmt::format("{}{} {}", shape.empty() ? "" : " × ", binding.axis.text, values->size());
      if (size > kMostInstances) {
        error("E0410", family.block->name.range, fmt::format("`{}` has {} members ({}), limit {}", family.block->name.text, size, shape, kMostInstances), {"take shorter axes"});
        family.good = false;
        break;
      }
    }
    if (family.good) total += size;
  }
  if (total > kMostInstances) {
    error("E0410", {0, 0}, fmt::format("this program has {} blocks, limit {}", total, kMostInstances), {"take shorter axes"});
    return;
  }
  most_work_ += 300 * total;
  for (Family& family : families_) {
    if (!family.good) continue;
    std::vector<std::size_t> sizes;
    if (!family.kind->indexed_as_rows) {
      for (const std::string& axis : family.axes) sizes.push_back(axis_values(axis)->size());
    }
    std::vector<std::size_t> position(sizes.size(), 0);
    while (true) {
      instance_at(family, position);
      std::size_t digit = sizes.size();
      while (digit > 0 && ++position[digit - 1] == sizes[digit - 1]) position[--digit] = 0;
      if (digit == 0) break;
    }
  }
}

}  // namespace bgw::semantics
