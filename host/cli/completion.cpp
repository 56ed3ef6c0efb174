// The completion for bash, out of the list of commands.
#include "commands.hpp"

#include <algorithm>
#include <map>

namespace hanaper::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// What may follow each beginning of a command: "" init check crl..., "crl" generate list...
std::map<std::string, std::vector<std::string>> following(const std::vector<Command>& commands) {
  std::map<std::string, std::vector<std::string>> next;
  for (const Command& command : commands) {
    std::vector<std::string> before;
    for (const std::string& word : split(command.spec.words)) {
      auto& known = next[joined(before)];
      if (std::ranges::find(known, word) == known.end()) known.push_back(word);
      before.push_back(word);
    }
    auto& known = next[command.spec.words];
    known.insert(known.end(), command.words.begin(), command.words.end());
    for (const Option& option : command.spec.options) known.push_back(option.name);
  }
  // Help takes the words of all others.
  for (const auto& [before, words] : std::map(next)) {
    if (before == "help" || before.starts_with("-")) continue;
    for (const std::string& word : words)
      if (!word.starts_with("-")) next[before.empty() ? "help" : "help " + before].push_back(word);
  }
  return next;
}

// "crl show --shard") for the values of an option.
std::string value_cases(const std::vector<Command>& commands) {
  std::string cases, files, anything;
  for (const Command& command : commands)
    for (const Option& option : command.spec.options) {
      if (option.value.empty()) continue;
      const std::string pattern = "\"" + command.spec.words + " " + option.name + "\"";
      if (!option.choices.empty())
        cases += "    " + pattern + ") COMPREPLY=($(compgen -W \"" + joined(option.choices) +
                 "\" -- \"$word\")); return ;;\n";
      else
        (option.file ? files : anything) += ((option.file ? files : anything).empty() ? "" : "|") + pattern;
    }
  if (!files.empty()) cases += "    " + files + ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n";
  if (!anything.empty()) cases += "    " + anything + ") return ;;\n";
  return cases;
}

}  // namespace

std::string bash_completion(const std::vector<Command>& commands) {
  std::string word_cases, known, with_files;
  for (const auto& [before, words] : following(commands)) {
    if (!before.empty()) known += (known.empty() ? "" : "|") + ("\"" + before + "\"");
    word_cases += "    \"" + before + "\") words=\"" + joined(words) + "\" ;;\n";
  }
  for (const Command& command : commands)
    if (command.spec.most > 0 && command.words.empty())
      with_files += (with_files.empty() ? "" : "|") + ("\"" + command.spec.words + "\"");
  return "# bash completion for hanaper; made from the program's own list of commands\n"
         "_hanaper() {\n"
         "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" command=\"\" "
         "words=\"\" i\n"
         "  COMPREPLY=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"${COMP_WORDS[i]}\" in -*) break ;; esac\n"
         "    command=\"${command:+$command }${COMP_WORDS[i]}\"\n"
         "  done\n"
         "  while [ -n \"$command\" ]; do  # without the arguments behind it\n"
         "    case \"$command\" in " +
         known +
         ") break ;; esac\n"
         "    case \"$command\" in *\" \"*) command=\"${command% *}\" ;; *) command=\"\" ;; esac\n"
         "  done\n"
         "  case \"$command $before\" in\n" +
         value_cases(commands) +
         "  esac\n"
         "  case \"$command\" in\n" +
         word_cases +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  case \"$command\" in " +
         with_files +
         ") case \"$word\" in -*) ;; *) COMPREPLY+=($(compgen -f -- \"$word\")) ;; esac ;; esac\n"
         "}\n"
         "complete -o filenames -F _hanaper hanaper\n";
}

}  // namespace hanaper::cli
