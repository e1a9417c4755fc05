#include <fstream>
#include <sstream>

#include "program.hpp"

namespace waybill::cli {
namespace {

using Command = std::vector<std::string>;

// The words of a help text's section, the first of each line.
std::vector<std::string> first_words(const std::string& help, const std::string& section) {
  std::istringstream lines(help);
  std::vector<std::string> words;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(' ')) {
      inside = line == section;
    } else if (inside && line.starts_with("  ") && !line.starts_with("   ")) {
      std::istringstream rest(line);
      rest >> words.emplace_back();
    }
  }
  return words;
}

std::string joined(const Command& command) {
  std::string text = "waybill";
  for (const std::string& word : command) text += " " + word;
  return text;
}

class Help : public ProgramTest {
 protected:
  std::string help_of(Command command) const {
    command.emplace_back("--help");
    const Answer run = waybill(command);
    EXPECT_EQ(run.exit_code, 0) << joined(command) << run.err;
    EXPECT_EQ(run.err, "");
    return run.out;
  }
  // Every command that can run, found by asking for help from the top.
  std::vector<Command> commands(const Command& group = {}) const {
    std::vector<Command> found;
    for (const std::string& name : first_words(help_of(group), "Subcommands:")) {
      Command command = group;
      command.push_back(name);
      const std::vector<Command> inner = commands(command);
      if (inner.empty()) found.push_back(command);
      found.insert(found.end(), inner.begin(), inner.end());
    }
    return found;
  }
};

TEST_F(Help, of_every_command_shows_an_example_and_the_exit_codes) {
  const std::vector<Command> all = commands();
  EXPECT_GE(all.size(), 18U);
  for (const Command& command : all) {
    const std::string help = help_of(command);
    EXPECT_NE(help.find("Example:\n  " + joined(command)), std::string::npos) << help;
    EXPECT_NE(help.find("Exit codes: 0 "), std::string::npos) << help;
    EXPECT_NE(help.find("--json"), std::string::npos) << help;
    EXPECT_NE(help.find("--config"), std::string::npos) << help;
  }
}

TEST_F(Help, of_every_command_and_flag_has_its_place_in_the_reference) {
  std::ifstream file(WAYBILL_CLI_REFERENCE);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string reference = text.str();
  ASSERT_NE(reference, "");
  for (const Command& command : commands()) {
    EXPECT_NE(reference.find("`" + joined(command)), std::string::npos) << joined(command);
    for (std::string flag : first_words(help_of(command), "Options:")) {
      if (const std::size_t comma = flag.find(','); comma != flag.npos) flag.erase(0, comma + 1);
      EXPECT_NE(reference.find(flag), std::string::npos) << joined(command) << " " << flag;
    }
  }
}

TEST_F(Help, is_shown_with_the_version_of_the_program) {
  const Answer version = waybill({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out.rfind("waybill ", 0), 0U) << version.out;
}

TEST_F(Help, is_offered_with_exit_code_2_for_a_call_that_makes_no_sense) {
  for (const Command& call : std::vector<Command>{{},
                                                  {"frobnicate"},
                                                  {"schema"},
                                                  {"inbox"},
                                                  {"status", "--colour"},
                                                  {"doctor", "--lag-max", "-1"},
                                                  {"messages", "list", "--limit", "0"},
                                                  {"messages", "list", "--limit", "many"},
                                                  {"messages", "list", "--id", "-3"},
                                                  {"messages", "list", "--after", "-1"},
                                                  {"messages", "show"},
                                                  {"messages", "cancel", "1"},
                                                  {"inbox", "replay", "x", "--reason", "r"},
                                                  {"routes", "set"}}) {
    const Answer run = waybill(call);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_EQ(run.err.rfind("error: ", 0), 0U) << run.err;
    EXPECT_NE(run.err.find("see waybill "), std::string::npos) << run.err;
    EXPECT_EQ(run.out, "");
  }
}

TEST_F(Help, names_what_it_did_not_understand_and_the_nearest_word) {
  struct Case {
    Command call;
    std::string err;
  };
  for (const Case& wrong : std::vector<Case>{
           {{"statsu"},
            "error: waybill has no command 'statsu'\n"
            "hint: did you mean 'status'? (see waybill --help)\n"},
           {{"schema", "drop"},
            "error: waybill schema has no command 'drop'\n"
            "hint: known: print, roles, apply, check (see waybill schema --help)\n"},
           {{"schema"}, "error: waybill schema needs a command\nhint: see waybill schema --help\n"},
           {{"status", "--stroe=x"},
            "error: waybill status has no flag '--stroe'\n"
            "hint: did you mean '--store'? (see waybill status --help)\n"},
           {{"--store", "x", "status"},
            "error: '--store' stands before 'status'\n"
            "hint: flags follow the whole command: waybill status …\n"},
           {{"status", "now"},
            "error: unexpected argument 'now'\nhint: see waybill status --help\n"},
           {{"messages", "list", "--after", "-1"},
            "error: --after: -1 is less than 0\nhint: see waybill messages list --help\n"},
           {{"messages", "list", "--limit", "1001"},
            "error: --limit: 1001 is out of range (1 … 1000)\n"
            "hint: see waybill messages list --help\n"}}) {
    EXPECT_EQ(waybill(wrong.call).err, wrong.err);
  }
}

}  // namespace
}  // namespace waybill::cli
