#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"
#include "compiler/semantics/quantities.h"

namespace bgw::semantics {
namespace {

const syntax::Name& name_of(const syntax::Item& item) {
  return std::visit([](const auto& what) -> const syntax::Name& {
    if constexpr (requires { what.name; }) return what.name;
    else throw std::logic_error("a statement without a name");
  }, item.what);
}

const char* noun_of(const syntax::Item& item) {
  static constexpr const char* kNouns[] = {"import", "param", "let", "function", "axis", "require", "target", "block"};
  return kNouns[item.what.index()];
}

bool is_declaration(const syntax::Item& item) {
  return std::holds_alternative<syntax::Param>(item.what) || std::holds_alternative<syntax::Let>(item.what) ||
         std::holds_alternative<syntax::Function>(item.what) || std::holds_alternative<syntax::Axis>(item.what);
}

struct Visitor {
  const std::function<void(const syntax::Reference&, SourceRange)>& visit;
  const std::function<void(const syntax::Comprehension&)>& bind;

  void operator()(const syntax::ExpressionPtr& part) const {
    if (part) each_reference(*part, visit, bind);
  }
  void operator()(const syntax::Reference& reference) const {
    for (const syntax::Trailer& trailer : reference.trailers) {
      if (const auto* index = std::get_if<syntax::IndexTrailer>(&trailer.what)) {
        for (const auto& argument : index->arguments) (*this)(argument.value);
      } else if (const auto* call = std::get_if<syntax::CallTrailer>(&trailer.what)) {
        for (const auto& argument : call->arguments) (*this)(argument.value);
      }
    }
  }
};

void add_names(const syntax::Body& body, const std::function<void(const syntax::ExpressionPtr&)>& add) {
  for (const syntax::Member& member : body.members) {
    std::visit([&](const auto& what) {
      using T = std::decay_t<decltype(what)>;
      if constexpr (std::is_same_v<T, syntax::NestedBlock>) add_names(*what.body, add);
      else if constexpr (std::is_same_v<T, syntax::Require>) add(what.condition);
      else add(what.value);
    }, member.what);
  }
}

}  // namespace

std::set<std::string> names_in(const syntax::File& file) {
  std::set<std::string> names;
  const std::function<void(const syntax::ExpressionPtr&)> add = [&](const syntax::ExpressionPtr& expression) {
    if (expression) each_reference(*expression, [&](const syntax::Reference& reference, SourceRange) { names.insert(reference.name.text); });
  };
  for (const syntax::Item& item : file.items) {
    std::visit([&](const auto& what) {
      using T = std::decay_t<decltype(what)>;
      if constexpr (std::is_same_v<T, syntax::Block>) {
        add(what.base);
        add_names(what.body, add);
      } else if constexpr (std::is_same_v<T, syntax::Function>) {
        add(what.body);
      } else if constexpr (std::is_same_v<T, syntax::Require>) {
        add(what.condition);
      } else if constexpr (requires { what.value; }) {
        add(what.value);
        if constexpr (requires { what.domain; }) add(what.domain);
      }
    }, item.what);
  }
  return names;
}

void each_reference(const syntax::Expression& expression, const std::function<void(const syntax::Reference&, SourceRange)>& visit,
                    const std::function<void(const syntax::Comprehension&)>& bind) {
  const Visitor inside{visit, bind};
  std::visit([&](const auto& what) {
    using T = std::decay_t<decltype(what)>;
    if constexpr (std::is_same_v<T, syntax::Reference>) {
      visit(what, expression.range);
      inside(what);
    } else if constexpr (std::is_same_v<T, syntax::ListExpression>) {
      for (const auto& item : what.items) inside(item);
    } else if constexpr (std::is_same_v<T, syntax::MapExpression>) {
      for (const auto& entry : what.entries) inside(entry.value);
    } else if constexpr (std::is_same_v<T, syntax::Comprehension>) {
      if (bind) bind(what);
      for (const auto& part : {what.item, what.domain, what.condition}) inside(part);
    } else if constexpr (std::is_same_v<T, syntax::Unary>) {
      inside(what.operand);
    } else if constexpr (std::is_same_v<T, syntax::Binary>) {
      inside(what.left);
      inside(what.right);
    } else if constexpr (std::is_same_v<T, syntax::RangeExpression>) {
      for (const auto& part : {what.first, what.last, what.step}) inside(part);
    } else if constexpr (std::is_same_v<T, syntax::Conditional>) {
      for (const auto& part : {what.condition, what.then, what.otherwise}) inside(part);
    }
  }, expression.what);
}

bool mentions(const syntax::Expression& expression, const std::set<std::string_view>& names) {
  bool found = false;
  if (!names.empty()) {
    each_reference(expression, [&](const syntax::Reference& reference, SourceRange) { found = found || names.count(reference.name.text) != 0; });
  }
  return found;
}

const Local* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
    // The latest first: a `let` may stand twice on the way.
    const auto found = std::find_if(scope->locals.rbegin(), scope->locals.rend(), [&](const Local& local) { return local.name == name; });
    if (found != scope->locals.rend()) return &*found;
  }
  return nullptr;
}

