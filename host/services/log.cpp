// The only home of spdlog.
#include "log.hpp"

#include "clock.hpp"

#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>

namespace hanaper::services {
namespace {

constexpr std::string_view level_names[] = {"debug", "info", "warning", "error"};

// The line is complete when spdlog sees it.
std::shared_ptr<spdlog::logger> logger_over(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("hanaper", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

// Messages are constant text; text from outside must not be able to begin a line of its own.
void append_text_message(std::string& line, std::string_view message) {
  const bool plain = std::ranges::none_of(
      message, [](char c) { return (static_cast<unsigned char>(c) < 0x20) || c == 0x7f; });
  if (plain)
    line += message;
  else
    json::append_quoted(line, message);
}

void append_text_value(std::string& line, std::string_view value) {
  const bool plain = !value.empty() && std::ranges::all_of(value, [](char c) {
    return c > ' ' && c != '"' && c != '=' && c < 0x7f;
  });
  if (plain)
    line += value;
  else
    json::append_quoted(line, value);
}

}  // namespace

std::string format_line(bool json, Time at, LogLevel level, std::string_view instance,
                        std::string_view message, std::initializer_list<LogField> fields) {
  const std::string_view level_name = level_names[static_cast<std::size_t>(level)];
  std::string line;
  line.reserve(160);
  if (json) {
    line.append(R"({"time":")")
        .append(time_text_ms(at))
        .append(R"(","level":")")
        .append(level_name)
        .append("\"");
    if (!instance.empty()) {
      line += R"(,"instance":)";
      json::append_quoted(line, instance);
    }
    line += R"(,"message":)";
    json::append_quoted(line, message);
    for (const LogField& field : fields) {
      line.push_back(',');
      json::append_quoted(line, field.name);
      line.push_back(':');
      json::append_quoted(line, field.value);
    }
    return line + "}";
  }
  line.append(time_text_ms(at)).append(" ").append(level_name).append(8 - level_name.size(), ' ');
  if (!instance.empty()) line.append(instance).append(": ");
  append_text_message(line, message);
  for (const LogField& field : fields) {
    line.append(" ").append(field.name).push_back('=');
    append_text_value(line, field.value);
  }
  return line;
}

Logger::Logger() : sink_(logger_over(std::make_shared<spdlog::sinks::stderr_sink_mt>())) {}
Logger::~Logger() = default;

Status Logger::apply(const config::LogConfig& config) {
  try {
    sink_ = config.file.empty() ? logger_over(std::make_shared<spdlog::sinks::stderr_sink_mt>())
                                : logger_over(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                                      config.file, config.max_size.value, 5));
  } catch (const spdlog::spdlog_ex& error) {
    return unavailable("log.file: " + std::string(error.what()));
  }
  const auto found = std::ranges::find(level_names, config.level);
  level_ = found == std::end(level_names) ? LogLevel::info
                                          : static_cast<LogLevel>(found - std::begin(level_names));
  json_ = config.format == "json";
  return {};
}

void Logger::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  write_for({}, level, message, fields);
}

void Logger::write_for(std::string_view instance, LogLevel level, std::string_view message,
                       std::initializer_list<LogField> fields) {
  if (level < level_) return;
  const std::string line = format_line(json_, SystemClock().now(), level, instance, message, fields);
  sink_.load()->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

void Logger::flush() { sink_.load()->flush(); }

}  // namespace hanaper::services
