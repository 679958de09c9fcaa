#include <algorithm>

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"

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

const Attribute* find(const std::vector<Attribute>& attributes, const std::string& name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const Attribute& a) { return a.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

void add(Traits& to, const Traits& from) {
  if (to.energy_unit.empty()) to.energy_unit = from.energy_unit;
  if (to.length_unit.empty()) to.length_unit = from.length_unit;
  if (from.reduced && !to.reduced) to.reduced_at = from.reduced_at;
  if (from.physical && !to.physical) to.physical_at = from.physical_at;
  to.reduced = to.reduced || from.reduced;
  to.physical = to.physical || from.physical;
  to.unbound.insert(to.unbound.end(), from.unbound.begin(), from.unbound.end());
  for (const std::string& what : from.later) {
    if (std::find(to.later.begin(), to.later.end(), what) == to.later.end()) to.later.push_back(what);
  }
  if (to.scale.kind == Scale::Kind::unknown) {
    const std::optional<double> mass = to.scale.mass;
    to.scale = from.scale;
    if (mass) to.scale.mass = mass;
  }
  if (!to.scale.mass) to.scale.mass = from.scale.mass;
}

}  // namespace

/// What of a family is the same for all its members, worked out when the first is asked for.
void Elaborator::plan_family(Family& family) {
  if (family.planned) return;
  family.planned = true;
  shape_family(family);
  if (!family.good) return;
  std::set<std::string_view> varying(family.variables.begin(), family.variables.end());
  family.members.layers.push_back({&family.block->body, 0, std::move(varying)});
  for (const Family::Base& base : family.bases) {
    const auto& variables = base.family->variables;
    family.members.layers.push_back({&base.family->block->body, family.members.layers.size(), {variables.begin(), variables.end()}});
  }
  const std::size_t errors_before = errors_;
  plan_members(family.members, fmt::format("{} `{}`", family.block->kind.text, family.block->name.text));
  plan_nested(family);
  if (errors_ != errors_before) {
    // Told once; its members are resolved all the same, so that other mistakes in them are told too.
    family.members.layouts.clear();
  }
}

/// Which attribute stands where: the author's own before those it extends.
void Elaborator::plan_members(MembersPlan& plan, const std::string& title) {
  for (std::size_t k = plan.layers.size(); k-- > 0;) {
    for (const syntax::Member& member : plan.layers[k].body->members) {
      if (const auto* let = std::get_if<syntax::Let>(&member.what)) plan.layers[k].varying.insert(let->name.text);
      if (!std::holds_alternative<syntax::Attribute>(member.what) && !std::holds_alternative<syntax::NestedBlock>(member.what)) plan.statements.emplace_back(k, &member);
    }
  }
  for (std::size_t k = 0; k < plan.layers.size(); ++k) {
    std::map<std::string, const syntax::Attribute*> seen;
    for (const syntax::Member& member : plan.layers[k].body->members) {
      const auto* attribute = std::get_if<syntax::Attribute>(&member.what);
      if (!attribute) continue;
      const auto [first, fresh] = seen.emplace(attribute->name.text, attribute);
      if (!fresh) {
        error("E0205", attribute->name.range, fmt::format("`{}` is given twice in {}", attribute->name.text, title), {"leave one of the two out"}, {}, {},
              {{first->second->name.range, "first here"}});
        continue;
      }
      plan.written.try_emplace(attribute->name.text, Written{attribute, k, mentions(*attribute->value, plan.layers[k].varying), {}});
    }
  }
}

void Elaborator::run_statements(MembersPlan& plan, std::vector<Scope>& scopes) {
  for (const auto& [layer, member] : plan.statements) {
    Scope& scope = scopes[layer];
    if (const auto* let = std::get_if<syntax::Let>(&member->what)) {
      scope.locals.push_back({let->name.text, let->type ? typed(*let->type, *let->value, let->name.text, scope) : evaluate(*let->value, scope)});
    } else if (const auto* require = std::get_if<syntax::Require>(&member->what)) {
      const auto holds = truth(*require->condition, scope);
      if (holds && !*holds) {
        error("E0411", require->condition->range, fmt::format("this does not hold: {}", require->message.value_or(shown(require->condition->range))),
              {"change what it depends on, or the requirement"});
      }
    }
  }
}

/// Attributes of a block or nested block, against their schema.
void Elaborator::resolve_members(MembersPlan& plan, const std::vector<Attribute>& attributes, const std::string& discriminator,
                                 const std::string& owner, const std::string& title, SourceRange where, std::vector<Scope>& scopes,
                                 schema::Map& into, const schema::KindSchema* kind) {
  if (!kind || !kind->indexed_as_rows) run_statements(plan, scopes);  // else for each row
  std::string variant;
  if (!discriminator.empty()) {
    const Attribute& chooser = *find(attributes, discriminator);
    const auto written = plan.written.find(discriminator);
    const MembersPlan::Slot slot{&chooser, written == plan.written.end() ? nullptr : &written->second};
    if (!slot.written && chooser.required) {
      for (const auto& [name, other] : plan.written) {
        if (find(attributes, name) || meant_by(name, {discriminator}).empty()) continue;
        error("E0202", other.attribute->name.range, fmt::format("unknown attribute `{}` in {}", name, title), {fmt::format("did you mean `{}`?", discriminator)});
        return;
      }
      error("E0204", where, fmt::format("{} lacks `{}`", title, discriminator), {fmt::format("write `{} = {}`", discriminator, chooser.type.words.front())},
            {fmt::format("`{}` is {}: {}", discriminator, chooser.type.describe(), chooser.doc)});
      return;
    }
    if (!resolve_slot(slot, owner, scopes, into) || !into[discriminator].is_string()) {
      ++errors_;  // without its variant nothing more can be said of the block
      return;
    }
    variant = into[discriminator].as_string();
  }
  const MembersPlan::Layout& layout = layout_of(plan, variant, attributes, discriminator, title, where, kind);
  if (!layout.good) ++errors_;
  for (const MembersPlan::Slot& slot : layout.slots) {
    if (!resolve_slot(slot, owner, scopes, into)) ++errors_;
  }
}

