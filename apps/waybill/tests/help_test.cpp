#include "program.hpp"

namespace waybill::cli {
namespace {

const std::vector<std::vector<std::string>> kCommands = {
    {"schema", "print"},
    {"schema", "apply"},
    {"schema", "check"},
    {"routes", "list"},
    {"routes", "set"},
    {"routes", "apply"},
    {"relay"},
    {"status"},
    {"messages", "list"},
    {"messages", "show"},
    {"messages", "replay"},
    {"messages", "cancel"},
    {"messages", "resend"},
    {"queue", "peek"},
    {"queue", "topics"},
};

class Help : public ProgramTest {};

TEST_F(Help, of_every_command_shows_an_example_and_the_exit_codes) {
  for (std::vector<std::string> command : kCommands) {
    command.emplace_back("--help");
    const Answer run = waybill(command);
    EXPECT_EQ(run.exit_code, 0) << command.front();
    EXPECT_NE(run.out.find("Example:\n  waybill " + command.front()), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("Exit codes: 0 "), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("--json"), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("--config"), std::string::npos) << run.out;
    EXPECT_EQ(run.err, "");
  }
}

TEST_F(Help, of_the_program_and_of_groups_is_shown) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{}, {"schema"}, {"routes"}, {"messages"}, {"queue"}}) {
    std::vector<std::string> arguments = command;
    arguments.emplace_back("--help");
    EXPECT_EQ(waybill(arguments).exit_code, 0);
  }
  const Answer version = waybill({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out.rfind("waybill ", 0), 0U) << version.out;
}

TEST_F(Help, is_offered_with_exit_code_2_for_a_call_that_makes_no_sense) {
  for (const std::vector<std::string>& call :
       std::vector<std::vector<std::string>>{{},
                                             {"frobnicate"},
                                             {"schema"},
                                             {"status", "--colour"},
                                             {"messages", "list", "--limit", "0"},
                                             {"messages", "list", "--limit", "many"},
                                             {"messages", "show"},
                                             {"messages", "cancel", "1"},
                                             {"routes", "set"}}) {
    const Answer run = waybill(call);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_EQ(run.err.rfind("error: ", 0), 0U) << run.err;
    EXPECT_NE(run.err.find("hint: see waybill --help"), std::string::npos) << run.err;
    EXPECT_EQ(run.out, "");
  }
}

}  // namespace
}  // namespace waybill::cli
