#include "compiler/semantics/analyze.h"

#include <fmt/format.h>

#include "compiler/semantics/elaborator.h"

namespace bgw::semantics {

Elaborator::Elaborator(const syntax::File& file, const source::SourceMap& text, const schema::Catalog& catalog,
                       const Overrides& overrides, source::DiagnosticSink& sink)
    : file_(file), text_(text), overrides_(overrides), sink_(sink), model_(std::make_unique<Model>()), catalog_(model_->catalog) {
  model_->catalog = catalog;
}

Evaluated Elaborator::error(const std::string& id, SourceRange range, std::string message, std::vector<std::string> helps,
                            std::vector<std::string> notes, std::string label, std::vector<source::Label> others) {
  ++errors_;
  if (current_) current_->good = false;
  sink_.add({id, source::Severity::error, range, std::move(message), std::move(label), std::move(others), std::move(notes), std::move(helps)});
  return poison();
}

void Elaborator::warn(const std::string& id, SourceRange range, std::string message, std::vector<std::string> helps) {
  sink_.add({id, source::Severity::warning, range, std::move(message), {}, {}, {}, std::move(helps)});
}

std::vector<std::string> Elaborator::did_you_mean(const std::string& name, const std::vector<std::string>& candidates) const {
  const std::string nearest = source::nearest(name, candidates);
  return nearest.empty() ? std::vector<std::string>{} : std::vector<std::string>{fmt::format("did you mean `{}`?", nearest)};
}

std::unique_ptr<const Model> Elaborator::run() {
  collect();
  resolve_all();
  // Lets no block asks for are checked too.
  for (auto& [name, declaration] : declarations_) {
    if (std::holds_alternative<syntax::Let>(declaration.item->what)) value_of(declaration);
  }
  resolve_requires();
  resolve_targets();
  warn_unused();
  return errors_ == 0 ? std::move(model_) : nullptr;
}

std::unique_ptr<const Model> analyze(const syntax::File& file, const source::SourceMap& text, const schema::Catalog& catalog,
                                     const Overrides& overrides, source::DiagnosticSink& sink) {
  return Elaborator(file, text, catalog, overrides, sink).run();
}

}  // namespace bgw::semantics
