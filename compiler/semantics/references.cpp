#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {

Evaluated Elaborator::reference(const syntax::Reference& reference, const Scope& scope, SourceRange range, const std::vector<std::string>* words) {
  const std::string& name = reference.name.text;
  const auto& trailers = reference.trailers;
  if (trailers.empty() && words != nullptr && !scope.find(name) && std::find(words->begin(), words->end(), name) != words->end()) {
    return {Word{name}, range};
  }
  std::size_t next = 0;
  Evaluated value = named_value(reference, scope, next, range, trailers.empty() ? words : nullptr);
  for (; next < trailers.size() && !value.is_poison(); ++next) {
    const SourceRange place{range.begin, trailers[next].range.end};
    if (const auto* index = std::get_if<syntax::IndexTrailer>(&trailers[next].what)) {
      value = element(value, *index, scope, place);
    } else if (const auto* dot = std::get_if<syntax::MemberTrailer>(&trailers[next].what)) {
      const auto* called = next + 1 < trailers.size() ? std::get_if<syntax::CallTrailer>(&trailers[next + 1].what) : nullptr;
      const auto* instance = value.as<InstanceValue>();
      if (called && instance) {
        ++next;
        const SourceRange whole{range.begin, trailers[next].range.end};
        value = dot->name.text == "at" ? state_of_results(*instance, *called, scope, whole) : called_result(*instance, dot->name, *called, scope, whole);
      } else {
        value = member(value, dot->name, place);
      }
    } else {
      return error("E0217", trailers[next].range, fmt::format("{} is no function", describe(value)), {"leave the brackets out"});
    }
  }
  if (value.as<RunTime>() && !scope.run_time && value.as<RunTime>()->type != schema::ResultType::samples) {
    return error("E0305", range, fmt::format("`{}` is known only when the program runs", shown(range)),
                 {"use it in figure, table, expect or require; a program's tasks depend on params, lets and axes only"});
  }
  return value;
}

/// The value of the leading name; `next` is the first trailer that is not part of it.
Evaluated Elaborator::named_value(const syntax::Reference& reference, const Scope& scope, std::size_t& next, SourceRange range,
                                  const std::vector<std::string>* words) {
  const syntax::Name& name = reference.name;
  const auto& trailers = reference.trailers;
  if (!trailers.empty()) {
    if (const auto* called = std::get_if<syntax::CallTrailer>(&trailers[0].what)) {
      next = 1;
      return call(*scope.module, name, *called, scope, {range.begin, trailers[0].range.end});
    }
  }
  if (const Local* local = scope.find(name.text)) return local->value;
  bool found = false;
  Evaluated value = global_value(*scope.module, name, reference, scope, next, found);
  if (found) return value;
  const auto import = scope.module->imports.find(name.text);
  if (import != scope.module->imports.end()) {
    scope.module->used_imports.insert(name.text);
    return imported_value(*import->second, reference, scope, next, range);
  }
  if (told_.count("unit " + scope.module->source->prefix + name.text)) return poison();
  // `potential = lj` means a block, not the unit.
  const bool block_wanted = asked_ && asked_->kind == schema::TypeKind::reference && trailers.empty();
  if (const auto unit = unit_named(name.text); unit && !block_wanted) return {*unit, name.range};
  undefined(name, scope, words);
  return poison();
}

