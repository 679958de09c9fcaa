#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"

namespace bgw::semantics {
namespace {

const schema::KindSchema& require_kind() {
  static const schema::KindSchema kind = [] {
    schema::KindSchema k;
    k.noun = "require";
    k.makes = schema::Makes::check;
    return k;
  }();
  return kind;
}

}  // namespace

void Elaborator::resolve_requires() {
  int count = 0;
  for (const syntax::Item& item : main().source->file->items) {
    const auto* require = std::get_if<syntax::Require>(&item.what);
    if (!require) continue;
    ++count;
    Scope scope;
    scope.module = &main();
    scope.run_time = true;
    const Evaluated condition = evaluate(*require->condition, scope);
    if (condition.is_poison()) continue;
    const std::string message = require->message.value_or(shown(require->condition->range));
    if (const bool* known = condition.as<bool>()) {
      if (!*known) error("E0411", require->condition->range, fmt::format("this does not hold: {}", message), {"change what it depends on, or the requirement"});
      continue;
    }
    const auto* run_time = condition.as<RunTime>();
    if (!run_time || !is_truth(*run_time)) {
      error("E0303", require->condition->range, fmt::format("`require` needs a condition, got {}", describe(condition)), {"compare it: `require F.ess > 0.01`"});
      continue;
    }
    Instance& instance = add_instance(require_kind(), fmt::format("require({})", count), item.range);
    instance.name = instance.block;
    instance.arguments = schema::Map{{"condition", run_time->expression}, {"message", message}};
  }
}

void Elaborator::resolve_targets() {
  std::map<std::string, SourceRange> seen;
  for (const syntax::Item& item : main().source->file->items) {
    const auto* target = std::get_if<syntax::Target>(&item.what);
    if (!target) continue;
    const auto [first, fresh] = seen.emplace(target->name.text, target->name.range);
    if (fresh) {
      resolve_target(*target);
    } else {
      error("E0206", target->name.range, fmt::format("target `{}` is defined twice", target->name.text), {"give one of the two another name"}, {}, {}, {{first->second, "first here"}});
    }
  }
}

void Elaborator::resolve_target(const syntax::Target& target) {
  TargetDeclaration declaration{target.name.text, {}};
  if (const auto* list = std::get_if<syntax::ListExpression>(&target.value->what)) {
    for (const auto& expression : list->items) add_wanted(*expression, declaration);
  } else {
    add_wanted(*target.value, declaration);
  }
  model_->targets.push_back(std::move(declaration));
}

/// The family a target names; nullptr when what is wrong was told.
Family* Elaborator::wanted_family(const BlockPath& path) {
  const syntax::Name& name = *path.name;
  const std::vector<Family*> matching = families_named(*path.module, path.kind, name.text);
  if (matching.empty()) {
    ++errors_;
    if (!told_.insert(path.module->source->prefix + name.text).second) return nullptr;
    std::vector<std::string> known;
    for (const auto& [family, all] : path.module->families) known.push_back(family);
    error("E0207", name.range, fmt::format("`{}` is not defined", name.text), did_you_mean(name.text, known, fmt::format("a target lists blocks, as {}", fmt::join(known, ", "))));
    return nullptr;
  }
  if (matching.size() == 1) return matching[0];
  const auto same_kind = [&](const Family* other) { return other->block->kind.text == matching.front()->block->kind.text; };
  if (std::all_of(matching.begin(), matching.end(), same_kind)) return nullptr;  // told where it is defined twice
  std::vector<std::string> kinds;
  for (const Family* family : matching) kinds.push_back(fmt::format("`{}.{}`", family->block->kind.text, name.text));
  error("E0214", name.range, fmt::format("`{}` names several blocks", name.text), {fmt::format("write {}", fmt::join(kinds, " or "))});
  return nullptr;
}

/// A family, a member or a slice of it.
void Elaborator::add_wanted(const syntax::Expression& expression, TargetDeclaration& declaration) {
  const auto* reference = std::get_if<syntax::Reference>(&expression.what);
  if (!reference) {
    error("E0218", expression.range, "a target lists tasks, families and slices", {"write for instance `target quick = [F[64], rdf]`"});
    return;
  }
  const BlockPath path = block_path(main(), *reference);
  Family* family = wanted_family(path);
  if (!family || !family->good || !family->kind) return;
  const std::string& name = path.name->text;
  if (family->kind->makes == schema::Makes::value || family->kind->makes == schema::Makes::policy) {
    error("E0218", expression.range, fmt::format("{} `{}` is a value, nothing is run for it", family->kind->noun, name), {"a target lists tasks"});
    return;
  }
  const syntax::IndexTrailer* index = path.index();
  if (path.next + (index ? 1 : 0) != reference->trailers.size()) {
    error("E0218", expression.range, "a target lists tasks, not their results", {fmt::format("write `{}`", name)});
    return;
  }
  if (index && family->kind->indexed_as_rows) {
    error("E0211", expression.range, fmt::format("{} `{}` is made as a whole, its index set are its rows", family->kind->noun, name), {fmt::format("write `{}`", name)});
    return;
  }
  bool sliced = false, wrong = false;
  Scope scope;
  scope.module = &main();
  const std::vector<const Instance*> chosen = select(*family, index, scope, expression.range, sliced, wrong);
  declaration.wanted.insert(declaration.wanted.end(), chosen.begin(), chosen.end());
}

}  // namespace bgw::semantics
