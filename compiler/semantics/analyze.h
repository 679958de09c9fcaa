#pragma once

#include <map>
#include <memory>
#include <string>

#include "compiler/schema/catalog.h"
#include "compiler/semantics/model.h"
#include "compiler/semantics/modules.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/read_source.h"
#include "compiler/source/source_file.h"

namespace bgw::semantics {

/// The text given for a param outside the program.
struct Override {
  std::string text;    // "250K"
  std::string origin;  // what gave it, for messages: "-p T=250K"; made from name and text when empty
  Override() = default;
  Override(std::string given) : text(std::move(given)) {}
  Override(const char* given) : text(given) {}
  Override(std::string given, std::string from) : text(std::move(given)), origin(std::move(from)) {}
};
/// By the name of the param; that of an imported file has the import's name in front, "water.rho".
using Overrides = std::map<std::string, Override>;

/// Checks a program against the catalog and resolves every block of it. All errors go to the sink, one a cause.
/// @param read  how files that blocks name are read; empty: from the disk
/// @return nullptr when there was an error
std::unique_ptr<Model> analyze(const Modules& modules, const source::SourceMap& text, const schema::Catalog& catalog,
                               const Overrides& overrides, source::DiagnosticSink& sink, const source::FileReader& read = {});

}  // namespace bgw::semantics
