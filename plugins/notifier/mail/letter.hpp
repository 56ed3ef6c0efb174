// The text of a mail (RFC 5322) about an event.
#pragma once

#include <hanaper/toolkit/event_text.hpp>

namespace hanaper::mail {

struct Letter {
  std::string from;
  std::vector<std::string> to;
  std::string subject;  // UTF-8; whatever would end the line is taken out
  std::string body;     // UTF-8
  std::string id;       // the same for the same letter
  Time at;
};

// Header and body with lines ended by CRLF: 7bit where the body is ASCII in short lines, base64 otherwise.
std::string write(const Letter& letter);

// What a person reads: the event in words, then its data, one in a line.
std::string body_of(const Event& event, const EventText& fields);

// An address as SMTP has it (RFC 5321 4.1.2), ASCII only; malformed otherwise.
Status check_address(std::string_view address);

}  // namespace hanaper::mail