bool Elaborator::claim_name(Module& module, const syntax::Name& name, const char* what, const std::string& noun) {
  // `lj` never stands without its number, so a potential may have this name.
  if (unit_named(name.text) && !(name.text == "lj" && !noun.empty())) {
    error("E0213", name.range, fmt::format("`{}` is a unit, no {} can have its name", name.text, what), {"take another name"});
    told_.insert("unit " + module.source->prefix + name.text);  // where it is used, too, the author does not mean the unit
    told_.insert(module.source->prefix + name.text);
    return false;
  }
  const auto declared = module.declarations.find(name.text);
  const auto families = module.families.find(name.text);
  const auto imported = module.source->imports.find(name.text);
  std::optional<SourceRange> other;
  if (declared != module.declarations.end()) {
    other = name_of(*declared->second.item).range;
  } else if (families != module.families.end()) {
    for (const Family* family : families->second) {
      if (noun.empty() || family->block->kind.text == noun) other = family->block->name.range;
    }
  } else if (imported != module.source->imports.end() && imported->second.range.end > 0) {
    other = imported->second.range;
  }
  if (!other) return true;
  error("E0206", name.range, fmt::format("`{}` is defined twice", name.text), {"give one of the two another name"}, {}, {}, {{*other, "first here"}});
  return false;
}

void Elaborator::collect(Module& module) {
  for (const syntax::Item& item : module.source->file->items) {
    if (is_declaration(item)) {
      const syntax::Name& name = name_of(item);
      if (claim_name(module, name, "param, let, fn or axis", {})) module.declarations[name.text] = {&item, &module, Declaration::State::fresh, {}, false};
    } else if (const auto* block = std::get_if<syntax::Block>(&item.what)) {
      collect_block(module, *block);
    }
  }
}

void Elaborator::collect_block(Module& module, const syntax::Block& block) {
  const schema::KindSchema* kind = catalog_.find_kind(block.kind.text);
  bool good = true;
  if (!kind) {
    good = false;
    error("E0201", block.kind.range, fmt::format("no block kind `{}`", block.kind.text),
          did_you_mean(block.kind.text, catalog_.nouns(), fmt::format("the kinds are {}", fmt::join(catalog_.nouns(), ", "))));
  }
  good = claim_name(module, block.name, "block", block.kind.text) && good;
  Family& family = families_.emplace_back();
  family.block = &block;
  family.kind = kind;
  family.module = &module;
  family.name = module.source->prefix + block.name.text;
  family.good = good;
  std::vector<IndexName> names;
  for (const syntax::IndexBinding& binding : block.indices) {
    if (std::find(family.variables.begin(), family.variables.end(), binding.variable.text) != family.variables.end()) {
      error("E0206", binding.variable.range, fmt::format("index `{}` is bound twice", binding.variable.text), {"give one of the two another name"});
      family.good = false;
    }
    family.axes.push_back(binding.axis.text);
    family.variables.push_back(binding.variable.text);
    names.push_back({binding.variable.text, binding.axis.text});
    if (unit_named(binding.variable.text)) {
      error("E0213", binding.variable.range, fmt::format("`{}` is a unit, an index cannot have its name", binding.variable.text), {"take another name"});
      family.good = false;
    }
  }
  if (!names.empty()) family.index_names = std::make_shared<const std::vector<IndexName>>(std::move(names));
  // Of two blocks of one kind and name the first is meant: that there are two was told.
  auto& named = module.families[block.name.text];
  const bool again = std::any_of(named.begin(), named.end(), [&](const Family* other) { return other->block->kind.text == block.kind.text; });
  if (!again) named.push_back(&family);
}

