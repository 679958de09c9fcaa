#pragma once

#include <filesystem>
#include <string>

#include "compiler/plan/plan.h"

namespace bgw::cli {

/// `-o ice.bgw`: a slip that would cost the program.
/// @throws CommandFailure with exit code 2
void refuse_sources(const std::filesystem::path& path, const plan::Plan& plan);

/// Writes a file that a user named, about a program. It appears whole or not at all; what is no file of its own,
/// /dev/stdout or a pipe, is written as it stands.
/// @throws CommandFailure with exit code 2 for a file of the program itself, StoreError
void write_output(const std::filesystem::path& path, const std::string& text, const plan::Plan& plan);

/// The way from a file to another, for files that are shared: the same wherever the folder of both is moved to.
std::filesystem::path way_from(const std::filesystem::path& file, const std::filesystem::path& other);
/// The file at the end of that way; as short as the way and `file` are.
std::filesystem::path follow(const std::filesystem::path& file, const std::filesystem::path& way);

}  // namespace bgw::cli
