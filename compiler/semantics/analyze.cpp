#include "compiler/semantics/analyze.h"

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"

namespace bgw::semantics {

Elaborator::Elaborator(const Modules& modules, const source::SourceMap& text, const schema::Catalog& catalog,
                       const Overrides& overrides, source::DiagnosticSink& sink, const source::FileReader& read)
    : text_(text), overrides_(overrides), sink_(sink), read_(read ? read : source::FileReader(source::read_named_file)), from_disk_(!read), model_(std::make_unique<Model>()), catalog_(model_->catalog) {
  model_->catalog = catalog;
  for (const SourceModule& source : modules.modules) modules_.emplace_back().source = &source;
  for (Module& module : modules_) {
    for (const auto& [name, import] : module.source->imports) module.imports[name] = &modules_[import.module];
  }
}

std::string Site::path() const {
  const std::string_view last = attribute != nullptr && name.empty() ? std::string_view(attribute->name) : name;
  return owner.empty() ? std::string(last) : fmt::format("{}.{}", owner, last);
}

Evaluated Elaborator::error(const std::string& id, SourceRange range, std::string message, std::vector<std::string> helps,
                            std::vector<std::string> notes, std::string label, std::vector<source::Label> others) {
  ++errors_;
  sink_.add({id, source::Severity::error, range, std::move(message), std::move(label), std::move(others), std::move(notes), std::move(helps)});
  return poison();
}

void Elaborator::warn(const std::string& id, SourceRange range, std::string message, std::vector<std::string> helps) {
  sink_.add({id, source::Severity::warning, range, std::move(message), {}, {}, {}, std::move(helps)});
}

std::string meant_by(const std::string& name, const std::vector<std::string>& candidates) {
  const auto only_one_with = [&](std::string_view beginning) -> std::string {
    std::string found;
    for (const std::string& candidate : candidates) {
      if (!candidate.starts_with(beginning) || candidate == found) continue;
      if (!found.empty()) return {};
      found = candidate;
    }
    return found;
  };
  constexpr std::size_t kTelling = 4;  // fewer letters are those of too many words
  std::string meant = name.size() >= kTelling ? only_one_with(name) : std::string();
  if (meant.empty()) meant = source::nearest(name, candidates);
  if (meant.empty() && name.size() > kTelling) meant = only_one_with(std::string_view(name).substr(0, kTelling));
  return meant;
}

std::vector<std::string> Elaborator::did_you_mean(const std::string& name, const std::vector<std::string>& candidates, const std::string& otherwise) const {
  const std::string meant = meant_by(name, candidates);
  if (!meant.empty()) return {fmt::format("did you mean `{}`?", meant)};
  return otherwise.empty() ? std::vector<std::string>{} : std::vector<std::string>{otherwise};
}

std::unique_ptr<Model> Elaborator::run() {
  for (Module& module : modules_) collect(module);
  check_overrides();
  for (auto& [name, declaration] : main().declarations) {
    // A let may hold results, which families are not ready for yet; it is evaluated where it is used.
    const auto& what = declaration.item->what;
    if (std::holds_alternative<syntax::Param>(what) || std::holds_alternative<syntax::Axis>(what)) value_of(declaration);
  }
  resolve_all();
  // Lets no block asks for are checked too.
  for (auto& [name, declaration] : main().declarations) {
    if (std::holds_alternative<syntax::Let>(declaration.item->what) && declaration.state == Declaration::State::fresh) value_of(declaration);
  }
  check_functions(main());
  resolve_requires();
  resolve_targets();
  warn_unreachable_stages();
  warn_unused(main());
  collect_docs();
  return errors_ == 0 ? std::move(model_) : nullptr;
}

std::unique_ptr<Model> analyze(const Modules& modules, const source::SourceMap& text, const schema::Catalog& catalog,
                               const Overrides& overrides, source::DiagnosticSink& sink, const source::FileReader& read) {
  return Elaborator(modules, text, catalog, overrides, sink, read).run();
}

}  // namespace bgw::semantics
