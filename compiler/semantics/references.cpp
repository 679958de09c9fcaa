#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {
namespace {

std::string listed(const std::vector<Evaluated>& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size() && i < 8; ++i) text += (i ? ", " : "") + index_text(values[i]);
  return values.size() > 8 ? text + ", …" : text;
}

std::string bracketed(const std::vector<std::string>& axes) {
  return axes.empty() ? "" : fmt::format("[{}]", fmt::join(axes, ", "));
}

}  // namespace

const Local* Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
    const auto found = scope->locals.find(name);
    if (found != scope->locals.end()) return &found->second;
  }
  return nullptr;
}

void Elaborator::undefined(const syntax::Name& name, const Scope& scope) {
  std::vector<std::string> known;
  for (const Scope* s = &scope; s != nullptr; s = s->parent) {
    for (const auto& [local, value] : s->locals) known.push_back(local);
  }
  for (const auto& [declared, declaration] : declarations_) known.push_back(declared);
  for (const auto& [family, all] : families_by_name_) known.push_back(family);
  error("E0207", name.range, fmt::format("`{}` is not defined", name.text), did_you_mean(name.text, known));
}

Evaluated Elaborator::reference(const syntax::Reference& reference, const Scope& scope, SourceRange range, const std::vector<std::string>* words) {
  const std::string& name = reference.name.text;
  const auto& trailers = reference.trailers;
  if (trailers.empty() && words != nullptr && !scope.find(name) && std::find(words->begin(), words->end(), name) != words->end()) {
    return {Word{name}, range};
  }
  std::size_t next = 0;
  Evaluated value = named_value(reference, scope, next, range);
  for (; next < trailers.size() && !value.is_poison(); ++next) {
    const SourceRange place{range.begin, trailers[next].range.end};
    if (const auto* index = std::get_if<syntax::IndexTrailer>(&trailers[next].what)) value = element(value, *index, scope, place);
    else if (const auto* dot = std::get_if<syntax::MemberTrailer>(&trailers[next].what)) value = member(value, dot->name, place);
    else {
      return error("E0217", trailers[next].range, fmt::format("{} is no function", describe(value)),
                   {"`.at(…)` and other calls on results are not available in this version"});
    }
  }
  if (value.as<RunTime>() && !scope.run_time && value.as<RunTime>()->type != schema::ResultType::samples) {
    return error("E0305", range, fmt::format("`{}` is known only when the program runs", shown(range)),
                 {"use it in figure, table, expect or require; a program's tasks depend on params, lets and axes only"});
  }
  return value;
}

/// The value of the leading name; `next` is the first trailer that is not part of it.
Evaluated Elaborator::named_value(const syntax::Reference& reference, const Scope& scope, std::size_t& next, SourceRange range) {
  const syntax::Name& name = reference.name;
  const auto& trailers = reference.trailers;
  if (!trailers.empty()) {
    if (const auto* called = std::get_if<syntax::CallTrailer>(&trailers[0].what)) {
      next = 1;
      return call(reference, *called, scope, {range.begin, trailers[0].range.end});
    }
  }
  if (const Local* local = scope.find(name.text)) return local->value;
  const auto declared = declarations_.find(name.text);
  if (declared != declarations_.end()) {
    declared->second.used = true;
    Evaluated value = value_of(declared->second);
    return affords(size_of(value), name.range) ? value : poison();
  }
  const auto families = families_by_name_.find(name.text);
  if (families != families_by_name_.end()) return family_value(name.text, name, families->second, reference, next, scope);
  // `sample.draws[64]`: the kind in front.
  if (catalog_.find_kind(name.text) && !trailers.empty()) {
    if (const auto* dot = std::get_if<syntax::MemberTrailer>(&trailers[0].what)) {
      const auto qualified = families_by_name_.find(dot->name.text);
      std::vector<Family*> of_kind;
      if (qualified != families_by_name_.end()) {
        for (Family* family : qualified->second) {
          if (family->block->kind.text == name.text) of_kind.push_back(family);
        }
      }
      if (of_kind.empty()) {
        std::vector<std::string> known;
        for (const Family& family : families_) {
          if (family.block->kind.text == name.text) known.push_back(family.block->name.text);
        }
        return error("E0207", dot->name.range, fmt::format("there is no {} `{}`", name.text, dot->name.text), did_you_mean(dot->name.text, known));
      }
      next = 1;
      return family_value(dot->name.text, dot->name, of_kind, reference, next, scope);
    }
  }
  if (const auto unit = unit_named(name.text)) return {*unit, name.range};
  undefined(name, scope);
  return poison();
}

