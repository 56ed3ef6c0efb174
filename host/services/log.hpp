// Structured log lines, as text for people or as JSON for machines.
#pragma once

#include "../config/model.hpp"

#include <hanaper/services.hpp>

#include <atomic>
#include <memory>

namespace spdlog {
class logger;
}

namespace hanaper::services {

// Where every line of the process goes. Thread-safe.
class Logger final : public Log {
 public:
  Logger();  // standard error, text, info
  ~Logger();

  // Takes over another configuration; lines written meanwhile go to one place or the other. unavailable when
  // the file cannot be opened; then nothing changes.
  Status apply(const config::LogConfig& config);

  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) override;
  void write_for(std::string_view instance, LogLevel level, std::string_view message,
                 std::initializer_list<LogField> fields);
  void flush();

 private:
  std::atomic<LogLevel> level_{LogLevel::info};
  std::atomic<bool> json_{false};
  std::atomic<std::shared_ptr<spdlog::logger>> sink_;
};

// The same for one plugin instance: its name is in every line.
class InstanceLog final : public Log {
 public:
  InstanceLog(Logger& logger, std::string instance) : logger_(logger), instance_(std::move(instance)) {}
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) override {
    logger_.write_for(instance_, level, message, fields);
  }

 private:
  Logger& logger_;
  const std::string instance_;
};

// One line without its end; exposed for its tests.
std::string format_line(bool json, Time at, LogLevel level, std::string_view instance,
                        std::string_view message, std::initializer_list<LogField> fields);

}  // namespace hanaper::services
