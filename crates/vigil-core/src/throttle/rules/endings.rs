//! What commands say when they end for another reason than throttling.

use crate::vocab::Blocked;

/// Sentences that tell why a command failed. Where several are said, the first of this list counts.
#[rustfmt::skip]
pub(in crate::throttle) static ENDINGS: &[(Blocked, &[&str])] = &[
    (Blocked::GhAuth, &[
        "gh auth login", "gh auth refresh", "set the gh_token environment variable", "to get started with github cli", "bad credentials (http 401",
        "http 401: bad credentials", "your token has not been granted the required scopes", "resource not accessible by integration",
        "resource not accessible by personal access token",
    ]),
    (Blocked::GitAuth, &[
        "fatal: authentication failed", "authentication failed for 'http", "permission denied (publickey", "could not read username for", "could not read password for",
        "terminal prompts disabled", "support for password authentication was removed", "host key verification failed", "remote: permission to", "remote: invalid username or",
        "the requested url returned error: 401", "the requested url returned error: 403", "could not read from remote repository", "remote: write access to repository not granted",
        "remote: http basic: access denied",
    ]),
    (Blocked::ProviderAuth, &[
        "invalid x-api-key", "invalid api key", "incorrect api key provided", "invalid_api_key", "api key not valid", "'authentication_error'", "please run /login", "not logged in",
        "oauth token has expired", "oauth token expired", "oauth authentication is currently not", "could not resolve authentication method", "please set an auth method",
        "missing environment variable: openai_api_key", "missing bearer or basic authentication", "your access token could not be refreshed", "please log out and sign in again",
        "token_expired", "unauthenticated", "401 unauthorized", "no api key found", "api key is missing", "must specify the gemini_api_key", "please sign in", "invalid authentication credentials",
        "codex login", "run `codex login`", "failed to authenticate", "no authentication information found", "'permission_error'",
    ]),
    (Blocked::ContextLength, &["context_length_exceeded", "prompt is too long", "maximum context length", "ran out of room in the model's context window", "exceeds the context window", "input token count exceeds"]),
    (Blocked::DirtyWorktree, &[
        "your local changes to the following files would be overwritten", "please commit your changes or stash them", "you have unstaged changes", "your index contains uncommitted changes",
        "untracked working tree files would be overwritten", "contains modified or untracked files, use", "working tree is dirty", "worktree is dirty", "working tree has modifications",
        "there are uncommitted changes", "you have uncommitted changes", "working directory is not clean", "working tree is not clean", "needs merge", "you have unmerged paths",
    ]),
    (Blocked::ValidationFailed, &[
        "test result: failed", "validation failed", "pre-receive hook declined", "protected branch hook declined", "pre-commit hook failed", "pre-commit hook exited with code", "could not compile `",
        "npm err! test failed", "npm error test failed", "tests failed", "test failed, to rerun", "failing checks", "checks failed", "type checking failed", "lint failed", "some checks were not successful",
    ]),
    (Blocked::NetworkUnreachable, &[
        "could not resolve host", "temporary failure in name resolution", "name or service not known", "nodename nor servname provided", "getaddrinfo enotfound", "enotfound", "eai_again",
        "econnrefused", "connection refused", "network is unreachable", "no route to host", "enetunreach", "ehostunreach", "unable to connect to api", "api error: connection error", "dns error",
        "failed to lookup address information", "failed to connect to", "connection reset by peer", "econnreset", "error sending request for url", "fetch failed", "no internet connection",
        "could not connect to server", "waiting for network", "stream disconnected before completion",
    ]),
    (Blocked::Timeout, &["request timed out", "operation timed out", "connection timed out", "etimedout", "deadline exceeded", "timeout of", "timed out after", "api_timeout_error"]),
    (Blocked::PermissionDenied, &["permission denied", "operation not permitted", "eacces", "eperm", "read-only file system", "access is denied", "requires elevated privileges"]),
];

/// Sentences that also follow a throttling, as what came of it or as advice: after one they tell nothing new.
#[rustfmt::skip]
pub(in crate::throttle) static CONSEQUENCES: &[&str] = &[
    "gh auth login", "gh auth refresh", "could not read from remote repository", "please run /login", "please sign in",
    "codex login", "run `codex login`", "stream disconnected before completion", "needs merge", "timeout of",
    "timed out after", "deadline exceeded", "fetch failed", "error sending request for url",
];
