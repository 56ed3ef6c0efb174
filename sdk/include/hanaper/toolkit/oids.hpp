// Object identifiers this project reads or writes, by their names in the RFCs.
#pragma once

#include <hanaper/toolkit/der.hpp>

namespace hanaper::oid {

using namespace der::literals;

// Keys: RFC 3279, 5480, 8410.
inline constexpr der::Oid rsa_encryption = "1.2.840.113549.1.1.1"_oid;
inline constexpr der::Oid ec_public_key = "1.2.840.10045.2.1"_oid;
inline constexpr der::Oid p256 = "1.2.840.10045.3.1.7"_oid;
inline constexpr der::Oid p384 = "1.3.132.0.34"_oid;
inline constexpr der::Oid p521 = "1.3.132.0.35"_oid;
inline constexpr der::Oid ed25519 = "1.3.101.112"_oid;
inline constexpr der::Oid ed448 = "1.3.101.113"_oid;

// Signatures: RFC 4055, 5758, 8410.
inline constexpr der::Oid ecdsa_sha256 = "1.2.840.10045.4.3.2"_oid;
inline constexpr der::Oid ecdsa_sha384 = "1.2.840.10045.4.3.3"_oid;
inline constexpr der::Oid ecdsa_sha512 = "1.2.840.10045.4.3.4"_oid;
inline constexpr der::Oid sha256_rsa = "1.2.840.113549.1.1.11"_oid;
inline constexpr der::Oid sha384_rsa = "1.2.840.113549.1.1.12"_oid;
inline constexpr der::Oid sha512_rsa = "1.2.840.113549.1.1.13"_oid;
inline constexpr der::Oid rsassa_pss = "1.2.840.113549.1.1.10"_oid;
inline constexpr der::Oid mgf1 = "1.2.840.113549.1.1.8"_oid;

// Digests.
inline constexpr der::Oid sha1 = "1.3.14.3.2.26"_oid;
inline constexpr der::Oid sha256 = "2.16.840.1.101.3.4.2.1"_oid;
inline constexpr der::Oid sha384 = "2.16.840.1.101.3.4.2.2"_oid;
inline constexpr der::Oid sha512 = "2.16.840.1.101.3.4.2.3"_oid;

// Names: RFC 4519, RFC 5280 appendix A.
inline constexpr der::Oid common_name = "2.5.4.3"_oid;
inline constexpr der::Oid surname = "2.5.4.4"_oid;
inline constexpr der::Oid serial_number = "2.5.4.5"_oid;
inline constexpr der::Oid country = "2.5.4.6"_oid;
inline constexpr der::Oid locality = "2.5.4.7"_oid;
inline constexpr der::Oid state = "2.5.4.8"_oid;
inline constexpr der::Oid street = "2.5.4.9"_oid;
inline constexpr der::Oid organization = "2.5.4.10"_oid;
inline constexpr der::Oid organizational_unit = "2.5.4.11"_oid;
inline constexpr der::Oid title = "2.5.4.12"_oid;
inline constexpr der::Oid given_name = "2.5.4.42"_oid;
inline constexpr der::Oid dn_qualifier = "2.5.4.46"_oid;
inline constexpr der::Oid user_id = "0.9.2342.19200300.100.1.1"_oid;
inline constexpr der::Oid domain_component = "0.9.2342.19200300.100.1.25"_oid;
inline constexpr der::Oid email_address = "1.2.840.113549.1.9.1"_oid;

// Requests: RFC 2985.
inline constexpr der::Oid challenge_password = "1.2.840.113549.1.9.7"_oid;
inline constexpr der::Oid extension_request = "1.2.840.113549.1.9.14"_oid;
// What Microsoft's tools write for it (MS-WCCE 2.2.2.7.7.2).
inline constexpr der::Oid microsoft_extension_request = "1.3.6.1.4.1.311.2.1.14"_oid;
// RFC 9908 3.4.
inline constexpr der::Oid request_template = "1.2.840.113549.1.9.16.2.61"_oid;
inline constexpr der::Oid extension_request_template = "1.2.840.113549.1.9.16.2.62"_oid;

// Cryptographic Message Syntax: RFC 5652, 3565, 3370, 5958.
inline constexpr der::Oid data = "1.2.840.113549.1.7.1"_oid;
inline constexpr der::Oid signed_data = "1.2.840.113549.1.7.2"_oid;
inline constexpr der::Oid enveloped_data = "1.2.840.113549.1.7.3"_oid;
inline constexpr der::Oid content_type = "1.2.840.113549.1.9.3"_oid;
inline constexpr der::Oid message_digest = "1.2.840.113549.1.9.4"_oid;
inline constexpr der::Oid sha1_rsa = "1.2.840.113549.1.1.5"_oid;
inline constexpr der::Oid aes128_cbc = "2.16.840.1.101.3.4.1.2"_oid;
inline constexpr der::Oid aes192_cbc = "2.16.840.1.101.3.4.1.22"_oid;
inline constexpr der::Oid aes256_cbc = "2.16.840.1.101.3.4.1.42"_oid;
inline constexpr der::Oid des3_cbc = "1.2.840.113549.3.7"_oid;
inline constexpr der::Oid asymmetric_key_package = "2.16.840.1.101.2.1.2.78.5"_oid;

// Server-side key generation: RFC 4108 2.2.5, RFC 7030 4.4.1.2.
inline constexpr der::Oid decrypt_key_identifier = "1.2.840.113549.1.9.16.2.37"_oid;
inline constexpr der::Oid asymmetric_decrypt_key_identifier = "1.2.840.113549.1.9.16.2.54"_oid;

// Extensions: RFC 5280 4.2, RFC 7633, RFC 6962.
inline constexpr der::Oid subject_directory_attributes = "2.5.29.9"_oid;
inline constexpr der::Oid subject_key_identifier = "2.5.29.14"_oid;
inline constexpr der::Oid key_usage = "2.5.29.15"_oid;
inline constexpr der::Oid subject_alt_name = "2.5.29.17"_oid;
inline constexpr der::Oid issuer_alt_name = "2.5.29.18"_oid;
inline constexpr der::Oid basic_constraints = "2.5.29.19"_oid;
inline constexpr der::Oid name_constraints = "2.5.29.30"_oid;
inline constexpr der::Oid crl_distribution_points = "2.5.29.31"_oid;
inline constexpr der::Oid certificate_policies = "2.5.29.32"_oid;
inline constexpr der::Oid any_policy = "2.5.29.32.0"_oid;
inline constexpr der::Oid policy_mappings = "2.5.29.33"_oid;
inline constexpr der::Oid authority_key_identifier = "2.5.29.35"_oid;
inline constexpr der::Oid policy_constraints = "2.5.29.36"_oid;
inline constexpr der::Oid extended_key_usage = "2.5.29.37"_oid;
inline constexpr der::Oid freshest_crl = "2.5.29.46"_oid;
inline constexpr der::Oid inhibit_any_policy = "2.5.29.54"_oid;
inline constexpr der::Oid authority_info_access = "1.3.6.1.5.5.7.1.1"_oid;
inline constexpr der::Oid subject_info_access = "1.3.6.1.5.5.7.1.11"_oid;
inline constexpr der::Oid tls_feature = "1.3.6.1.5.5.7.1.24"_oid;
inline constexpr der::Oid acme_identifier = "1.3.6.1.5.5.7.1.31"_oid;
inline constexpr der::Oid ocsp_no_check = "1.3.6.1.5.5.7.48.1.5"_oid;

// CRLs and their entries: RFC 5280 5.2 and 5.3, X.509 9.5.2.8.
inline constexpr der::Oid crl_number = "2.5.29.20"_oid;
inline constexpr der::Oid reason_code = "2.5.29.21"_oid;
inline constexpr der::Oid invalidity_date = "2.5.29.24"_oid;
inline constexpr der::Oid certificate_issuer = "2.5.29.29"_oid;
inline constexpr der::Oid delta_crl_indicator = "2.5.29.27"_oid;
inline constexpr der::Oid issuing_distribution_point = "2.5.29.28"_oid;
inline constexpr der::Oid expired_certs_on_crl = "2.5.29.60"_oid;

// OCSP: RFC 6960 4.4.
inline constexpr der::Oid ocsp_basic = "1.3.6.1.5.5.7.48.1.1"_oid;
inline constexpr der::Oid ocsp_nonce = "1.3.6.1.5.5.7.48.1.2"_oid;
inline constexpr der::Oid ocsp_response = "1.3.6.1.5.5.7.48.1.4"_oid;
inline constexpr der::Oid ocsp_preferred_algorithms = "1.3.6.1.5.5.7.48.1.8"_oid;
inline constexpr der::Oid ocsp_crl = "1.3.6.1.5.5.7.48.1.3"_oid;
inline constexpr der::Oid ocsp_archive_cutoff = "1.3.6.1.5.5.7.48.1.6"_oid;
inline constexpr der::Oid ocsp_extended_revoke = "1.3.6.1.5.5.7.48.1.9"_oid;

inline constexpr der::Oid ad_ocsp = "1.3.6.1.5.5.7.48.1"_oid;
inline constexpr der::Oid ad_ca_issuers = "1.3.6.1.5.5.7.48.2"_oid;
inline constexpr der::Oid cps_qualifier = "1.3.6.1.5.5.7.2.1"_oid;
inline constexpr der::Oid user_notice_qualifier = "1.3.6.1.5.5.7.2.2"_oid;
inline constexpr der::Oid smtp_utf8_mailbox = "1.3.6.1.5.5.7.8.9"_oid;
inline constexpr der::Oid user_principal_name = "1.3.6.1.4.1.311.20.2.3"_oid;  // Microsoft
inline constexpr der::Oid permanent_identifier = "1.3.6.1.5.5.7.8.3"_oid;      // RFC 4043
inline constexpr der::Oid hardware_module_name = "1.3.6.1.5.5.7.8.4"_oid;      // RFC 4108 5

// Extended key usages: RFC 5280 4.2.1.12, RFC 6960, RFC 6402.
inline constexpr der::Oid any_extended_key_usage = "2.5.29.37.0"_oid;
inline constexpr der::Oid server_auth = "1.3.6.1.5.5.7.3.1"_oid;
inline constexpr der::Oid client_auth = "1.3.6.1.5.5.7.3.2"_oid;
inline constexpr der::Oid code_signing = "1.3.6.1.5.5.7.3.3"_oid;
inline constexpr der::Oid email_protection = "1.3.6.1.5.5.7.3.4"_oid;
inline constexpr der::Oid time_stamping = "1.3.6.1.5.5.7.3.8"_oid;
inline constexpr der::Oid ocsp_signing = "1.3.6.1.5.5.7.3.9"_oid;
inline constexpr der::Oid cmc_ra = "1.3.6.1.5.5.7.3.28"_oid;

}  // namespace hanaper::oid
