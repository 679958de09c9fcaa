#include "runtime/cli/application.h"

int main(int argc, char** argv) { return bgw::cli::run_application(std::vector<std::string>(argv + 1, argv + argc)); }
