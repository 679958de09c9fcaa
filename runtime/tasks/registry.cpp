#include "runtime/tasks/tasks.h"

namespace bgw::tasks {

engine::TaskRegistry registry() {
  return {
      {"base", base},           {"train", train},       {"sample", sample},
      {"reference", reference}, {"estimate", estimate}, {"rdf", radial_distribution},
  };
}

}  // namespace bgw::tasks