/// A declaration or a block of a file, `draws[64]` or `sample.draws[64]`.
Evaluated Elaborator::global_value(Module& module, const syntax::Name& name, const syntax::Reference& reference, const Scope& scope,
                                   std::size_t& next, bool& found) {
  found = true;
  if (const auto declared = module.declarations.find(name.text); declared != module.declarations.end()) {
    declared->second.used = true;
    if (const auto* function = std::get_if<syntax::Function>(&declared->second.item->what)) {
      std::string arguments;
      for (const auto& argument : function->arguments) arguments += (arguments.empty() ? "" : ", ") + argument.name.text;
      return error("E0217", name.range, fmt::format("`{}` is a function", name.text), {fmt::format("call it: `{}({})`", name.text, arguments)});
    }
    if (declared->second.state != Declaration::State::done) value_of(declared->second);
    if (declared->second.state == Declaration::State::running) return value_of(declared->second);  // says so
    return affords(declared->second.value.as<RunTime>() ? size_of(declared->second.value, most_work_) : 1, name.range) ? declared->second.value : poison();
  }
  if (const auto families = module.families.find(name.text); families != module.families.end()) {
    return family_value(name, families->second, reference, next, scope);
  }
  const auto* dot = next < reference.trailers.size() ? std::get_if<syntax::MemberTrailer>(&reference.trailers[next].what) : nullptr;
  if (catalog_.find_kind(name.text) && dot) {
    const std::vector<Family*> of_kind = families_named(module, name.text, dot->name.text);
    if (of_kind.empty()) {
      std::vector<std::string> known;
      for (const Family& family : families_) {
        if (family.module == &module && family.block->kind.text == name.text) known.push_back(family.block->name.text);
      }
      return error("E0207", dot->name.range, fmt::format("there is no {} `{}`", name.text, dot->name.text),
                   did_you_mean(dot->name.text, known, known.empty() ? fmt::format("write a block `{} {} {{ … }}`", name.text, dot->name.text) : fmt::format("there is {}", fmt::join(known, ", "))));
    }
    ++next;
    return family_value(dot->name, of_kind, reference, next, scope);
  }
  found = false;
  return poison();
}

/// `water.mw`: what an imported file has under that name.
Evaluated Elaborator::imported_value(Module& module, const syntax::Reference& reference, const Scope& scope, std::size_t& next, SourceRange range) {
  const auto* dot = next < reference.trailers.size() ? std::get_if<syntax::MemberTrailer>(&reference.trailers[next].what) : nullptr;
  if (!dot) {
    std::vector<std::string> known;
    for (const auto& [name, declaration] : module.declarations) known.push_back(name);
    for (const auto& [name, families] : module.families) known.push_back(name);
    return error("E0215", reference.name.range, fmt::format("`{}` is an import, not a value", reference.name.text),
                 {fmt::format("name what you need of it, as `{}.{}`", reference.name.text, known.empty() ? "…" : known.front())},
                 {known.empty() ? "it is empty" : fmt::format("it has {}", fmt::join(known, ", "))});
  }
  ++next;
  if (next < reference.trailers.size()) {
    if (const auto* called = std::get_if<syntax::CallTrailer>(&reference.trailers[next].what)) {
      ++next;
      return call(module, dot->name, *called, scope, {range.begin, reference.trailers[next - 1].range.end});
    }
  }
  bool found = false;
  Evaluated value = global_value(module, dot->name, reference, scope, next, found);
  if (found) return value;
  std::vector<std::string> known;
  for (const auto& [name, declaration] : module.declarations) known.push_back(name);
  for (const auto& [name, families] : module.families) known.push_back(name);
  return error("E0207", dot->name.range, fmt::format("`{}` has no `{}`", reference.name.text, dot->name.text),
               did_you_mean(dot->name.text, known, fmt::format("it has {}", fmt::join(known, ", "))));
}

const syntax::IndexTrailer* BlockPath::index() const {
  return next < reference->trailers.size() ? std::get_if<syntax::IndexTrailer>(&reference->trailers[next].what) : nullptr;
}

/// `draws`, `sample.draws`, `water.draws`, `water.sample.draws`: where a block is named, not its value.
BlockPath Elaborator::block_path(Module& module, const syntax::Reference& reference) {
  BlockPath path{&reference, &module, {}, &reference.name, 0};
  const auto step = [&]() -> const syntax::Name* {
    const auto* dot = path.next < reference.trailers.size() ? std::get_if<syntax::MemberTrailer>(&reference.trailers[path.next].what) : nullptr;
    return dot && !path.module->families.count(path.name->text) ? &dot->name : nullptr;
  };
  if (const auto import = module.imports.find(path.name->text); import != module.imports.end() && step()) {
    module.used_imports.insert(path.name->text);
    path.name = step();
    path.module = import->second;
    ++path.next;
  }
  if (catalog_.find_kind(path.name->text) && step()) {
    path.kind = path.name->text;
    path.name = step();
    ++path.next;
  }
  return path;
}