/// The attributes that a variant has, each with what the author wrote for it. What is unknown or missing is told here.
MembersPlan::Layout& Elaborator::layout_of(MembersPlan& plan, const std::string& variant, const std::vector<Attribute>& attributes,
                                           const std::string& discriminator, const std::string& title,
                                           SourceRange where, const schema::KindSchema* kind) {
  const auto known = plan.layouts.find(variant);
  if (known != plan.layouts.end()) return known->second;
  MembersPlan::Layout& layout = plan.layouts[variant];
  std::vector<std::string> legal;
  for (const Attribute& attribute : attributes) {
    if (belongs_to(attribute, variant)) legal.push_back(attribute.name);
  }
  std::set<std::string> meant;  // by an attribute that is misspelt: it is not missing, too
  for (const auto& [name, written] : plan.written) {
    if (std::find(legal.begin(), legal.end(), name) != legal.end()) continue;
    // What a block extends may serve several variants.
    if (written.layer > 0 && find(attributes, name)) continue;
    layout.good = false;
    const syntax::Name& at = written.attribute->name;
    if (const Attribute* other = find(attributes, name)) {
      error("E0202", at.range, fmt::format("{} with `{} = {}` has no `{}`", title, discriminator, variant, name),
            {fmt::format("leave it out, or write `{} = {}`", discriminator, other->variants.front())});
      continue;
    }
    meant.insert(meant_by(name, legal));
    std::vector<std::string> helps = did_you_mean(name, legal);
    for (const Attribute& other : attributes) {
      if (!helps.empty() || other.variants.empty() || meant_by(name, {other.name}).empty()) continue;
      helps.push_back(fmt::format("did you mean `{}`, which goes with `{} = {}`?", other.name, discriminator, other.variants.front()));
    }
    if (helps.empty()) helps.push_back(fmt::format("it takes {}", fmt::join(legal, ", ")));
    if (kind && kind->find_nested(name)) helps = {fmt::format("`{}` is a block: write `{} {{ … }}`", name, name)};
    error("E0202", at.range, fmt::format("unknown attribute `{}` in {}", name, title), helps);
  }
  for (const Attribute& attribute : attributes) {
    if (attribute.name == discriminator || !belongs_to(attribute, variant)) continue;
    const auto written = plan.written.find(attribute.name);
    if (written == plan.written.end() && attribute.required) {
      layout.good = false;
      if (meant.count(attribute.name)) continue;
      error("E0204", where, fmt::format("{} lacks `{}`", title, attribute.name),
            {fmt::format("write `{} = {}`", attribute.name, attribute.example.empty() ? "…" : attribute.example)},
            {fmt::format("`{}` is {}: {}", attribute.name, attribute.type.describe(), attribute.doc)});
    }
    layout.slots.push_back({&attribute, written == plan.written.end() ? nullptr : &written->second});
  }
  return layout;
}

/// One attribute into the arguments. False when its value is wrong, which was told where it comes from.
bool Elaborator::resolve_slot(const MembersPlan::Slot& slot, const std::string& owner, std::vector<Scope>& scopes, schema::Map& into) {
  const Attribute& attribute = *slot.attribute;
  if (!slot.written) {
    if (!attribute.later) into[attribute.name] = attribute.otherwise;
    return true;
  }
  Written& written = *slot.written;
  Resolved fresh;
  if (!written.kept) {
    Traits* outer = std::exchange(traits_, &fresh.traits);
    const std::string outer_place = std::exchange(place_, attribute.name);
    const syntax::Expression& expression = *written.attribute->value;
    last_origin_ = {};
    fresh.value = resolve(expression, attribute.type, {owner, expression.range, &attribute}, scopes[written.layer]);
    if (fresh.value && !fresh.value->is_none()) {
      if (!attribute.only.is_none()) {
        if (same_members(*fresh.value, attribute.only)) fresh.value = attribute.only;
        else note_later(fmt::format("`{} = {}`", attribute.name, shown(expression.range)));
      }
      if (attribute.later && *fresh.value != attribute.otherwise) note_later(fmt::format("`{}.{}`", owner, attribute.name));
    }
    fresh.origin = last_origin_;
    traits_ = outer;
    place_ = outer_place;
    if (!written.varies) written.kept = fresh;
  }
  const Resolved& resolved = written.varies ? fresh : *written.kept;
  const SourceRange stands = written.attribute->value->range;
  const bool elsewhere = resolved.origin.begin < stands.begin || resolved.origin.end > stands.end;
  if (origins_ && elsewhere && resolved.origin.end > 0) (*origins_)[&written] = resolved.origin;
  if (!resolved.value) return false;
  add(*traits_, resolved.traits);
  // An attribute written `none` is one left out.
  const Value& value = resolved.value->is_none() ? attribute.otherwise : *resolved.value;
  if (!attribute.later || value != attribute.otherwise) into[attribute.name] = value;
  return true;
}

}  // namespace bgw::semantics
