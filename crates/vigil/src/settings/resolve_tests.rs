use super::*;
use crate::deliver::Compression;
use crate::encode::Signal;

fn resolve(pairs: &[(&str, &str)]) -> Settings {
    let map = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Settings::resolve("app", &Environment::Given(map), &Overrides::default())
}

fn endpoints(settings: &Settings) -> [Option<&str>; 3] {
    std::array::from_fn(|index| settings.signals[index].endpoint.as_deref())
}

#[test]
fn without_an_endpoint_nothing_is_sent_and_the_log_is_on() {
    let settings = resolve(&[]);
    assert_eq!(endpoints(&settings), [None; 3]);
    assert_eq!((settings.log, settings.service_name.as_str()), (LogFormat::Pretty, "app"));
    assert_eq!(settings.warnings, []);
    assert!(!settings.content.any());
}

#[test]
fn the_general_endpoint_gets_a_path_a_signal_and_their_own_is_used_as_it_is() {
    let settings = resolve(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/base/"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.example/in"),
    ]);
    assert_eq!(
        endpoints(&settings),
        [
            Some("http://collector:4318/base/v1/traces"),
            Some("https://logs.example/in"),
            Some("http://collector:4318/base/v1/metrics")
        ]
    );
    assert_eq!(settings.log, LogFormat::Off);
}

#[test]
fn l1_l9_each_signal_may_differ_from_the_general_settings() {
    let settings = resolve(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=y"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=other"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "100"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
    ]);
    let [traces, logs, metrics] = &settings.signals;
    assert_eq!((traces.protocol, metrics.protocol), (Protocol::Grpc, Protocol::HttpProtobuf));
    assert_eq!(traces.endpoint.as_deref(), Some("http://c:4317"));
    assert_eq!(traces.headers, [("api-key".to_owned(), "other".to_owned())]);
    assert_eq!(logs.headers, [("api-key".to_owned(), "a b".to_owned()), ("x".to_owned(), "y".to_owned())]);
    assert_eq!((logs.timeout.as_millis(), traces.timeout.as_millis()), (100, 2500));
    assert_eq!((traces.compression, logs.compression), (Compression::None, Compression::Gzip));
    assert_eq!(settings.warnings, []);
}

#[test]
fn an_exporter_of_none_switches_its_signal_off_and_otlp_by_name_has_the_default_endpoint() {
    let settings = resolve(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "console"),
    ]);
    assert_eq!(endpoints(&settings), [Some("http://c:4318/v1/traces"), None, None]);
    assert!(settings.unwanted[Signal::Metrics.index()]);
    assert_eq!(settings.log, LogFormat::Pretty);

    let settings = resolve(&[("OTEL_TRACES_EXPORTER", "otlp")]);
    assert_eq!(endpoints(&settings), [Some("http://localhost:4318/v1/traces"), None, None]);
}

#[test]
fn disabled_is_true_only_for_the_word_true() {
    for (value, expected, warned) in [
        ("true", true, false),
        ("TRUE", true, false),
        ("false", false, false),
        ("1", false, true),
        ("yes", false, true),
    ] {
        let settings = resolve(&[("OTEL_SDK_DISABLED", value)]);
        assert_eq!((settings.disabled, !settings.warnings.is_empty()), (expected, warned), "{value}");
    }
}

#[test]
fn wrong_settings_warn_once_name_variable_and_value_and_what_holds() {
    let settings = resolve(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-3"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("VIGIL_LOG_FORMAT", "xml"),
    ]);
    let lines: Vec<_> = settings.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-3"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("VIGIL_LOG_FORMAT", "xml"),
    ] {
        let line = lines.iter().find(|line| line.starts_with(variable)).expect("a warning");
        assert!(line.contains(value) && (line.contains("used") || line.contains("sent")), "{line}");
    }
}

#[test]
fn no_warning_repeats_a_header_or_the_userinfo_of_a_url() {
    let settings = resolve(&[
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret-token,key=%zz-s3cret"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://user:s3cret@host/path"),
    ]);
    assert!(settings.warnings.len() >= 3);
    for warning in &settings.warnings {
        assert!(!warning.to_string().contains("s3cret"), "{warning}");
    }
}

#[test]
fn the_content_gate_fails_closed() {
    let open = |value| resolve(&[("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)]).content;
    assert_eq!(open("span_only"), ContentMode { spans: true, events: false });
    assert_eq!(open("EVENT_ONLY"), ContentMode { spans: false, events: true });
    assert_eq!(open("SPAN_AND_EVENT"), ContentMode { spans: true, events: true });
    for wrong in ["true", "yes", "SPAN", "NO_CONTENT"] {
        assert!(!open(wrong).any(), "{wrong}");
    }
    assert!(resolve(&[("VIGIL_CAPTURE_CONTENT", "true")]).content.spans);
    let both =
        resolve(&[("VIGIL_CAPTURE_CONTENT", "true"), ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "oui")]);
    assert!(!both.content.any());
}

#[test]
fn samplers_keep_their_share_and_follow_the_parent_when_asked_to() {
    use vigil_core::id::TraceId;
    let kept = |settings: &Settings, parent| {
        (0..10_000_u32).filter(|n| settings.sampler.keep(TraceId::derived(&[&n.to_string()]), parent)).count()
    };
    let half = resolve(&[("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")]);
    assert!((4_700..5_300).contains(&kept(&half, None)), "{}", kept(&half, None));
    assert_eq!((kept(&half, Some(true)), kept(&half, Some(false))), (10_000, 0));
    assert_eq!(kept(&resolve(&[("OTEL_TRACES_SAMPLER", "always_off")]), Some(true)), 0);
    assert_eq!(kept(&resolve(&[("VIGIL_SAMPLING_RATIO", "0")]), None), 0);
    assert_eq!(kept(&resolve(&[]), None), 10_000);
}

#[test]
fn l1_the_service_name_variable_wins_over_the_resource_and_the_code() {
    let name = |pairs: &[(&str, &str)]| resolve(pairs).service_name;
    assert_eq!(name(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=r,a=b")]), "r");
    assert_eq!(name(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=r"), ("OTEL_SERVICE_NAME", "s")]), "s");
    assert_eq!(
        resolve(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=r,a=b%2Cc")]).resource,
        [("a".to_owned(), "b,c".to_owned())]
    );
}

#[test]
fn limits_fall_back_to_the_general_ones() {
    let settings = resolve(&[
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "50"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "3"),
    ]);
    assert_eq!(settings.span_limits, AttributeLimits { count: Some(128), value_chars: Some(50) });
    assert_eq!(settings.log_limits, AttributeLimits { count: Some(3), value_chars: Some(100) });
}

#[test]
fn a_ratio_that_is_none_keeps_everything_as_its_warning_says() {
    let settings = resolve(&[("VIGIL_SAMPLING_RATIO", "2"), ("OTEL_TRACES_SAMPLER", "always_off")]);
    assert_eq!(settings.sampler, Sampler::ratio(1.0, true));
    assert_eq!(settings.warnings.len(), 1);
}

#[test]
fn a_timeout_of_nothing_is_told_and_not_used() {
    let settings = resolve(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0"), ("OTEL_METRIC_EXPORT_INTERVAL", "0")]);
    assert_eq!(settings.signals[0].timeout, Duration::from_secs(10));
    assert_eq!(settings.metric_interval, Duration::from_secs(60));
    let named: Vec<_> = settings.warnings.iter().map(|warning| warning.variable).collect();
    assert_eq!(named, ["OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_METRIC_EXPORT_INTERVAL"]);
}