/// Blocks of a file by name; with a kind only those of it.
std::vector<Family*> Elaborator::families_named(Module& module, const std::string& kind, const std::string& name) {
  const auto found = module.families.find(name);
  if (found == module.families.end()) return {};
  std::vector<Family*> families = found->second;
  if (!kind.empty()) std::erase_if(families, [&](const Family* family) { return family->block->kind.text != kind; });
  return families;
}

Evaluated Elaborator::family_value(const syntax::Name& at, const std::vector<Family*>& families, const syntax::Reference& reference,
                                   std::size_t& next, const Scope& scope) {
  const std::string& name = at.text;
  if (families.size() > 1) {
    const auto same_kind = [&](const Family* family) { return family->block->kind.text == families.front()->block->kind.text; };
    if (std::all_of(families.begin(), families.end(), same_kind)) {
      ++errors_;  // told where it is defined twice
      return poison();
    }
    std::vector<std::string> kinds;
    for (const Family* family : families) kinds.push_back(fmt::format("`{}.{}`", family->block->kind.text, name));
    return error("E0214", at.range, fmt::format("`{}` names several blocks", name), {fmt::format("write {}", fmt::join(kinds, " or "))});
  }
  Family& family = *families.front();
  family.used = true;
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
  if (!index && !family.axes.empty() && !family.kind->indexed_as_rows) {
    return error("E0211", at.range, fmt::format("`{}` has one member for each of [{}], say which", name, fmt::join(family.axes, ", ")),
                 {fmt::format("write `{}`; where a list may stand, `{}[{}]` is all of them", member_of(family, scope), name, fmt::join(std::vector<std::string>(family.axes.size(), "*"), ", "))});
  }
  bool sliced = false, wrong = false, none = false;
  const auto chosen = select(family, index, scope, range, sliced, wrong, &none);
  if (wrong) return poison();
  if (none) return {None{}, range};  // `bg[prev(n)]` of the first
  if (!sliced) return chosen.front()->good ? Evaluated{InstanceValue{chosen.front()}, range} : poison();
  std::vector<Evaluated> list;
  for (const Instance* instance : chosen) {
    if (!instance->good) return poison();
    list.push_back({InstanceValue{instance}, range});
  }
  return {ListValue(std::move(list)), range};
}

Evaluated Elaborator::element(const Evaluated& of, const syntax::IndexTrailer& index, const Scope& scope, SourceRange range) {
  if (index.arguments.size() != 1 || index.arguments[0].all || index.arguments[0].axis) {
    return error("E0211", range, fmt::format("{} takes one index", describe(of)), {"write for instance `grid[1]`, or `rho[fcc]`"});
  }
  const syntax::Expression& at = *index.arguments[0].value;
  if (const auto* map = of.as<MapValue>()) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : map->entries()) keys.push_back(key);
    const Evaluated wanted = evaluate(at, scope, &keys);
    if (wanted.is_poison()) return wanted;
    const auto found = map->entries().find(index_text(wanted));
    if (found != map->entries().end()) return found->second;
    ++errors_;
    if (!told_.insert(fmt::format("{} of {}", index_text(wanted), static_cast<const void*>(map->shared.get()))).second) return poison();
    return error("E0209", at.range, fmt::format("`{}` is not in this map ({})", index_text(wanted), fmt::join(keys, ", ")),
                 did_you_mean(index_text(wanted), keys, fmt::format("add `{}: …` to the map", index_text(wanted))));
  }
  if (const auto* list = of.as<ListValue>()) {
    const Evaluated wanted = evaluate(at, scope);
    if (wanted.is_poison()) return wanted;
    const auto* number = wanted.as<std::int64_t>();
    if (!number || *number < 1 || *number > static_cast<std::int64_t>(list->items().size())) {
      return error("E0209", at.range, fmt::format("a list of {} has members 1 to {}, got {}", list->items().size(), list->items().size(), index_text(wanted)),
                   {number && *number == 0 ? "the first has the index 1" : fmt::format("the last has the index {}", list->items().size())});
    }
    return list->items()[static_cast<std::size_t>(*number - 1)];
  }
  return error("E0211", range, fmt::format("{} has no index", describe(of)), {fmt::format("write `{}`", shown(range).substr(0, shown(range).rfind('[')))});
}

}  // namespace bgw::semantics
