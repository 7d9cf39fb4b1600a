//! The kinds of errors, by status, and what each form calls them.

/// What kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    InvalidRequest,
    Authentication,
    Payment,
    Permission,
    NotFound,
    TooLarge,
    RateLimit,
    Internal,
    Overloaded,
    Timeout,
}

/// Each kind with its status and its names: Anthropic's, OpenAI's, Google's.
const NAMES: [(Kind, u16, &str, &str, &str); 10] = [
    (
        Kind::InvalidRequest,
        400,
        "invalid_request_error",
        "invalid_request_error",
        "INVALID_ARGUMENT",
    ),
    (
        Kind::Authentication,
        401,
        "authentication_error",
        "authentication_error",
        "UNAUTHENTICATED",
    ),
    (
        Kind::Payment,
        402,
        "billing_error",
        "insufficient_quota",
        "FAILED_PRECONDITION",
    ),
    (
        Kind::Permission,
        403,
        "permission_error",
        "permission_error",
        "PERMISSION_DENIED",
    ),
    (
        Kind::NotFound,
        404,
        "not_found_error",
        "not_found_error",
        "NOT_FOUND",
    ),
    (
        Kind::TooLarge,
        413,
        "request_too_large",
        "request_too_large",
        "OUT_OF_RANGE",
    ),
    (
        Kind::RateLimit,
        429,
        "rate_limit_error",
        "rate_limit_error",
        "RESOURCE_EXHAUSTED",
    ),
    (Kind::Internal, 500, "api_error", "server_error", "INTERNAL"),
    (
        Kind::Overloaded,
        503,
        "overloaded_error",
        "overloaded_error",
        "UNAVAILABLE",
    ),
    (
        Kind::Timeout,
        504,
        "timeout_error",
        "timeout_error",
        "DEADLINE_EXCEEDED",
    ),
];

impl Kind {
    pub(crate) fn of_status(status: u16) -> Self {
        let known = NAMES.iter().find(|(_, of, ..)| *of == status);
        match (known, status) {
            (Some((kind, ..)), _) => *kind,
            (None, 400..500) => Self::InvalidRequest,
            // What Anthropic says when it has too much to do.
            (None, 529) => Self::Overloaded,
            (None, _) => Self::Internal,
        }
    }

    /// By a name in any of the forms, and by those that others use.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(_, _, anthropic, openai, google)| {
            [*anthropic, *openai, *google].contains(&name)
        });
        known.map(|(kind, ..)| *kind).or(match name {
            "rate_limit_exceeded" | "tokens" | "requests" => Some(Self::RateLimit),
            "invalid_api_key" => Some(Self::Authentication),
            "internal_error" | "internal_server_error" => Some(Self::Internal),
            _ => None,
        })
    }

    pub(crate) fn status(self) -> u16 {
        self.row().1
    }

    pub(crate) fn anthropic(self) -> &'static str {
        self.row().2
    }

    pub(crate) fn openai(self) -> &'static str {
        self.row().3
    }

    pub(crate) fn google(self) -> &'static str {
        self.row().4
    }

    /// Rows stand in the order of the kinds.
    fn row(self) -> &'static (Self, u16, &'static str, &'static str, &'static str) {
        &NAMES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_kinds() {
        for (kind, status, ..) in NAMES {
            assert_eq!((kind.row().0, Kind::of_status(status)), (kind, kind));
        }
    }
}
