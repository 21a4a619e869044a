// hone-lower: text in, passes, text out. `hone-lower COMPUTATION [SCHEDULE]` reads both files and prints the
// program. For looking at schedules and for cutting a failing one down by hand or script; exit code 1 is a
// refused input.
#include <fstream>
#include <sstream>

#include "codegen/base/console.h"
#include "codegen/loop/loop.h"

namespace {

hone::Result<std::string> contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return hone::fail("cannot read the file", path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

hone::Result<std::string> lowered(const char* computation_path, const char* schedule_path) {
  HONE_TRY(std::string computation_text, contents(computation_path));
  HONE_TRY(hone::Computation computation, hone::parse_computation(computation_text));
  hone::Schedule schedule;
  if (schedule_path) {
    HONE_TRY(std::string schedule_text, contents(schedule_path));
    HONE_TRY(schedule, hone::parse_schedule(schedule_text));
  }
  HONE_TRY(hone::loop::Program program, hone::loop::lower(computation, schedule));
  return to_text(program);
}

int run(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    hone::say("usage", "hone-lower COMPUTATION [SCHEDULE]");
    return 2;
  }
  hone::Result<std::string> text = lowered(argv[1], argc == 3 ? argv[2] : nullptr);
  if (!text) {
    hone::say("hone-lower", text.error().text());
    return 1;
  }
  hone::print_text(*text);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return hone::run_program("hone-lower", run, argc, argv); }