Evaluated Elaborator::family_value(const std::string& name, const syntax::Name& at, const std::vector<Family*>& families,
                                   const syntax::Reference& reference, std::size_t& next, const Scope& scope) {
  if (families.size() > 1) {
    std::vector<std::string> kinds;
    for (const Family* family : families) kinds.push_back(fmt::format("`{}.{}`", family->block->kind.text, name));
    return error("E0214", at.range, fmt::format("`{}` names several blocks", name), {fmt::format("write {}", fmt::join(kinds, " or "))});
  }
  Family& family = *families.front();
  if (!family.good) return poison();
  const syntax::IndexTrailer* index = nullptr;
  SourceRange range = at.range;
  if (next < reference.trailers.size() && !family.axes.empty()) {
    index = std::get_if<syntax::IndexTrailer>(&reference.trailers[next].what);
    if (index) {
      range.end = reference.trailers[next].range.end;
      ++next;
    }
  }
  if (!index && !family.axes.empty()) {
    return error("E0211", at.range, fmt::format("`{}` has one member for each of {}, say which", name, bracketed(family.axes)),
                 {fmt::format("write `{}[{}]`, or `{}[*]` for all of them", name, fmt::join(family.variables, ", "), name)});
  }
  bool sliced = false, wrong = false;
  const auto chosen = select(family, index, scope, range, sliced, wrong);
  if (wrong) return poison();
  if (!sliced) return chosen.front()->good ? Evaluated{InstanceValue{chosen.front()}, range} : poison();
  ListValue list;
  for (const Instance* instance : chosen) {
    if (!instance->good) return poison();
    list.items.push_back({InstanceValue{instance}, range});
  }
  return {std::move(list), range};
}

/// The members an index names, in the order of the axes.
std::vector<const Instance*> Elaborator::select(Family& family, const syntax::IndexTrailer* index, const Scope& scope,
                                                SourceRange range, bool& sliced, bool& wrong) {
  const std::string& name = family.block->name.text;
  const std::size_t rank = family.axes.size();
  std::vector<std::vector<std::size_t>> positions(rank);
  if (index != nullptr && index->arguments.size() != rank) {
    error("E0211", range, fmt::format("`{}` has {} {}, got {}", name, rank, rank == 1 ? "index" : "indices", index->arguments.size()),
          {fmt::format("write `{}[{}]`", name, fmt::join(family.variables, ", "))});
    wrong = true;
    return {};
  }
  std::vector<bool> given(rank, false);
  for (std::size_t i = 0; i < rank; ++i) {
    const syntax::IndexArgument& argument = index->arguments[i];
    std::size_t at = i;
    if (argument.axis) {
      const auto found = std::find(family.axes.begin(), family.axes.end(), argument.axis->text);
      if (found == family.axes.end()) {
        error("E0212", argument.axis->range, fmt::format("`{}` has no axis `{}`", name, argument.axis->text), did_you_mean(argument.axis->text, family.axes),
              {fmt::format("its axes are {}", bracketed(family.axes))});
        wrong = true;
        return {};
      }
      at = static_cast<std::size_t>(found - family.axes.begin());
    }
    if (given[at]) {
      error("E0211", argument.range, fmt::format("axis `{}` of `{}` is given twice", family.axes[at], name));
      wrong = true;
      return {};
    }
    given[at] = true;
    const AxisTable* axis = axis_table(family.axes[at]);
    if (!axis) {
      wrong = true;
      return {};
    }
    const auto* values = axis->values;
    if (argument.all) {
      sliced = true;
      for (std::size_t k = 0; k < values->size(); ++k) positions[at].push_back(k);
      continue;
    }
    if (const auto* bare = std::get_if<syntax::Reference>(&argument.value->what); bare && bare->trailers.empty()) {
      const Local* local = scope.find(bare->name.text);
      if (local && !local->axis.empty() && local->axis != family.axes[at] &&
          std::find(family.axes.begin(), family.axes.end(), local->axis) != family.axes.end()) {
        error("E0208", argument.range, fmt::format("index {} of `{}` is `{}`, got `{}`", at + 1, name, family.axes[at], local->axis),
              {fmt::format("the order is `{}[{}]`", name, fmt::join(family.variables, ", "))});
        wrong = true;
        return {};
      }
    }
    const Evaluated wanted = evaluate(*argument.value, scope, &axis->words);
    if (wanted.is_poison()) {
      wrong = true;
      return {};
    }
    const auto found = axis->positions.find(index_text(wanted));
    if (found == axis->positions.end() || !equal((*values)[found->second], wanted)) {
      error("E0209", argument.range, fmt::format("{} is not in axis `{}` ({})", index_text(wanted) == "?" ? describe(wanted) : index_text(wanted), family.axes[at], listed(*values)));
      wrong = true;
      return {};
    }
    positions[at].push_back(found->second);
  }
  std::vector<const Instance*> chosen;
  std::vector<std::size_t> counter(rank, 0), position(rank, 0);
  while (true) {
    for (std::size_t i = 0; i < rank; ++i) position[i] = positions[i][counter[i]];
    const Instance* instance = instance_at(family, position);
    if (instance == nullptr) {
      wrong = true;
      return {};
    }
    chosen.push_back(instance);
    std::size_t digit = rank;
    while (digit > 0 && ++counter[digit - 1] == positions[digit - 1].size()) counter[--digit] = 0;
    if (digit == 0) return chosen;
  }
}

