//! Which service it is: from what the caller knows, the program, the address, the headers, or a sentence only one
//! service says. Never from any word that happens to be in a text.

use crate::vocab::Service;

/// Other names callers have for a service: those of the GenAI conventions, of libraries, of products.
static NAMES: &[(&str, Service)] = &[
    ("gcp.gemini", Service::GoogleGemini),
    ("gcp.gen_ai", Service::GoogleGemini),
    ("gcp.vertex_ai", Service::GoogleVertex),
    ("gemini", Service::GoogleGemini),
    ("google", Service::GoogleGemini),
    ("vertex", Service::GoogleVertex),
    ("aws.bedrock", Service::AwsBedrock),
    ("bedrock", Service::AwsBedrock),
    ("azure.ai.openai", Service::AzureOpenAi),
    ("azure.ai.inference", Service::AzureOpenAi),
    ("azure", Service::AzureOpenAi),
    ("mistral_ai", Service::Mistral),
    ("x_ai", Service::Xai),
    ("grok", Service::Xai),
    ("moonshot_ai", Service::Moonshot),
    ("github", Service::GithubRest),
    ("codex", Service::CodexCli),
    ("claude", Service::ClaudeCode),
    ("copilot", Service::CopilotCli),
    ("docker", Service::DockerRegistry),
    ("crates", Service::CratesIo),
    ("cargo", Service::CratesIo),
    ("otlp", Service::OtlpBackend),
    ("telemetry_export", Service::OtlpBackend),
];

/// Ends of host names.
static HOSTS: &[(&str, Service)] = &[
    ("anthropic.com", Service::Anthropic),
    ("claude.ai", Service::ClaudeCode),
    ("claude.com", Service::Anthropic),
    ("openai.azure.com", Service::AzureOpenAi),
    ("cognitiveservices.azure.com", Service::AzureOpenAi),
    ("services.ai.azure.com", Service::AzureOpenAi),
    ("chatgpt.com", Service::CodexCli),
    ("openai.com", Service::OpenAi),
    ("generativelanguage.googleapis.com", Service::GoogleGemini),
    ("aiplatform.googleapis.com", Service::GoogleVertex),
    ("cloudcode-pa.googleapis.com", Service::GeminiCli),
    ("amazonaws.com", Service::AwsBedrock),
    ("groq.com", Service::Groq),
    ("mistral.ai", Service::Mistral),
    ("cohere.com", Service::Cohere),
    ("cohere.ai", Service::Cohere),
    ("openrouter.ai", Service::OpenRouter),
    ("x.ai", Service::Xai),
    ("deepseek.com", Service::DeepSeek),
    ("moonshot.ai", Service::Moonshot),
    ("moonshot.cn", Service::Moonshot),
    ("githubcopilot.com", Service::CopilotCli),
    ("cursor.com", Service::Cursor),
    ("cursor.sh", Service::Cursor),
    ("api.github.com", Service::GithubRest),
    ("uploads.github.com", Service::GithubRest),
    ("ghcr.io", Service::DockerRegistry),
    ("github.com", Service::Git),
    ("gitlab.com", Service::Git),
    ("bitbucket.org", Service::Git),
    ("npmjs.org", Service::Npm),
    ("npmjs.com", Service::Npm),
    ("docker.io", Service::DockerRegistry),
    ("docker.com", Service::DockerRegistry),
    ("quay.io", Service::DockerRegistry),
    ("gcr.io", Service::DockerRegistry),
    ("pypi.org", Service::Pypi),
    ("crates.io", Service::CratesIo),
];

/// Programs, by the name of their file.
static TOOLS: &[(&str, Service)] = &[
    ("claude", Service::ClaudeCode),
    ("claude-code-action", Service::ClaudeCode),
    ("codex", Service::CodexCli),
    ("gemini", Service::GeminiCli),
    ("copilot", Service::CopilotCli),
    ("cursor", Service::Cursor),
    ("cursor-agent", Service::Cursor),
    ("gh", Service::GhCli),
    ("git", Service::Git),
    ("git-lfs", Service::Git),
    ("npm", Service::Npm),
    ("npx", Service::Npm),
    ("pnpm", Service::Npm),
    ("yarn", Service::Npm),
    ("docker", Service::DockerRegistry),
    ("podman", Service::DockerRegistry),
    ("nerdctl", Service::DockerRegistry),
    ("skopeo", Service::DockerRegistry),
    ("buildah", Service::DockerRegistry),
    ("pip", Service::Pypi),
    ("pip3", Service::Pypi),
    ("uv", Service::Pypi),
    ("twine", Service::Pypi),
    ("poetry", Service::Pypi),
    ("cargo", Service::CratesIo),
    ("otelcol", Service::OtlpBackend),
    ("otelcol-contrib", Service::OtlpBackend),
    ("vector", Service::OtlpBackend),
];

/// The service of this word, name or host; nothing for one that is not known, nor for `other`.
pub(super) fn named(text: &str) -> Option<Service> {
    let text = text.trim().to_ascii_lowercase();
    let host = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let host = host.split(['/', ':', '?']).next().unwrap_or_default();
    let is_host = |end: &str| {
        host.strip_suffix(end).is_some_and(|rest| {
            rest.is_empty() || rest.ends_with(['.', '-']) && (rest.ends_with('.') || end.starts_with("aiplatform"))
        })
    };
    let word = text.parse().ok();
    word.or_else(|| NAMES.iter().find(|(name, _)| *name == text).map(|(_, service)| *service))
        .or_else(|| HOSTS.iter().find(|(end, _)| is_host(end)).map(|(_, service)| *service))
        .filter(|service| *service != Service::Other)
}

/// The service this program speaks for.
pub(super) fn of_tool(tool: &str) -> Option<Service> {
    let file = tool.trim().rsplit(['/', '\\']).next().unwrap_or_default().split_whitespace().next().unwrap_or_default();
    let file = file.strip_suffix(".exe").unwrap_or(file);
    TOOLS.iter().find(|(name, _)| *name == file).map(|(_, service)| *service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_word_name_host_and_program() {
        for (text, service) in [
            ("groq", Service::Groq),
            ("gcp.vertex_ai", Service::GoogleVertex),
            ("https://api.github.com/repos/x/y?token=z", Service::GithubRest),
            ("europe-west1-aiplatform.googleapis.com", Service::GoogleVertex),
            ("API.OpenAI.com:443", Service::OpenAi),
            ("my.openai.azure.com", Service::AzureOpenAi),
        ] {
            assert_eq!(named(text), Some(service), "{text}");
        }
        for text in ["", "other", "notopenai.com", "openai.com.evil.example", "api.example.com"] {
            assert_eq!(named(text), None, "{text}");
        }
        assert_eq!(of_tool("/usr/local/bin/codex"), Some(Service::CodexCli));
        assert_eq!(of_tool("gh pr create --title x"), Some(Service::GhCli));
        assert_eq!(of_tool("make"), None);
    }
}
