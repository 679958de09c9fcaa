#include "compiler/plan/preimage.h"

namespace bgw::plan {

std::string preimage(const TaskSpec& spec) {
  schema::Map inputs;
  for (const TaskInput& input : spec.inputs) inputs[input.role] = input.key.hex();
  return schema::to_json(schema::Map{{"record", "bgw-key/1"},
                                     {"kind", spec.kind},
                                     {"version", spec.version},
                                     {"arguments", spec.arguments},
                                     {"inputs", std::move(inputs)}});
}

}  // namespace bgw::plan
