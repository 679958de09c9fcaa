#pragma once

#include <string>

#include "compiler/schema/value.h"

namespace bgw::cli {

/// The text of one document, a line: of an object with its "schema", of a list as it is.
std::string document_line(const schema::Value& document);

/// Prints one document on stdout. Where they follow each other while something goes on, `put(stdout, document_line(…))`
/// writes each at once.
void put_document(const schema::Value& document);

/// What `--json` prints of a command that ends without its answer: {"ok": false, "exit_code", "message"}, with
/// "diagnostics" when the program is wrong.
void put_failure(int exit_code, const std::string& message, const schema::Value& diagnostics);

}  // namespace bgw::cli
