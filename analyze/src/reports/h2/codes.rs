//! Names of the error codes of HTTP/2 and of the status codes of gRPC.

/// RFC 9113, section 7, from 0 on.
const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// doc/statuscodes.md of gRPC, from 0 on.
const STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// How many places tell error codes apart: those with names, and one for all others.
pub(super) const ERROR_PLACES: usize = ERRORS.len() + 1;
/// The same of gRPC.
pub(super) const STATUS_PLACES: usize = STATUSES.len() + 1;

/// The place of an error code.
pub(super) fn error_place(code: u32) -> usize {
    (code as usize).min(ERRORS.len())
}

/// The place of a status of gRPC.
pub(super) fn status_place(code: u8) -> usize {
    usize::from(code).min(STATUSES.len())
}

/// The name of the error codes at a place.
pub(super) fn error_at(place: usize) -> &'static str {
    ERRORS.get(place).copied().unwrap_or("other")
}

/// The name of the statuses at a place.
pub(super) fn status_at(place: usize) -> &'static str {
    STATUSES.get(place).copied().unwrap_or("other")
}

/// An error code as people read it.
pub(super) fn error(code: u32) -> String {
    match ERRORS.get(code as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("error {code:#x}"),
    }
}
