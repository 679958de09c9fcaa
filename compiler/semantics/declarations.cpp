#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {
namespace {

using schema::Type;
using schema::TypeKind;

constexpr std::size_t kLongestAxis = 10'000;

const syntax::Name& name_of(const Declaration& declaration) {
  const auto& what = declaration.item->what;
  if (const auto* param = std::get_if<syntax::Param>(&what)) return param->name;
  if (const auto* let = std::get_if<syntax::Let>(&what)) return let->name;
  if (const auto* axis = std::get_if<syntax::Axis>(&what)) return axis->name;
  return std::get<syntax::Function>(what).name;
}

}  // namespace

/// The declared value, computed when it is first asked for.
Evaluated Elaborator::value_of(Declaration& declaration) {
  if (declaration.state == Declaration::State::done) return declaration.value;
  const syntax::Name& name = name_of(declaration);
  if (declaration.state == Declaration::State::running) {
    const auto begin = std::find(chain_.begin(), chain_.end(), name.text);
    std::string path;
    for (auto at = begin; at != chain_.end(); ++at) path += *at + " needs ";
    return error("E0210", name.range, fmt::format("`{}` is defined by itself", name.text), {"give one of them a value that needs none of the others"}, {path + name.text});
  }
  if (std::holds_alternative<syntax::Function>(declaration.item->what)) {
    return error("E0217", name.range, fmt::format("`{}` is a function", name.text), {fmt::format("call it: `{}(…)`", name.text)});
  }
  declaration.state = Declaration::State::running;
  chain_.push_back(name.text);
  const Type* outer_type = std::exchange(asked_, nullptr);
  if (const auto* param = std::get_if<syntax::Param>(&declaration.item->what)) {
    declaration.value = evaluate_param(*param, *declaration.module);
  } else if (const auto* axis = std::get_if<syntax::Axis>(&declaration.item->what)) {
    declaration.value = evaluate_axis(*axis, *declaration.module);
  } else {
    const auto& let = std::get<syntax::Let>(declaration.item->what);
    Scope scope;
    scope.module = declaration.module;
    scope.run_time = true;
    declaration.value = let.type ? typed(*let.type, *let.value, let.name.text, scope) : evaluate(*let.value, scope);
  }
  asked_ = outer_type;
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
  static const std::map<std::string, std::string> kElsewhere{{"str", "string"}, {"text", "string"}, {"number", "float"}, {"double", "float"}, {"real", "float"}, {"integer", "int"}, {"boolean", "bool"}};
  const auto meant = kElsewhere.find(name);
  const std::vector<std::string> helps = meant == kElsewhere.end() ? did_you_mean(name, known, fmt::format("the types are {}", fmt::join(known, ", ")))
                                                                   : std::vector<std::string>{fmt::format("did you mean `{}`?", meant->second)};
  error("E0310", type.range, fmt::format("there is no type `{}`", name), helps);
  return std::nullopt;
}

Evaluated Elaborator::typed(const syntax::TypeName& type, const syntax::Expression& expression, std::string_view name, const Scope& scope) {
  const auto wanted = type_named(type);
  if (!wanted) return poison();
  const Type& item = wanted->kind == TypeKind::list ? wanted->items[0] : *wanted;
  std::vector<std::string> words = item.words;
  words.insert(words.end(), item.later.begin(), item.later.end());
  Evaluated value = evaluate(expression, scope, words.empty() ? nullptr : &words);
  if (value.is_poison()) return value;
  // What the value brings along counts where it is used, not here.
  Traits unseen;
  Traits* outer = std::exchange(traits_, &unseen);
  const bool good = convert(value, *wanted, {"", expression.range, nullptr, name}, false).has_value();
  traits_ = outer;
  if (!good) return poison();
  // `[1, 2]` and `[1.0, 2.0]` are the same floats, and give the same seeds.
  const auto as_float = [](Evaluated& number) {
    if (const auto* integer = number.as<std::int64_t>()) number.what = plain(static_cast<double>(*integer));
  };
  if (wanted->kind == TypeKind::number) as_float(value);
  if (wanted->kind == TypeKind::list && item.kind == TypeKind::number && value.as<ListValue>()) {
    std::vector<Evaluated> floats = value.as<ListValue>()->items();
    for (Evaluated& number : floats) as_float(number);
    value.what = ListValue(std::move(floats));
  }
  return value;
}

Evaluated Elaborator::evaluate_axis(const syntax::Axis& axis, Module& module) {
  Scope scope;
  scope.module = &module;
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
  if (!list || list->items().empty()) {
    return error("E0303", axis.values->range, fmt::format("axis `{}` needs a list of values, got {}", axis.name.text, list ? "an empty one" : describe(value)), {"write `[64, 216]`, or `1 .. 3`"});
  }
  if (list->items().size() > kLongestAxis) {
    return error("E0410", axis.values->range, fmt::format("axis `{}` has {} values, limit {}", axis.name.text, source::grouped(list->items().size()), source::grouped(kLongestAxis)), {"take a shorter list"});
  }
  std::map<std::string, SourceRange> seen;
  for (const Evaluated& item : list->items()) {
    if (item.is_poison()) return poison();
    const std::string text = index_text(item);
    if (text == "?") return error("E0303", item.origin, fmt::format("axis `{}` holds numbers or words, got {}", axis.name.text, describe(item)), {"write `[64, 216]`, or `1 .. 3`"});
    const auto [first, fresh] = seen.emplace(text, item.origin);
    if (!fresh) return error("E0408", item.origin, fmt::format("{} stands twice in axis `{}`", item.as<units::Quantity>() ? shown(item.origin) : text, axis.name.text), {"leave one of the two out"}, {}, {}, {{first->second, "first here"}});
  }
  return value;
}

/// nullptr when there is no such axis, or a mistake in it was told.
const AxisTable* Elaborator::axis_table(Module& module, const std::string& axis) {
  const auto declared = module.declarations.find(axis);
  if (declared == module.declarations.end()) return nullptr;
  const auto* item = std::get_if<syntax::Axis>(&declared->second.item->what);
  if (!item) return nullptr;
  declared->second.used = true;
  const auto known = axis_tables_.find(item);
  if (known != axis_tables_.end()) return &known->second;
  const Evaluated value = value_of(declared->second);
  const auto* list = value.as<ListValue>();
  if (!list) return nullptr;
  AxisTable& table = axis_tables_[item];
  table.values = list->items();
  for (std::size_t i = 0; i < table.values.size(); ++i) {
    table.texts.push_back(index_text(table.values[i]));
    table.positions.emplace(table.texts.back(), i);
    if (const auto* word = table.values[i].as<Word>()) table.words.push_back(word->text);
  }
  return &table;
}

}  // namespace bgw::semantics
