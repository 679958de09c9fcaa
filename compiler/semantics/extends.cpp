#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"

namespace bgw::semantics {

/// The axes of a family and what it extends.
void Elaborator::shape_family(Family& family) {
  if (family.shaped) return;
  family.shaped = true;
  if (!family.good) return;
  std::size_t total = 0;
  if (family.instances.empty()) {  // of an imported file
    family.good = find_axes(family, total);
    most_work_ += 300 * total;
  }
  if (family.good) plan_bases(family);
}

/// The blocks that `extends` names, nearest first.
void Elaborator::plan_bases(Family& family) {
  if (!family.block->base) return;
  family.good = false;  // until all is well
  const SourceRange range = family.block->base->range;
  const BlockPath path = block_path(*family.module, std::get<syntax::Reference>(family.block->base->what));
  Family* base = base_at(family, path);
  if (!base) return;
  if (base == &family || std::find(chain_.begin(), chain_.end(), "extends " + base->name) != chain_.end()) {
    error("E0210", range, fmt::format("`{}` extends itself", family.name), {"let one of them stand on its own"});
    return;
  }
  auto own = base->good ? bound_base(*base, path, range) : std::nullopt;
  if (!own) return;
  chain_.push_back("extends " + family.name);
  shape_family(*base);  // the base alone need not be complete
  chain_.pop_back();
  if (!base->good) return;
  family.good = true;
  family.bases.push_back(*std::move(own));
  family.bases.insert(family.bases.end(), base->bases.begin(), base->bases.end());
}

/// The block of the same kind that a path names; nullptr when it is told that there is none.
Family* Elaborator::base_at(Family& family, const BlockPath& path) {
  const std::string& kind = family.block->kind.text;
  const std::string& name = path.name->text;
  const std::vector<Family*> candidates = families_named(*path.module, kind, name);
  if (!candidates.empty()) {
    candidates[0]->used = true;
    return candidates[0];
  }
  std::vector<std::string> known;
  for (const auto& [other, families] : path.module->families) {
    const auto fits = [&](const Family* f) { return f->block->kind.text == kind && f != &family; };
    if (std::any_of(families.begin(), families.end(), fits)) known.push_back(other);
  }
  std::vector<std::string> helps = did_you_mean(name, known);
  if (helps.empty()) helps.push_back(known.empty() ? "leave `extends` out" : fmt::format("there is {}", fmt::join(known, ", ")));
  if (path.module->families.count(name)) {
    error("E0221", path.name->range, fmt::format("`{}` is no {}, a block extends one of its own kind", name, kind), helps);
  } else {
    error("E0207", path.name->range, fmt::format("there is no {} `{}` to extend", kind, name), helps);
  }
  return nullptr;
}

/// The base with what its indices are bound to: `extends bg[n]`.
std::optional<Family::Base> Elaborator::bound_base(Family& base, const BlockPath& path, SourceRange range) {
  const std::string& name = path.name->text;
  const syntax::IndexTrailer* index = path.index();
  if (path.next + (index ? 1 : 0) != path.reference->trailers.size()) {
    error("E0221", range, "`extends` names a block", {fmt::format("write `extends {}`", name)});
    return std::nullopt;
  }
  const std::vector<std::string> whole{fmt::format("write `extends {}[{}]`", name, fmt::join(base.variables, ", "))};
  const std::size_t given = index ? index->arguments.size() : 0;
  if (given != base.axes.size()) {
    error("E0211", range, fmt::format("`{}` has {} {}, got {}", name, base.axes.size(), base.axes.size() == 1 ? "index" : "indices", given),
          base.axes.empty() ? std::vector{fmt::format("write `extends {}`", name)} : whole);
    return std::nullopt;
  }
  Family::Base bound{&base, {}};
  for (std::size_t i = 0; i < given; ++i) {
    if (index->arguments[i].all || index->arguments[i].axis) {
      error("E0211", index->arguments[i].range, "`extends` takes one member", whole);
      return std::nullopt;
    }
    bound.bindings.emplace_back(base.variables[i], index->arguments[i].value.get());
  }
  return bound;
}

}  // namespace bgw::semantics
