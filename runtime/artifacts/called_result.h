#pragma once

#include <string>
#include <vector>

#include "compiler/schema/value.h"

namespace bgw::artifacts {

/// A result that is asked for with arguments, `pt.pressure(temperature = 300 K)`, as it is named among the results of the
/// task: "pressure(from=diamond_cubic, temperature=300, to=beta_tin)", arguments in the order of their names, numbers in base
/// units with nine digits, so that two ways of writing one number meet.
std::string called_result(const std::string& name, const schema::Map& arguments);

/// The names among `known` that a call means: of the same result, with all of the given arguments; those that the call
/// leaves out may have any value.
std::vector<std::string> meant_results(const std::vector<std::string>& known, const std::string& name, const schema::Map& arguments);

}  // namespace bgw::artifacts