std::string unit_meant(const std::string& name) {
  static const std::map<std::string, std::string> kSpelled{
      {"kelvin", "K"},        {"kelvins", "K"},      {"a", "angstrom"},     {"å", "angstrom"},    {"Å", "angstrom"},
      {"angstroms", "angstrom"}, {"ångström", "angstrom"}, {"femtosecond", "fs"}, {"femtoseconds", "fs"}, {"picosecond", "ps"},
      {"picoseconds", "ps"},  {"nanosecond", "ns"},  {"nanoseconds", "ns"}, {"second", "s"},      {"seconds", "s"},
      {"sec", "s"},           {"minute", "min"},     {"minutes", "min"},    {"hour", "h"},        {"hours", "h"},
      {"hr", "h"},            {"hartree", "Ha"},     {"rydberg", "Ry"},     {"joule", "J"},       {"dalton", "u"},
      {"da", "u"},            {"amu", "u"},          {"gigapascal", "GPa"}, {"degree", "deg"},    {"degrees", "deg"}};
  const auto lowered = [](std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  };
  if (const auto spelled = kSpelled.find(lowered(name)); spelled != kSpelled.end()) return spelled->second;
  for (const std::string& unit : unit_names()) {
    if (lowered(unit) == lowered(name)) return unit;
  }
  return name.size() < 6 ? std::string() : source::nearest(name, unit_names());
}

/// A name that is nowhere defined is one mistake, however often it stands.
/// @param words  that may stand at its place
void Elaborator::undefined(const syntax::Name& name, const Scope& scope, const std::vector<std::string>* words) {
  ++errors_;
  if (!told_.insert(scope.module->source->prefix + name.text).second) return;
  std::vector<std::string> known;
  for (const Scope* s = &scope; s != nullptr; s = s->parent) {
    for (const Local& local : s->locals) known.emplace_back(local.name);
  }
  for (const auto& [declared, declaration] : scope.module->declarations) known.push_back(declared);
  for (const auto& [family, all] : scope.module->families) known.push_back(family);
  for (const auto& [import, module] : scope.module->imports) known.push_back(import);
  if (words) known.insert(known.end(), words->begin(), words->end());
  std::vector<std::string> legal;  // blocks of the kinds that belong there
  if (asked_ && !asked_->nouns.empty() && asked_->kind != schema::TypeKind::constructor) {
    for (const auto& [family, all] : scope.module->families) {
      const auto& nouns = asked_->nouns;
      if (std::any_of(all.begin(), all.end(), [&](const Family* f) { return std::find(nouns.begin(), nouns.end(), f->block->kind.text) != nouns.end(); })) legal.push_back(family);
    }
    if (!meant_by(name.text, legal).empty()) known = legal;
  }
  std::string otherwise = words ? fmt::format("write one of {}", fmt::join(*words, ", ")) : fmt::format("give it a value, as `let {} = …`", name.text);
  for (const Family& family : families_) {
    const auto index = std::find(family.variables.begin(), family.variables.end(), name.text);
    if (family.module != scope.module || index == family.variables.end()) continue;
    otherwise = fmt::format("an index belongs to the block that binds it: write `[{} in {}]` behind the name of this one", name.text,
                            family.axes[static_cast<std::size_t>(index - family.variables.begin())]);
  }
  if (const std::string unit = name.text.size() > 1 ? unit_meant(name.text) : ""; !unit.empty()) otherwise = fmt::format("did you mean `{}`?", unit);
  if (!legal.empty()) otherwise = fmt::format("there is {}", fmt::join(legal, ", "));
  else if (asked_ && asked_->kind == schema::TypeKind::reference) otherwise = fmt::format("write a block `{} {} {{ … }}`", asked_->nouns.front(), name.text);
  error("E0207", name.range, fmt::format("`{}` is not defined", name.text), did_you_mean(name.text, known, otherwise));
}

void Elaborator::missing_axis(Module& module, const syntax::Name& axis) {
  ++errors_;
  if (!told_.insert(module.source->prefix + axis.text).second) return;
  std::vector<std::string> axes;
  for (const auto& [name, declaration] : module.declarations) {
    if (std::holds_alternative<syntax::Axis>(declaration.item->what)) axes.push_back(name);
  }
  std::vector<std::string> helps = did_you_mean(axis.text, axes);
  if (helps.empty()) helps.push_back(fmt::format("write `axis {} = [...]`, or take one of the axes of the program", axis.text));
  error("E0212", axis.range, fmt::format("there is no axis `{}`", axis.text), helps);
}