Evaluated Elaborator::member(const Evaluated& of, const syntax::Name& name, SourceRange range) {
  if (const auto* list = of.as<ListValue>()) {
    ListValue result;
    for (const Evaluated& item : list->items) {
      result.items.push_back(member(item, name, range));
      if (result.items.back().is_poison()) return poison();
    }
    return {std::move(result), range};
  }
  if (const auto* map = of.as<MapValue>()) {
    const auto found = map->entries.find(name.text);
    if (found != map->entries.end()) return found->second;
    std::vector<std::string> keys;
    for (const auto& [key, value] : map->entries) keys.push_back(key);
    return error("E0215", name.range, fmt::format("this map has no `{}`", name.text), did_you_mean(name.text, keys));
  }
  const auto* instance = of.as<InstanceValue>();
  if (!instance) return error("E0215", name.range, fmt::format("{} has no `{}`", describe(of), name.text));
  const schema::KindSchema& kind = *instance->instance->kind;
  const schema::Result* result = kind.find_result(name.text);
  if (!result) {
    std::vector<std::string> known;
    for (const auto& r : kind.results) known.push_back(r.name);
    return error("E0215", name.range, fmt::format("{} `{}` has no result `{}`", kind.noun, instance->instance->block, name.text), did_you_mean(name.text, known),
                 known.empty() ? std::vector<std::string>{} : std::vector<std::string>{fmt::format("it has {}", fmt::join(known, ", "))});
  }
  if (name.text == "absolute" && kind.noun == "estimate") {
    // The true de Broglie length needs the mass of an atom; the task would find out hours later.
    if (instance->instance->arguments.count("samples")) {
      const Instance* at = instance->instance;
      while (at && at->kind->noun != "base" && at->kind->noun != "reference" && at->kind->noun != "train") {
        const auto& args = at->arguments;
        const Value* model = args.count("samples") ? &args.at("samples") : args.count("model") ? &args.at("model") : nullptr;
        if (model && model->find("call")) model = &model->at("base");
        const auto next = model && model->find("task") ? by_full_name_.find(model->at("task").as_string()) : by_full_name_.end();
        at = next == by_full_name_.end() ? nullptr : next->second;
      }
      if (at && at->arguments.count("system") && !at->arguments.at("system").has("mass")) {
        return error("E0407", range, "`.absolute` needs the mass of an atom", {"write `mass = …` in the system"});
      }
    }
  }
  const units::Dimension dimension = result->dimension.empty() ? units::Dimension{} : dimension_named(result->dimension).value_or(units::Dimension{});
  const std::string& task = instance->instance->full_name;
  if (result->type == schema::ResultType::samples) return {RunTime{schema::Map{{"task", task}, {"attribute", name.text}}, dimension, result->type}, range};
  if (result->type == schema::ResultType::curve) return {RunTime{schema::Map{{"op", "curve"}, {"task", task}}, dimension, result->type}, range};
  return {RunTime{schema::Map{{"op", "attribute"}, {"task", task}, {"name", name.text}}, dimension, result->type}, range};
}

Evaluated Elaborator::element(const Evaluated& of, const syntax::IndexTrailer& index, const Scope& scope, SourceRange range) {
  if (index.arguments.size() != 1 || index.arguments[0].all || index.arguments[0].axis) {
    return error("E0211", range, fmt::format("{} takes one index", describe(of)));
  }
  const syntax::Expression& at = *index.arguments[0].value;
  if (const auto* map = of.as<MapValue>()) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : map->entries) keys.push_back(key);
    const Evaluated wanted = evaluate(at, scope, &keys);
    if (wanted.is_poison()) return wanted;
    const auto found = map->entries.find(index_text(wanted));
    if (found != map->entries.end()) return found->second;
    return error("E0209", at.range, fmt::format("`{}` is not in this map ({})", index_text(wanted), fmt::join(keys, ", ")));
  }
  if (const auto* list = of.as<ListValue>()) {
    const Evaluated wanted = evaluate(at, scope);
    if (wanted.is_poison()) return wanted;
    const auto* number = wanted.as<std::int64_t>();
    if (!number || *number < 1 || *number > static_cast<std::int64_t>(list->items.size())) {
      return error("E0209", at.range, fmt::format("a list of {} has members 1 to {}, got {}", list->items.size(), list->items.size(), index_text(wanted)));
    }
    return list->items[static_cast<std::size_t>(*number - 1)];
  }
  return error("E0211", range, fmt::format("{} has no index", describe(of)));
}

}  // namespace bgw::semantics
