// The door of publisher/file: certificates and CRLs as files of a folder.
#include <hanaper/host.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/event_text.hpp>
#include <hanaper/toolkit/files.hpp>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace hanaper::published_files {
namespace {

using enum SettingType;

constexpr SettingKey keys[] = {
    {"folder", path, "published", nullptr, "the folder; what is in it may be served by a web server"},
    {"certificates", text, "certificates/{serial}", nullptr,
     "name of a certificate's files below the folder, without ending; {fields} are the event's; \"none\" for "
     "none"},
    {"authorities", text, "{authority}", nullptr, "the same for certificates of authorities"},
    {"crls", text, "{authority}", nullptr,
     "the same for CRLs; that of a shard other than 0 has \"-SHARD\" behind it"},
    {"formats", texts, "[\"der\", \"pem\"]", "der|pem",
     "what is written: NAME.cer and NAME.crl in DER, NAME.pem and NAME.crl.pem"},
    {"revoked", text, "keep", "keep|remove", "what becomes of the files of a certificate that is revoked"},
};

// One kind of object: what its files are called.
struct Form {
  std::string pattern;
  std::string_view label;  // of PEM
  std::string_view der, pem;
};

// Threads write different files, or the same file whole.
class Files final : public Publisher {
 public:
  Status configure(const Settings& settings, Host&) override {
    folder_ = settings.text("folder");
    for (const auto& [key, form] : {std::pair{"certificates", &certificates_},
                                    std::pair{"authorities", &authorities_}, std::pair{"crls", &crls_}}) {
      form->pattern = settings.text(key);
      if (const Status checked = check(form->pattern); !checked)
        return settings.error(key, checked.error().detail);
    }
    for (const std::string& format : settings.texts("formats")) (format == "der" ? der_ : pem_) = true;
    if (!der_ && !pem_) return settings.error("formats", "at least one is needed");
    remove_ = settings.text("revoked") == "remove";
    return {};
  }

  Status start() override { return make(folder_); }

  Status publish(const Event& event, Call&) override {
    HANAPER_TRY(const EventText fields, EventText::read(event));
    if (event.type == "certificate.issued") return write(certificates_, fields, event);
    if (event.type == "certificate.revoked") return remove_ ? take_away(fields) : Status{};
    if (event.type == "certificate.released") return remove_ ? write(certificates_, fields, event) : Status{};
    if (event.type == "authority.certified") return write(authorities_, fields, event);
    if (event.type == "crl.made") return write(crls_, fields, event);
    return {};
  }

 private:
  static Status check(const std::string& pattern) {
    HANAPER_CHECK(check_pattern(pattern));
    const bool outside = pattern.starts_with('/') || pattern.ends_with('/') ||
                         ("/" + pattern + "/").find("/../") != std::string::npos;
    if (pattern.empty() || outside)
      return malformed("\"" + pattern + "\" does not name a file below the folder");
    return {};
  }

  // Folders that anybody may read, unlike those of secrets.
  static Status make(const std::filesystem::path& folder) {
    std::error_code ec;
    std::filesystem::create_directories(folder, ec);
    if (ec) return unavailable(folder.string() + ": " + ec.message());
    return {};
  }

  Result<std::string> place(const Form& form, const EventText& fields) const {
    HANAPER_TRY(std::string name, fields.expand(form.pattern, file_name_part));
    const auto shard = &form == &crls_ ? fields.field("shard") : std::nullopt;
    return folder_ + "/" + name + (shard && *shard != "0" ? "-" + *shard : "");
  }

  Status write(const Form& form, const EventText& fields, const Event& event) const {
    if (form.pattern == "none") return {};
    HANAPER_TRY(const std::string name, place(form, fields));
    HANAPER_CHECK(make(std::filesystem::path(name).parent_path()));
    if (der_) HANAPER_CHECK(files::replace(name + std::string(form.der), as_text(event.object), 0644));
    if (pem_)
      HANAPER_CHECK(
          files::replace(name + std::string(form.pem), pem::encode(form.label, event.object), 0644));
    return {};
  }

  Status take_away(const EventText& fields) const {
    if (certificates_.pattern == "none") return {};
    HANAPER_TRY(const std::string name, place(certificates_, fields));
    for (const std::string_view ending : {certificates_.der, certificates_.pem}) {
      std::error_code ec;
      std::filesystem::remove(name + std::string(ending), ec);
      if (ec) return unavailable(name + std::string(ending) + ": " + ec.message());
    }
    return {};
  }

  // Constant after configure.
  std::string folder_;
  Form certificates_{"", "CERTIFICATE", ".cer", ".pem"};
  Form authorities_{"", "CERTIFICATE", ".cer", ".pem"};
  Form crls_{"", "X509 CRL", ".crl", ".crl.pem"};
  bool der_ = false, pem_ = false, remove_ = false;
};

}  // namespace
}  // namespace hanaper::published_files

HANAPER_PLUGIN(.kind = "publisher", .name = "file", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "writes certificates and CRLs as files of a folder",
               .keys = hanaper::published_files::keys, .key_count = std::size(hanaper::published_files::keys),
               .create = hanaper::create_plugin<hanaper::published_files::Files>);