/// Functions that nothing calls are read for names that are not there.
void Elaborator::check_functions(Module& module) {
  for (auto& [name, declaration] : module.declarations) {
    const auto* function = std::get_if<syntax::Function>(&declaration.item->what);
    if (!function || declaration.used) continue;
    Scope scope;
    scope.module = &module;
    bool good = type_named(function->result).has_value();
    for (const auto& argument : function->arguments) {
      good = type_named(argument.type).has_value() && good;
      scope.locals.push_back({argument.name.text, poison()});
    }
    std::set<std::string> bound;  // by comprehensions, wherever they stand
    each_reference(*function->body, [](const syntax::Reference&, SourceRange) {}, [&](const syntax::Comprehension& part) { bound.insert(part.variable.text); });
    each_reference(*function->body, [&](const syntax::Reference& reference, SourceRange) {
      const std::string& used = reference.name.text;
      const bool called = !reference.trailers.empty() && std::holds_alternative<syntax::CallTrailer>(reference.trailers[0].what);
      const bool somewhere = scope.find(used) || module.declarations.count(used) || module.families.count(used) || module.imports.count(used) ||
                             unit_named(used) || bound.count(used) || catalog_.find_kind(used) || catalog_.find_constructor(used);
      if (!somewhere && !called && type_named(function->result)->kind != schema::TypeKind::word) undefined(reference.name, scope);
      if (const auto declared = module.declarations.find(used); declared != module.declarations.end()) declared->second.used = true;
    });
  }
}

void Elaborator::warn_hidden(const syntax::Name& name, Module& module, const char* what) {
  const auto declared = module.declarations.find(name.text);
  if (declared == module.declarations.end()) return;
  if (!told_.insert(fmt::format("{} {} hides", what, name.text)).second) return;
  warn("W0504", name.range, fmt::format("{} `{}` hides the {} of this name", what, name.text, noun_of(*declared->second.item)), {"give one of the two another name"});
}

// Only in a program without errors: a mistake elsewhere often is why something has no reader.
void Elaborator::warn_unused(Module& module) {
  if (sink_.has_errors() || errors_ > 0) return;
  for (const Family& family : families_) {
    if (family.module != &module) continue;
    for (const syntax::IndexBinding& binding : family.block->indices) warn_hidden(binding.variable, module, "index");
    for (const syntax::Member& member : family.block->body.members) {
      if (const auto* let = std::get_if<syntax::Let>(&member.what)) warn_hidden(let->name, module, "let");
    }
  }
  for (const auto& [name, declaration] : module.declarations) {
    if (const auto* function = std::get_if<syntax::Function>(&declaration.item->what)) {
      for (const auto& argument : function->arguments) warn_hidden(argument.name, module, "argument");
    }
  }
  // A file without work is a library: what it has is for those who import it.
  const bool library = std::none_of(families_.begin(), families_.end(), [&](const Family& family) {
    return family.module == &module && family.kind->makes != schema::Makes::value && family.kind->makes != schema::Makes::policy;
  });
  if (library) return;
  const std::set<std::string> mentioned = names_in(*module.source->file);
  for (const auto& [name, declaration] : module.declarations) {
    if (declaration.used || mentioned.count(name)) continue;
    const char* id = std::holds_alternative<syntax::Param>(declaration.item->what) ? "W0501" : "W0503";
    warn(id, name_of(*declaration.item).range, fmt::format("{} `{}` is not used", noun_of(*declaration.item), name), {"leave it out, or use it"});
  }
  for (const Family& family : families_) {
    const bool value = family.kind->makes == schema::Makes::value || family.kind->makes == schema::Makes::policy;
    if (family.module != &module || family.used || !value || mentioned.count(family.block->name.text)) continue;
    warn("W0503", family.block->name.range, fmt::format("{} `{}` is not used", family.kind->noun, family.name), {"leave it out, or use it"});
  }
  for (const auto& [name, import] : module.source->imports) {
    if (import.range.end > 0 && !module.used_imports.count(name)) warn("W0503", import.range, fmt::format("import `{}` is not used", name), {"leave it out, or use it"});
  }
}

void Elaborator::collect_docs() {
  for (const Module& module : modules_) {
    for (const syntax::Item& item : module.source->file->items) {
      if (item.doc.empty()) continue;
      if (const auto* block = std::get_if<syntax::Block>(&item.what)) {
        model_->docs[fmt::format("{}.{}{}", block->kind.text, module.source->prefix, block->name.text)] = item.doc;
      } else if (is_declaration(item)) {
        model_->docs[fmt::format("{}.{}{}", noun_of(item), module.source->prefix, name_of(item).text)] = item.doc;
      }
    }
  }
  for (const auto& [name, declaration] : main().declarations) {
    if (std::holds_alternative<syntax::Axis>(declaration.item->what)) ++model_->axes;
  }
}

}  // namespace bgw::semantics
